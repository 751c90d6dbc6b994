package modeltest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/kedastral/kedastral/forecaster/models"
)

func untrained(t *testing.T, newModel New) {
	m := newModel(options())
	if m.Name() == "" {
		t.Error("Name is empty")
	}
	if _, err := m.Predict(t.Context(), days(2)); !errors.Is(err, models.ErrUntrained) {
		t.Errorf("Predict before Train: %v; want ErrUntrained", err)
	}
}

func nothing(t *testing.T, newModel New) {
	for _, n := range []int{0, 1, 500} {
		f := frame(5*time.Minute, 12, n, func(int) float64 { return nan })
		if err := newModel(options()).Train(t.Context(), f); !errors.Is(err, models.ErrTooShort) {
			t.Errorf("Train on %d gaps: %v; want ErrTooShort", n, err)
		}
	}
}

func deterministic(t *testing.T, newModel New) {
	f, m := days(3), newModel(options())
	first := must(t, m, f)
	same(t, "predicting twice", predict(t, m, f), first, 0)
	must(t, m, frame(time.Minute, 30, 500, func(i int) float64 { return float64(i % 7) }))
	same(t, "trained on something else in between", must(t, m, f), first, 0)
	same(t, "another of the same", must(t, newModel(options()), f), first, 0)
}

func inputAlone(t *testing.T, newModel New) {
	f := days(3)
	for i := range 40 {
		f.Observed[i*7] = nan
	}
	before := append([]float64(nil), f.Observed...)
	must(t, newModel(options()), f)
	same(t, "the history after training and predicting", f.Observed, before, 0)
}

func keepsFit(t *testing.T, newModel New) {
	f, m := days(3), newModel(options())
	want := must(t, m, f)
	empty := f
	empty.Observed = nil
	if err := m.Train(t.Context(), empty); !errors.Is(err, models.ErrTooShort) {
		t.Errorf("Train on nothing: %v; want ErrTooShort", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := m.Train(ctx, f.Before(200)); !errors.Is(err, context.Canceled) {
		t.Errorf("Train with a cancelled context: %v; want context.Canceled", err)
	}
	same(t, "the forecast after a training that failed", predict(t, m, f), want, 0)
}

func cancelled(t *testing.T, newModel New) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := newModel(options()).Train(ctx, days(3)); !errors.Is(err, context.Canceled) {
		t.Errorf("Train: %v; want context.Canceled", err)
	}
}

func noLevels(t *testing.T, newModel New) {
	f, m := days(2), newModel(models.Options{})
	if err := m.Train(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	got, err := m.Predict(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	checkShape(t, got, f, nil)
}

// later predicts from newer histories than the trained one, one that slides
// along and one that grows.
func later(t *testing.T, newModel New) {
	f, m := days(3), newModel(options())
	must(t, m, f)
	newer := wave(len(f.Observed)+50, f)
	predict(t, m, newer)
	newer.Observed, newer.Start = newer.Observed[50:], newer.Start.Add(50*newer.Step)
	predict(t, m, newer)
	for i := range 30 { // the source went away
		newer.Observed[len(newer.Observed)-1-i] = nan
	}
	predict(t, m, newer)
}

func longerHorizon(t *testing.T, newModel New) {
	f, m := days(3), newModel(options())
	must(t, m, f)
	for _, horizon := range []int{1, 5, 40, len(f.Observed) + 100} {
		f.Horizon = horizon
		predict(t, m, f)
	}
}

// scale asks that the unit of the metric does not matter.
func scale(t *testing.T, newModel New) {
	f := days(3)
	want := must(t, newModel(options()), f)
	const factor = 1024
	for i := range f.Observed {
		f.Observed[i] *= factor
	}
	got := must(t, newModel(options()), f)
	for h, v := range got.Values {
		got.Values[h] = v / factor
	}
	for _, q := range got.Quantiles {
		for h, v := range q.Values {
			q.Values[h] = v / factor
		}
	}
	same(t, "the forecast of 1024 times the history, divided by 1024", got, want, 1e-3)
}

func constant(t *testing.T, newModel New) {
	for _, level := range []float64{0, 42} {
		f := frame(5*time.Minute, 24, 3*288, func(int) float64 { return level })
		got := must(t, newModel(options()), f)
		for h, v := range got.Values {
			if low, high := got.Quantiles[0].Values[h], got.Quantiles[5].Values[h]; !near(v, level) || !near(low, level) || !near(high, level) {
				t.Errorf("constant %v: step %d is %v, between %v and %v", level, h, v, low, high)
				break
			}
		}
	}
}

// near is within a hundredth.
func near(got, want float64) bool { return got >= want*0.99 && got <= want*1.01 }

func neverNegative(t *testing.T, newModel New) {
	f := frame(5*time.Minute, 36, 4*288, func(i int) float64 {
		return max(0, 3*daily(i, 288)+2*noise(i)-1)
	})
	f.Observed[len(f.Observed)-1] = 0
	must(t, newModel(options()), f) // checkShape knows the rule
}

func negative(t *testing.T, newModel New) {
	f := frame(5*time.Minute, 12, 3*288, func(i int) float64 { return -100 + 20*daily(i, 288) + noise(i) })
	for h, v := range must(t, newModel(options()), f).Values {
		if v >= 0 {
			t.Errorf("step %d of a metric between -120 and -80 is %v", h, v)
		}
	}
}
