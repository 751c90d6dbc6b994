package features_test

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/kedastral/kedastral/forecaster/features"
	"github.com/kedastral/kedastral/forecaster/series"
)

var nan = math.NaN()

func history(values ...float64) features.Frame {
	d := series.DataFrame{Start: time.Unix(0, 0).UTC(), Step: time.Minute, Values: values}
	return features.Build(d, 2, features.Calendar{})
}

func equal(t *testing.T, call string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateNaNs(), cmpopts.EquateApprox(0, 1e-9)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", call, diff)
	}
}

// Every step of two weeks around each change of the clocks has the minute, hour
// and day that the time package, asked step by step, says it has.
func TestCalendarAgreesWithTime(t *testing.T) {
	for _, zone := range []string{
		"UTC", "Europe/Berlin", "America/New_York", "America/Sao_Paulo", "Australia/Lord_Howe", // half an hour of summer time
		"Asia/Kolkata", "Asia/Kathmandu", "Pacific/Apia", // a day was left out in 2011
		"Africa/Casablanca", "America/St_Johns", "Europe/London",
	} {
		location, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		for year := 1969; year <= 2037; year += 8 {
			for _, month := range []time.Month{time.March, time.April, time.September, time.October, time.December} {
				for _, step := range []time.Duration{30 * time.Minute, 7 * time.Hour} {
					agree(t, location, time.Date(year+int(month)%8, month, 24, 0, 0, 0, 0, time.UTC), step)
				}
			}
		}
	}
}

func agree(t *testing.T, location *time.Location, from time.Time, step time.Duration) {
	t.Helper()
	f := features.Frame{
		Start: series.Align(from, step), Step: step, Observed: make([]float64, int(7*24*time.Hour/step)), Horizon: int(8 * 24 * time.Hour / step),
		Calendar: features.Calendar{Location: location},
	}
	minutes, hours, days, clock := f.MinuteOfHour(), f.HourOfDay(), f.DayOfWeek(), f.Clock()
	for i := range f.Len() {
		local := f.Start.Add(time.Duration(i) * step).In(location)
		if minutes[i] != float64(local.Minute()) || hours[i] != float64(local.Hour()) || days[i] != float64(local.Weekday()) {
			t.Fatalf("%v is day %v, %v:%v", local, days[i], hours[i], minutes[i])
		}
		if want := local.Hour()*3600 + local.Minute()*60 + local.Second(); clock.SecondOfDay(i) != want {
			t.Fatalf("%v is second %d of its day; want %d", local, clock.SecondOfDay(i), want)
		}
	}
}

// A day before by the wall clock is 23 or 25 hours ago when clocks changed in
// between.
func TestAgo(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	f := features.Frame{
		Start: time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC), Step: time.Hour,
		Observed: make([]float64, 365*24), Horizon: 1, Calendar: features.Calendar{Location: berlin},
	}
	clock := f.Clock()
	for _, tt := range []struct {
		at   time.Time
		want int // hours ago
	}{
		{time.Date(2026, time.March, 1, 12, 0, 0, 0, berlin), 24},
		{time.Date(2026, time.March, 29, 12, 0, 0, 0, berlin), 23}, // summer time began that night
		{time.Date(2026, time.March, 30, 12, 0, 0, 0, berlin), 24},
		{time.Date(2026, time.October, 25, 12, 0, 0, 0, berlin), 25}, // and ended
	} {
		i := int(tt.at.Sub(f.Start) / f.Step)
		if got := i - clock.Ago(i, 86400); got != tt.want {
			t.Errorf("a day before %v is %d hours ago; want %d", tt.at, got, tt.want)
		}
	}
}

func TestColumnsCoverTheHorizon(t *testing.T) {
	f := history(1, 2, 3)
	fourier, err := f.Fourier(time.Hour, 3)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "terms", len(fourier), 6)
	for _, column := range append(fourier, f.MinuteOfHour(), f.HourOfDay(), f.DayOfWeek()) {
		equal(t, "length", len(column), 5)
	}
	equal(t, "second sine", fourier[2][4], math.Sin(2*2*math.Pi*4/60))
	equal(t, "third cosine", fourier[5][1], math.Cos(3*2*math.Pi/60))
}

func TestEMA(t *testing.T) {
	got, err := history(nan, 4, nan, 8, 8).EMA(1)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "EMA", got, []float64{nan, 4, 4, 6, 7})
}

func TestMomentum(t *testing.T) {
	got, err := history(1, 2, nan, 7, 3).Momentum(2)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "Momentum", got, []float64{nan, nan, nan, 5, nan})
}

func TestTrend(t *testing.T) {
	got, err := history(5, nan, 9, 11, 1, 1, 1).Trend(4)
	if err != nil {
		t.Fatal(err)
	}
	// The line through (0,9) (1,11) (2,1) (3,1) falls by 3.4 a step.
	equal(t, "Trend", got, []float64{nan, nan, 2, 2, -4, -3.4, -3})
}

func TestRefuses(t *testing.T) {
	f := history(1, 2)
	for call, try := range map[string]func() error{
		"EMA(0)":        func() error { _, err := f.EMA(0); return err },
		"EMA(NaN)":      func() error { _, err := f.EMA(nan); return err },
		"Momentum(0)":   func() error { _, err := f.Momentum(0); return err },
		"Trend(1)":      func() error { _, err := f.Trend(1); return err },
		"Fourier(0, 1)": func() error { _, err := f.Fourier(0, 1); return err },
		"Fourier(1, 0)": func() error { _, err := f.Fourier(time.Hour, 0); return err },
		"step 0":        func() error { return features.Frame{Horizon: 1}.Validate() },
		"horizon 0":     func() error { return features.Frame{Step: time.Minute}.Validate() },
	} {
		if try() == nil {
			t.Errorf("%s: no error", call)
		}
	}
}

func BenchmarkCalendarOfAWeekOfMinutes(b *testing.B) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		b.Fatal(err)
	}
	f := history(make([]float64, 10_080)...)
	f.Calendar.Location = berlin
	b.ReportAllocs()
	for b.Loop() {
		f.HourOfDay()
	}
}
