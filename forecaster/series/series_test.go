package series_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/kedastral/kedastral/forecaster/series"
)

var nan = math.NaN()

// at is an instant n seconds into the epoch.
func at(seconds int64) time.Time { return time.Unix(seconds, 0).UTC() }

// minutes is a frame of one-minute steps that starts at minute first.
func minutes(first int64, values ...float64) series.DataFrame {
	return series.DataFrame{Start: at(60 * first), Step: time.Minute, Values: values}
}

func equal(t *testing.T, call string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateNaNs(), cmpopts.EquateApprox(0, 1e-9)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", call, diff)
	}
}

func TestAlign(t *testing.T) {
	for _, tt := range []struct {
		seconds int64
		step    time.Duration
		want    int64
	}{
		{0, time.Minute, 0},
		{59, time.Minute, 0},
		{60, time.Minute, 60},
		{-1, time.Minute, -60}, // before the epoch too, down is down
		{-60, time.Minute, -60},
		{3600*24*4 + 5, 7 * time.Second, 345604 / 7 * 7},
	} {
		if got := series.Align(at(tt.seconds), tt.step); !got.Equal(at(tt.want)) {
			t.Errorf("Align(%d, %v) = %d; want %d", tt.seconds, tt.step, got.Unix(), tt.want)
		}
	}
}

func TestBuild(t *testing.T) {
	samples := []series.Sample{
		{at(185), 3},
		{at(60), 1},
		{at(119), 1.5},          // the later one in a step wins
		{at(119), 1.7},          // and of one instant the last given
		{at(61), 9},             // however late it is told
		{at(240), math.Inf(1)},  // no observation
		{at(300), nan},          // nor this
		{at(360), 7},            // the future
		{at(-500), 7},           // before the window
		{time.Unix(1e15, 0), 1}, // absurdly late
	}
	got, err := series.Build(samples, time.Minute, at(30), at(375))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "Build", got, minutes(0, nan, 1.7, nan, 3, nan, nan))

	got, err = series.Span(samples[:8], time.Minute, at(360))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "Span", got, minutes(1, 1.7, nan, 3, nan, nan))
}

func TestBuildRefuses(t *testing.T) {
	for _, step := range []time.Duration{0, -time.Minute, 1500 * time.Millisecond} {
		if _, err := series.Build(nil, step, at(0), at(60)); err == nil {
			t.Errorf("Build(step %v): no error", step)
		}
	}
	if _, err := series.Build(nil, time.Second, at(0), at(1<<40)); err == nil {
		t.Error("Build over 35,000 years: no error")
	}
}

// However samples are shuffled, the frame is the same, and every value in it
// is one of the samples of that very step.
func TestBuildIgnoresOrder(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		samples := make([]series.Sample, rng.IntN(40))
		for i := range samples {
			samples[i] = series.Sample{At: at(int64(i*13 + rng.IntN(13))), Value: rng.NormFloat64()}
		}
		want, err := series.Span(samples, 30*time.Second, at(1e6))
		if err != nil {
			t.Fatal(err)
		}
		rng.Shuffle(len(samples), func(i, j int) { samples[i], samples[j] = samples[j], samples[i] })
		got, err := series.Span(samples, 30*time.Second, at(1e6))
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "Span of shuffled samples", got, want)
		for _, s := range samples {
			if i := got.Index(s.At); i < 0 || i >= got.Len() || !series.Observed(got.Values[i]) {
				t.Fatalf("sample at %v is in no observed step", s.At)
			}
		}
	}
}

func TestWindow(t *testing.T) {
	d := minutes(10, 1, 2, 3)
	equal(t, "inside", d.Window(at(11*60), at(12*60+59)), minutes(11, 2))
	equal(t, "wider", d.Window(at(8*60), at(15*60)), minutes(8, nan, nan, 1, 2, 3, nan, nan))
	equal(t, "apart", d.Window(at(0), at(60)), minutes(0, nan))
	equal(t, "reversed", d.Window(at(660), at(600)).Len(), 0)
}

func TestMerge(t *testing.T) {
	for _, tt := range []struct {
		name             string
		old, newer, want series.DataFrame
	}{
		{"newer wins", minutes(0, 1, 2, 3), minutes(1, 9, 8), minutes(0, 1, 9, 8)},
		{"a gap takes nothing", minutes(0, 1, 2, 3), minutes(1, nan, 8), minutes(0, 1, 2, 8)},
		{"apart", minutes(0, 1), minutes(3, 4), minutes(0, 1, nan, nan, 4)},
		{"earlier", minutes(3, 4), minutes(0, 1), minutes(0, 1, nan, nan, 4)},
		{"onto nothing", minutes(0), minutes(3, 4), minutes(3, 4)},
		{"nothing onto", minutes(3, 4), minutes(0), minutes(3, 4)},
	} {
		got, err := tt.old.Merge(tt.newer)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, tt.name, got, tt.want)
	}
	if _, err := minutes(0, 1).Merge(series.DataFrame{Step: time.Hour, Values: []float64{1}}); err == nil {
		t.Error("Merge of steps 1m and 1h: no error")
	}
}

func TestResample(t *testing.T) {
	d := minutes(4, 9, 1, 3, nan, nan, nan, nan, nan, 7, nan, nan, nan, nan, 5)
	for _, tt := range []struct {
		share float64
		want  []float64
	}{
		{0, []float64{9, 2, 7, 5}},
		{0.4, []float64{nan, 2, nan, nan}},
		{1, []float64{nan, nan, nan, nan}},
	} {
		got, err := d.Resample(5*time.Minute, tt.share)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "Resample", got, series.DataFrame{Start: at(0), Step: 5 * time.Minute, Values: tt.want})
	}
	for _, step := range []time.Duration{30 * time.Second, 90 * time.Second, 0} {
		if _, err := d.Resample(step, 0); err == nil {
			t.Errorf("Resample(%v): no error", step)
		}
	}
	if _, err := d.Resample(time.Hour, nan); err == nil {
		t.Error("Resample(share NaN): no error")
	}
}

func TestMissing(t *testing.T) {
	equal(t, "half", minutes(0, 1, nan, nan, 2).Missing(), 0.5)
	equal(t, "nothing", minutes(0).Missing(), 1.0)
}

func TestInferStep(t *testing.T) {
	for _, tt := range []struct {
		at   []int64
		want time.Duration
	}{
		{[]int64{0, 60, 120, 300}, time.Minute},
		{[]int64{300, 0, 60, 60, 120}, time.Minute}, // in any order, doubled or not
		{[]int64{0, 300, 360}, time.Minute},         // as frequent: the shorter
	} {
		samples := make([]series.Sample, len(tt.at))
		for i, s := range tt.at {
			samples[i].At = at(s)
		}
		if got, err := series.InferStep(samples); err != nil || got != tt.want {
			t.Errorf("InferStep(%v) = %v, %v; want %v", tt.at, got, err, tt.want)
		}
	}
	if _, err := series.InferStep([]series.Sample{{At: at(5)}, {At: at(5)}}); err == nil {
		t.Error("InferStep of one instant: no error")
	}
}
