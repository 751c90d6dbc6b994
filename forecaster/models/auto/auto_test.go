package auto_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/kedastral/kedastral/forecaster/features"
	"github.com/kedastral/kedastral/forecaster/models"
	"github.com/kedastral/kedastral/forecaster/models/auto"
	"github.com/kedastral/kedastral/forecaster/models/modeltest"
)

var (
	monday = time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	levels = []float64{0.5, 0.75, 0.9, 0.95, 0.99}
	nan    = math.NaN()
)

func newModel(o models.Options) models.Model { return auto.New(o) }

func TestContract(t *testing.T) { modeltest.Run(t, newModel) }

// Any bytes read as a history give a sane forecast or models.ErrTooShort.
func FuzzModel(f *testing.F) { modeltest.Fuzz(f, newModel) }

// noise is a deterministic stand-in for chance, even in (-1, 1).
func noise(i int) float64 {
	x := uint64(i)*0x9E3779B97F4A7C15 + 0x1234567
	x = (x ^ x>>31) * 0xBF58476D1CE4E5B9
	x = (x ^ x>>27) * 0x94D049BB133111EB
	return float64((x^x>>31)>>11)/(1<<52) - 1
}

// frame is n steps from Monday midnight.
func frame(n int, step time.Duration, horizon int, at func(i int) float64) features.Frame {
	f := features.Frame{Start: monday, Step: step, Horizon: horizon, Observed: make([]float64, n)}
	for i := range f.Observed {
		f.Observed[i] = at(i)
	}
	return f
}

// wave is a daily wave of five-minute steps around 1000 with a little noise.
func wave(i int) float64 {
	return 1000 * (1 + 0.5*math.Sin(2*math.Pi*float64(i)/288)) * (1 + 0.02*noise(i))
}

func forecast(t *testing.T, f features.Frame) models.Forecast {
	t.Helper()
	m := auto.New(models.Options{Levels: levels})
	if err := m.Train(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	got, err := m.Predict(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// within fails where a path leaves want by more than the tolerance's share.
func within(t *testing.T, what string, got []float64, want func(h int) float64, tolerance float64) {
	t.Helper()
	for h, v := range got {
		if w := want(h); math.Abs(v-w) > tolerance*math.Abs(w) {
			t.Errorf("%s: step %d is %.4g; want %.4g within %v", what, h, v, w, tolerance)
			return
		}
	}
}

func TestFollows(t *testing.T) {
	const n = 8*288 + 80 // twenty to seven in the morning, past the peak of the wave
	for _, tt := range []struct {
		name      string
		at        func(i int) float64
		tolerance float64
	}{
		{"a daily wave", wave, 0.05},
		{"a shifted level, with the old shape", func(i int) float64 {
			if i > n-36 {
				return 3 * wave(i)
			}
			return wave(i)
		}, 0.12},
		{"a wave with yesterday's outage", func(i int) float64 {
			if i > n-330 && i < n-250 {
				return nan
			}
			return wave(i)
		}, 0.05},
		{"a wave with spikes × 1000", func(i int) float64 {
			if i%401 == 5 || i == n-3 {
				return 1000 * wave(i)
			}
			return wave(i)
		}, 0.06},
		{"a wave on weekdays", func(i int) float64 {
			if d := i / 288 % 7; d == 5 || d == 6 {
				return 300
			}
			return wave(i)
		}, 0.1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := frame(n, 5*time.Minute, 12, tt.at)
			within(t, "median", forecast(t, f).Values, func(h int) float64 { return tt.at(n + h) }, tt.tolerance)
		})
	}
}

// From the second day on yesterday's shape is known, and that today is three
// times yesterday.
func TestSecondDay(t *testing.T) {
	for _, tt := range []struct {
		step  time.Duration
		n     int
		horiz int
	}{
		{5 * time.Minute, 288 + 60, 12}, // five hours into it
		{5 * time.Minute, 288 + 180, 12},
		{time.Hour, 24 + 5, 6},
		{time.Hour, 24 + 15, 6},
	} {
		day := int(24 * time.Hour / tt.step)
		at := func(i int) float64 {
			v := wave(i * 288 / day)
			if i >= day {
				v *= 3
			}
			return v
		}
		got := forecast(t, frame(tt.n, tt.step, tt.horiz, at))
		within(t, "step "+tt.step.String(), got.Values, func(h int) float64 { return at(tt.n + h) }, 0.3)
	}
}

// Two observations are no trend: half an hour ahead the forecast is still near
// them.
func TestTwoPointsAreNoTrend(t *testing.T) {
	got := forecast(t, frame(2, time.Minute, 30, func(i int) float64 { return 100 + 10*float64(i) }))
	if end := got.Values[29]; end > 160 {
		t.Errorf("half an hour after 100 and 110: %.0f; want near 110", end)
	}
}

// While nothing is observed what is known fades: the band six hours into an
// outage is wider than the one before it.
func TestOutageWidens(t *testing.T) {
	const n, hole = 10 * 288, 72
	level := 0.0
	drift := make([]float64, n+hole)
	for i := range drift {
		level += 0.03 * noise(i)
		level *= 0.995
		drift[i] = level
	}
	width := func(hole int) float64 {
		got := forecast(t, frame(n, 5*time.Minute, 12, func(i int) float64 {
			if i >= n-hole {
				return nan
			}
			return wave(i) * (1 + drift[i])
		}))
		return got.Quantiles[slices.Index(levels, 0.95)].Values[11] / got.Values[11]
	}
	if before, in := width(0)-1, width(hole)-1; in < 1.2*before {
		t.Errorf("95 %% of the load is at most %.1f %% above the median an hour ahead, and %.1f %% six hours into an outage; want it wider", 100*before, 100*in)
	}
}

// Weekdays and weekends, seen from Friday night: with eight days of history,
// one Saturday among them, the model thinks it likely that this one is quiet
// too, and with four weeks it knows.
func TestKnowsTheWeekend(t *testing.T) {
	const end = 26 * 24 // Friday's
	at := func(i int) float64 {
		base := 1000 + 500*math.Sin(2*math.Pi*float64(i%24)/24)
		if d := i / 24 % 7; d >= 5 {
			base *= 0.4
		}
		return base * (1 + 0.02*noise(i))
	}
	for _, tt := range []struct {
		days int
		most float64 // of the error that another Friday would be
	}{{26, 0.15}, {8, 0.75}} {
		from := end - 24*tt.days
		f := frame(24*tt.days, time.Hour, 24, func(i int) float64 { return at(from + i) })
		f.Start = f.Start.Add(time.Duration(from) * f.Step)
		missed, friday := 0.0, 0.0
		for h, v := range forecast(t, f).Values {
			missed += math.Abs(v - at(end+h))
			friday += math.Abs(at(end+h-24) - at(end+h))
		}
		if missed > tt.most*friday {
			t.Errorf("%d days: Saturday is missed by %.2f of its distance from Friday; want %v at most", tt.days, missed/friday, tt.most)
		}
	}
}

// A queue that a job fills every hour, with three hours of history: no day has
// been seen, yet the next peaks are known.
func TestLearnsTheHourBeforeTheDay(t *testing.T) {
	at := func(i int) float64 {
		if i%60 < 4 {
			return 400 + 10*noise(i)
		}
		return 100 + 5*noise(i)
	}
	got := forecast(t, frame(5*60+30, time.Minute, 60, at))
	if peak, calm := got.Values[31], got.Values[10]; peak < 2*calm {
		t.Errorf("at the full hour %.0f, between %.0f; want the hourly peak", peak, calm)
	}
}

// A steady service whose metric reads zero: for a moment that is a lost metric
// that comes back, after most of a day it may well not; either way the load is
// there still, and what a plan is made from stays prepared for it.
func TestLostMetric(t *testing.T) {
	for _, zeros := range []int{1, 2, 60, 110} {
		n := 8 * 288
		f := frame(n, 5*time.Minute, 12, func(i int) float64 {
			if i >= n-zeros {
				return 0
			}
			return wave(i)
		})
		got := forecast(t, f)
		for h, tail := range got.Quantiles[slices.Index(levels, 0.95)].Values {
			if want := wave(n + h); tail < 0.8*want {
				t.Errorf("%d zeros: 95 %% of the load is at or below %.0f in step %d; want it near %.0f", zeros, tail, h, want)
				break
			}
		}
		if back := got.Values[11] > 500; back != (zeros < 12) {
			t.Errorf("%d zeros: median %.0f in an hour; a short loss ends, a long one goes on", zeros, got.Values[11])
		}
	}
}

// Zeros that come back every night are demand.
func TestNightlyZerosAreDemand(t *testing.T) {
	at := func(i int) float64 {
		if s := i % 288; s < 10 {
			return 0
		}
		return wave(i)
	}
	n := 8 * 288
	for h, v := range forecast(t, frame(n, 5*time.Minute, 8, at)).Values {
		if v > 100 {
			t.Errorf("step %d of a nightly pause is %.0f; want about 0", h, v)
		}
	}
}

// The local day has 23 or 25 hours when clocks change; a peak at eight stays
// at eight.
func TestPeaksFollowTheLocalClock(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip("no zone data:", err)
	}
	for _, change := range []time.Time{
		time.Date(2026, time.March, 29, 1, 0, 0, 0, time.UTC),
		time.Date(2026, time.October, 25, 1, 0, 0, 0, time.UTC),
	} {
		f := features.Frame{Start: change.Add(-10*24*time.Hour - time.Hour), Step: 30 * time.Minute, Horizon: 24}
		f.Calendar.Location = berlin
		load := func(i int) float64 {
			if f.Start.Add(time.Duration(i)*f.Step).In(berlin).Hour() == 8 {
				return 1000 + noise(i)
			}
			return 100 + noise(i)
		}
		for i := range 2 * (10*24 + 2) {
			f.Observed = append(f.Observed, load(i))
		}
		got := forecast(t, f).Values
		for h, v := range got {
			if want := load(len(f.Observed) + h); (v > 500) != (want > 500) {
				t.Errorf("%v: step %d is %.0f; want %.0f", change, h, v, want)
			}
		}
	}
}

// With the noise it was told of, a law holds what it promises.
func TestCoverage(t *testing.T) {
	for _, tt := range []struct {
		name  string
		steps int
		want  [2]float64 // least and most coverage of the 90 % level
	}{
		{"after ten days", 10 * 288, [2]float64{0.85, 0.95}},
		{"after three hours", 36, [2]float64{0.82, 1}},
	} {
		hits, count := 0.0, 0.0
		for trial := range 30 {
			at := func(i int) float64 { return wave(i+7*trial) * (1 + 0.1*noise(1000*trial+i)) }
			f := frame(tt.steps, 5*time.Minute, 12, at)
			for h, q := range forecast(t, f).Quantiles[slices.Index(levels, 0.9)].Values {
				count++
				if at(tt.steps+h) <= q {
					hits++
				}
			}
		}
		if got := hits / count; got < tt.want[0] || got > tt.want[1] {
			t.Errorf("%s: the 90 %% level held %.3f; want %v", tt.name, got, tt.want)
		}
	}
}

// A forecast between fits starts from the newest value, not from the fit's.
func TestRefreshSeesTheNewest(t *testing.T) {
	f := frame(8*288, 5*time.Minute, 6, func(i int) float64 { return 1000 + noise(i) })
	m := auto.New(models.Options{Levels: levels})
	if err := m.Train(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	f.Start = f.Start.Add(6 * f.Step)
	f.Observed = append(slices.Clone(f.Observed[6:]), 2000, 2000, 2000, 2000, 2000, 2000)
	got, err := m.Predict(t.Context(), f)
	if err != nil || got.Values[0] < 1500 {
		t.Errorf("after six steps at 2000: %v, %v; want the new level", got.Values, err)
	}
}

func TestStepMustBeTheTrainedOne(t *testing.T) {
	m := auto.New(models.Options{})
	if err := m.Train(t.Context(), frame(600, time.Minute, 5, wave)); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Predict(t.Context(), frame(600, time.Hour, 5, wave)); err == nil {
		t.Error("a frame of another step: no error")
	}
}
