package seasonal_test

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kedastral/kedastral/forecaster/features"
	"github.com/kedastral/kedastral/forecaster/models/internal/seasonal"
)

// clock is that of n steps from an instant on.
func clock(t *testing.T, zone string, at time.Time, step time.Duration, n int) features.Clock {
	t.Helper()
	location, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	return features.Frame{Start: at, Step: step, Observed: make([]float64, n), Calendar: features.Calendar{Location: location}}.Clock()
}

func TestDailyLaysSlotsOut(t *testing.T) {
	at := time.Date(2024, 3, 4, 6, 0, 0, 0, time.UTC) // a Monday
	for step, want := range map[time.Duration][2]seasonal.Slots{
		time.Hour:        {{Count: 24, Hold: 1, Phase: 6}, {Count: 168, Hold: 1, Phase: 30}},
		time.Minute:      {{Count: 288, Hold: 5, Phase: 360}, {Count: 2016, Hold: 5, Phase: 1800}},
		15 * time.Second: {{Count: 288, Hold: 20, Phase: 1440}, {Count: 2016, Hold: 20, Phase: 7200}},
		7 * time.Second:  {}, // does not divide the day
		24 * time.Hour:   {}, // is the day
	} {
		c := clock(t, "UTC", at, step, 10)
		if diff := cmp.Diff(want, [2]seasonal.Slots{seasonal.Daily(c, step), seasonal.Weekly(c, step)}); diff != "" {
			t.Errorf("Daily and Weekly of step %v (-want +got):\n%s", step, diff)
		}
	}
}

// Slots are those of the wall clock on both of its changes, in zones that are
// off by half an hour, and for what is left of a series.
func TestSlotsFollowTheLocalClock(t *testing.T) {
	for _, tt := range []struct {
		zone string
		at   time.Time
	}{
		{"Europe/Berlin", time.Date(2026, 3, 27, 5, 0, 0, 0, time.UTC)},   // two days before clocks go forward
		{"Europe/Berlin", time.Date(2026, 10, 23, 5, 0, 0, 0, time.UTC)},  // and back
		{"America/New_York", time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)}, // west of Greenwich
		{"Asia/Kolkata", time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)},
		{"Australia/Lord_Howe", time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC)}, // changes by half an hour
	} {
		const step, n = 30 * time.Minute, 20 * 48
		c := clock(t, tt.zone, tt.at, step, n)
		daily, weekly := seasonal.Daily(c, step), seasonal.Weekly(c, step)
		for _, from := range []int{0, 1, 100, 500} {
			d, w := daily.After(from), weekly.After(from)
			for i := 0; i+from < n; i++ {
				second := c.SecondOfWeek(i + from)
				if d.Of(i) != second%86_400/1800 || w.Of(i) != second/1800 {
					t.Fatalf("%s: slots of step %d after %d are %d and %d, the clock says %v of the week", tt.zone, i, from, d.Of(i), w.Of(i), time.Duration(second)*time.Second)
				}
			}
		}
	}
}

// The week is a season where its days differ every week, and none where they
// differ by chance or there is not enough to tell.
func TestWeekShape(t *testing.T) {
	const week = 168
	monday := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	c := clock(t, "UTC", monday, time.Hour, 4*week)
	daily, weekly := seasonal.Daily(c, time.Hour), seasonal.Weekly(c, time.Hour)
	seed := uint64(3)
	chance := func() float64 {
		seed = seed*6364136223846793005 + 1442695040888963407
		return float64(seed>>33)/float64(1<<31) - 0.5
	}
	working, alike := make([]float64, 4*week), make([]float64, 4*week)
	for i := range working {
		wave := 100 + 30*math.Sin(2*math.Pi*float64(i)/24)
		working[i], alike[i] = wave+5*chance(), wave+20*chance()
		if i%week >= 5*24 {
			working[i] -= 40 // Saturday and Sunday
		}
	}
	shape := seasonal.WeekShape(working, daily, weekly, daily.Shape(working, false, seasonal.Median), false)
	if shape == nil {
		t.Fatal("no week in four with quiet weekends")
	}
	wednesday, saturday := shape[weekly.Of(2*24+12)], shape[weekly.Of(5*24+12)]
	if d := wednesday - saturday; d < 30 || d > 50 {
		t.Errorf("Wednesday noon is %v, Saturday noon %v: want 40 between them", wednesday, saturday)
	}
	ratio := seasonal.WeekShape(working, daily, weekly, daily.Shape(working, true, seasonal.Median), true)
	if ratio == nil || math.Abs(seasonal.Mean(ratio)-1) > 1e-9 || ratio[weekly.Of(2*24+12)] < 1.3*ratio[weekly.Of(5*24+12)] {
		t.Errorf("as a ratio: Wednesday and Saturday noon are not told apart")
	}
	if seasonal.WeekShape(alike, daily, weekly, daily.Shape(alike, false, seasonal.Median), false) != nil {
		t.Error("a week in days that are alike but for chance")
	}
	short := working[:2*week-1]
	if seasonal.WeekShape(short, daily, weekly, daily.Shape(short, false, seasonal.Median), false) != nil {
		t.Error("a week in less than two")
	}
}
