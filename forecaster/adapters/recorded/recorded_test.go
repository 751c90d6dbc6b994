package recorded_test

import (
	"errors"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/kedastral/kedastral/forecaster/adapters"
	"github.com/kedastral/kedastral/forecaster/adapters/adaptertest"
	"github.com/kedastral/kedastral/forecaster/adapters/recorded"
	"github.com/kedastral/kedastral/forecaster/series"
	"github.com/kedastral/kedastral/shared/clock"
)

func TestConformance(t *testing.T) {
	adaptertest.Run(t, func(t *testing.T) adapters.Adapter {
		var samples []series.Sample
		for at := adaptertest.First; at.Before(adaptertest.Now.Add(time.Hour)); at = at.Add(adaptertest.Step) {
			if !at.Equal(adaptertest.Hole) {
				samples = append(samples, series.Sample{At: at, Value: adaptertest.Load(at)})
			}
		}
		return open(t, recorded.Options{
			Samples: samples, Step: adaptertest.Step,
			Now: func() time.Time { return adaptertest.Now },
		})
	})
}

func open(t *testing.T, o recorded.Options) *recorded.Adapter {
	t.Helper()
	a, err := recorded.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// counting is n minutes of 0, 1, 2, ...
func counting(start time.Time, n int) []series.Sample {
	samples := make([]series.Sample, n)
	for i := range samples {
		samples[i] = series.Sample{At: start.Add(time.Duration(i) * time.Minute), Value: float64(i)}
	}
	return samples
}

var monday = time.Date(2024, 3, 4, 0, 0, 0, 0, time.UTC)

func collect(t *testing.T, a *recorded.Adapter, seconds int) []float64 {
	t.Helper()
	frame, err := a.Collect(t.Context(), seconds)
	if err != nil {
		t.Fatal(err)
	}
	return frame.Values
}

func TestReplayFollowsAFasterClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		faster, err := clock.Faster(monday.Add(time.Hour), 60)
		if err != nil {
			t.Fatal(err)
		}
		a := open(t, recorded.Options{Samples: counting(monday, 1440), Step: time.Minute, Now: faster.Now})
		for _, want := range [][]float64{{57, 58, 59}, {58, 59, 60}, {59, 60, 61}} {
			if diff := cmp.Diff(want, collect(t, a, 180)); diff != "" {
				t.Errorf("at %v: %s", faster.Now(), diff)
			}
			time.Sleep(time.Second) // a minute of the recording
		}
	})
}

func TestInstantHappensNow(t *testing.T) {
	now := time.Date(2031, 7, 9, 10, 11, 12, 0, time.UTC)
	a := open(t, recorded.Options{
		Samples: counting(monday, 1440), Step: time.Minute,
		Instant: monday.Add(8*time.Hour + 59*time.Second), Now: func() time.Time { return now },
	})
	frame, err := a.Collect(t.Context(), 120)
	if err != nil {
		t.Fatal(err)
	}
	want := series.DataFrame{Start: now.Truncate(time.Minute).Add(-2 * time.Minute), Step: time.Minute, Values: []float64{478, 479}}
	if diff := cmp.Diff(want, frame); diff != "" {
		t.Error(diff)
	}
}

func TestCoarserStepIsTheMean(t *testing.T) {
	samples := counting(monday, 60)
	samples = append(samples[:11:11], samples[14:]...) // 11, 12 and 13 were not recorded
	a := open(t, recorded.Options{Samples: samples, Step: 5 * time.Minute, Now: func() time.Time { return monday.Add(20 * time.Minute) }})
	got := collect(t, a, 1500)
	if diff := cmp.Diff([]float64{math.NaN(), 2, 7, math.NaN(), 17}, got, cmpopts.EquateNaNs()); diff != "" {
		t.Error(diff)
	}
}

func TestOutsideTheRecording(t *testing.T) {
	now := monday
	a := open(t, recorded.Options{Samples: counting(monday, 60), Step: time.Minute, Now: func() time.Time { return now }})
	for _, tt := range []struct {
		after        time.Duration
		reason, text string
	}{
		{0, adapters.ReasonNoData, "nothing was recorded between 2024-03-03T23:00:00Z and 2024-03-04T00:00:00Z"},
		{time.Minute, "", ""},
		{time.Hour + 59*time.Second, "", ""},
		{time.Hour + time.Minute, adapters.ReasonEnded, "the recording ended at 2024-03-04T01:00:00Z"},
	} {
		now = monday.Add(tt.after)
		_, err := a.Collect(t.Context(), 3600)
		if got := adapters.Reason(err); got != tt.reason {
			t.Errorf("%v in: Reason(%v) = %q; want %q", tt.after, err, got, tt.reason)
		}
		if tt.reason != "" && (!errors.Is(err, adapters.ErrNoData) || !strings.Contains(err.Error(), tt.text)) {
			t.Errorf("%v in: %v; want %q", tt.after, err, tt.text)
		}
	}
}

func TestImpossibleReplays(t *testing.T) {
	good := recorded.Options{Samples: counting(monday, 60), Step: time.Minute, Now: time.Now}
	for _, tt := range []struct {
		spoil func(*recorded.Options)
		text  string
	}{
		{func(o *recorded.Options) { o.Now = nil }, "clock"},
		{func(o *recorded.Options) { o.Samples = nil }, "two instants"},
		{func(o *recorded.Options) { o.Step = 0 }, "positive whole seconds"},
		{func(o *recorded.Options) { o.Step = 90 * time.Second }, "must be a multiple"},
		{func(o *recorded.Options) { o.Instant = monday.Add(-time.Second) }, "must lie in it"},
		{func(o *recorded.Options) { o.Instant = monday.Add(time.Hour) }, "must lie in it"},
	} {
		o := good
		tt.spoil(&o)
		if _, err := recorded.New(o); err == nil || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("New = %v; want an error with %q", err, tt.text)
		}
	}
}

// A recording that loops goes on with what came a whole number of its weeks
// before, or of its days, and does so again.
func TestLoop(t *testing.T) {
	const day = 24 * 60
	for _, tt := range []struct {
		minutes int // recorded
		past    time.Duration
		want    float64 // of the newest minute
	}{
		{15 * day, -time.Minute, 15*day - 2},            // before the end nothing changes
		{15 * day, 0, 15*day - 1},                       //
		{15 * day, time.Minute, day},                    // fifteen days repeat their last two weeks
		{15 * day, 14*24*time.Hour + time.Minute, day},  // and again
		{15 * day, 3 * 14 * 24 * time.Hour, 15*day - 1}, //
		{2*day + 60, time.Minute, 60},                   // two days and an hour repeat their last two days
		{90, time.Minute, 0},                            // less than a day repeats itself
	} {
		end := monday.Add(time.Duration(tt.minutes) * time.Minute)
		a := open(t, recorded.Options{Samples: counting(monday, tt.minutes), Step: time.Minute, Loop: true, Now: func() time.Time { return end.Add(tt.past) }})
		got := collect(t, a, 120)
		if got[1] != tt.want {
			t.Errorf("%d minutes, %v after the end: the newest is %v; want %v", tt.minutes, tt.past, got[1], tt.want)
		}
	}
}
