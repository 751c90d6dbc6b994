package modeltest

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/kedastral/kedastral/forecaster/features"
	"github.com/kedastral/kedastral/forecaster/models"
	"github.com/kedastral/kedastral/forecaster/series"
)

var nan = math.NaN()

// refusable is how many observations a model may ask for before it learns at
// all.
const refusable = 30

// history is one that hurts.
type history struct {
	name  string
	frame features.Frame
}

// frame is a history from a Monday midnight.
func frame(step time.Duration, horizon, n int, at func(i int) float64) features.Frame {
	f := features.Frame{Start: time.Unix(1_700_438_400, 0).UTC(), Step: step, Horizon: horizon, Observed: make([]float64, n)}
	for i := range f.Observed {
		f.Observed[i] = at(i)
	}
	return f
}

// days is a tame history: a noisy daily wave of five-minute steps.
func days(n int) features.Frame {
	return wave(n*288, features.Frame{Step: 5 * time.Minute, Horizon: 12})
}

func wave(n int, like features.Frame) features.Frame {
	return frame(like.Step, like.Horizon, n, func(i int) float64 { return 100 + 40*daily(i, 288) + 5*noise(i) })
}

// daily is a wave of one period, between −1 and 1.
func daily(i, period int) float64 { return math.Sin(2 * math.Pi * float64(i) / float64(period)) }

// noise is even between 0 and 1, the same on every run.
func noise(i int) float64 {
	x := math.Sin(float64(i)*12.9898+4.1414) * 43758.5453
	return x - math.Floor(x)
}

// histories are those that a model must survive.
func histories() []history {
	minute := func(n, horizon int, at func(i int) float64) features.Frame { return frame(time.Minute, horizon, n, at) }
	value := func(i int) float64 { return 100 + 40*daily(i, 1440) + 5*noise(i) }
	out := []history{
		{"one point", minute(1, 5, func(int) float64 { return 7 })},
		{"two points", minute(2, 5, func(i int) float64 { return float64(7 + i) })},
		{"one point among gaps", minute(300, 5, func(i int) float64 { return pick(i == 100, 7, nan) })},
		{"constant", minute(1440, 30, func(int) float64 { return 42 })},
		{"all zero", minute(1440, 30, func(int) float64 { return 0 })},
		{"negative", minute(3*1440, 30, func(i int) float64 { return -value(i) })},
		{"three hours", minute(180, 60, value)},
		{"shorter than a season", minute(900, 30, value)},
		{"just longer than a season", minute(1500, 30, value)},
		{"half missing", minute(4*1440, 30, func(i int) float64 { return pick(noise(i*3) < 0.5, nan, value(i)) })},
		{"nights missing", minute(4*1440, 30, func(i int) float64 { return pick(i%1440 < 480, nan, value(i)) })},
		{"outage to now", minute(3*1440, 30, func(i int) float64 { return pick(i > 3*1440-400, nan, value(i)) })},
		{"outage of half the history to now", minute(2*1440, 30, func(i int) float64 { return pick(i > 1440, nan, value(i)) })},
		{"outage after three points", minute(1440, 30, func(i int) float64 { return pick(i > 2, nan, value(i)) })},
		{"last steps missing", minute(2*1440, 30, func(i int) float64 { return pick(i > 2*1440-4, nan, value(i)) })},
		{"spikes ×1000", minute(3*1440, 30, func(i int) float64 { return pick(i%700 == 699, 1000*value(i), value(i)) })},
		{"spike at the end", minute(3*1440, 30, func(i int) float64 { return pick(i == 3*1440-1, 1000*value(i), value(i)) })},
		{"level shift", minute(3*1440, 30, func(i int) float64 { return pick(i > 2*1440, 10, 1) * value(i) })},
		{"mostly zero", minute(3*1440, 30, func(i int) float64 { return pick(i%97 == 0, 50*noise(i), 0) })},
		{"zero but for one", minute(3*1440, 30, func(i int) float64 { return pick(i == 2000, 5, 0) })},
		{"around zero", minute(3*1440, 30, func(i int) float64 { return 10*daily(i, 1440) + noise(i) - 0.5 })},
		{"growing", minute(2*1440, 60, func(i int) float64 { return float64(i) })},
		{"tiny", minute(2*1440, 30, func(i int) float64 { return 1e-12 * value(i) })},
		{"huge", minute(2*1440, 30, func(i int) float64 { return 1e15 * value(i) })},
		{"infinities are gaps", minute(2*1440, 30, func(i int) float64 { return pick(i%50 == 7, math.Inf(1-i%4), value(i)) })},
		{"horizon longer than history", minute(50, 200, value)},
	}
	for _, step := range []time.Duration{15 * time.Second, time.Minute, 5 * time.Minute, 7 * time.Minute, 30 * time.Minute, time.Hour, 6 * time.Hour, 24 * time.Hour, 36 * time.Hour} {
		perDay := int(24 * time.Hour / step)
		f := frame(step, 24, max(60, min(5000, 10*perDay)), func(i int) float64 { return 100 + 40*daily(i, max(perDay, 2)) + 5*noise(i) })
		out = append(out, history{"step " + step.String(), f})
	}
	return append(out, clocks()...)
}

// clocks are histories and horizons that the clocks are changed in, in zones
// that differ from UTC by whole steps and by parts of them.
func clocks() []history {
	var out []history
	for _, c := range []struct {
		name, zone string
		start      time.Time
	}{
		{"clocks go forward in the horizon", "Europe/Berlin", time.Date(2026, time.March, 8, 23, 0, 0, 0, time.UTC)},
		{"clocks go back in the horizon", "Europe/Berlin", time.Date(2026, time.October, 4, 22, 0, 0, 0, time.UTC)},
		{"clocks go forward in the history", "Europe/Berlin", time.Date(2026, time.March, 20, 23, 0, 0, 0, time.UTC)},
		{"clocks go back in the history", "Europe/Berlin", time.Date(2026, time.October, 20, 22, 0, 0, 0, time.UTC)},
		{"clocks go back half an hour", "Australia/Lord_Howe", time.Date(2026, time.March, 20, 13, 0, 0, 0, time.UTC)},
		{"a zone off by 45 minutes", "Asia/Kathmandu", time.Date(2026, time.March, 20, 0, 0, 0, 0, time.UTC)},
	} {
		location, err := time.LoadLocation(c.zone)
		if err != nil {
			continue // no zones on this machine
		}
		for _, step := range []time.Duration{30 * time.Minute, time.Hour} {
			perDay := int(24 * time.Hour / step)
			f := frame(step, 2*perDay, 21*perDay, func(i int) float64 { return 100 + 40*daily(i, perDay) })
			f.Start, f.Calendar.Location = c.start, location
			out = append(out, history{c.name + ", step " + step.String(), f})
		}
	}
	return out
}

func pick(first bool, a, b float64) float64 {
	if first {
		return a
	}
	return b
}

// survives asks for a sane forecast; a short history may be refused instead.
func survives(t *testing.T, newModel New, h history) {
	m := newModel(options())
	if refused(t, m.Train(t.Context(), h.frame), h.frame) {
		return
	}
	got := predict(t, m, h.frame)
	low, high := extremes(h.frame.Observed)
	reach := 10 * max(high-low, math.Abs(high), math.Abs(low))
	for i, v := range got.Values {
		if v < low-reach || v > high+reach {
			t.Errorf("step %d is %v after a history between %v and %v", i, v, low, high)
			break
		}
	}
	if scored, ok := m.(models.Scored); ok {
		checkScore(t, scored.Score(), h.frame)
	}
}

// refused reports whether a training error was in order and says how much there
// was or is needed; one that does not fails the test.
func refused(t *testing.T, err error, f features.Frame) bool {
	t.Helper()
	n := 0
	for _, v := range f.Observed {
		if series.Observed(v) {
			n++
		}
	}
	switch {
	case err == nil:
		return false
	case n >= refusable || !errors.Is(err, models.ErrTooShort) || !strings.ContainsAny(err.Error(), "0123456789"):
		t.Fatalf("Train on %d observations: %v; want a forecast, or ErrTooShort with numbers", n, err)
	}
	return true
}

func extremes(values []float64) (low, high float64) {
	low, high = math.Inf(1), math.Inf(-1)
	for _, v := range values {
		if series.Observed(v) {
			low, high = min(low, v), max(high, v)
		}
	}
	return low, high
}
