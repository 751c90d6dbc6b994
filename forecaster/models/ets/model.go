package ets

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/kedastral/kedastral/forecaster/features"
	"github.com/kedastral/kedastral/forecaster/models"
	"github.com/kedastral/kedastral/forecaster/models/internal/clean"
	"github.com/kedastral/kedastral/forecaster/models/internal/seasonal"
)

const (
	window  = 3000 // newest steps the rates are estimated on, or two seasons where those are longer
	seasons = 14   // newest seasons the shape of the season is taken from
	fewest  = 10   // observations; below that the last value is repeated

	// strong is the share of the variance that makes a season certain. AICc
	// looks one step ahead, where even a certain season gains little.
	strong = 0.64
	// positive is how far above zero, in means, values must stay for a season
	// to multiply.
	positive = 0.05
)

// New makes the model that chooses among the exponential smoothing models by
// AICc.
func New(o models.Options) *models.Calibrated {
	return models.Calibrate(func() models.Method { return &method{name: "ets", choose: every} }, o)
}

// NewHoltWinters makes the additive method of Holt and Winters with a damped
// trend and a daily season; without two whole days of history, Holt's damped
// trend alone.
func NewHoltWinters(o models.Options) *models.Calibrated {
	return models.Calibrate(func() models.Method { return &method{name: "holt-winters", choose: holtWinters} }, o)
}

type method struct {
	name   string
	choose func(History) []Spec
	Track
}

func (m *method) Name() string { return m.name }

// History is a history laid out for estimation.
type History struct {
	Values []float64 // NaN at gaps: the newest part, for the rates
	Start  time.Time
	Slots  seasonal.Slots // Count is 0 without a season; its phase is that of Values
	Shapes map[Component][]float64
	Strong bool // the season is certain
	Seen   int
}

// Lay lays a history out: cleaned, the shapes of its season found over all of
// it, and the newest part to estimate the rates on.
func Lay(f features.Frame) History {
	slots := seasonal.Daily(f.Start, f.Step)
	h := clean.Prepare(f.Observed[max(0, len(f.Observed)-seasons*max(slots.Width(), window/2)):])
	began := f.Origin().Add(-time.Duration(len(h.Values)) * f.Step)
	slots = seasonal.Daily(began, f.Step)
	out := History{Seen: h.Seen, Shapes: map[Component][]float64{}}
	if slots.Count > 0 && len(h.Values) >= 2*slots.Width() {
		out.Shapes[Additive] = slots.Shape(h.Values, false, seasonal.Median)
		if floor(h.Values) {
			out.Shapes[Multiplicative] = slots.Shape(h.Values, true, seasonal.Median)
		}
		out.Strong = seasonal.Strength(h.Values, slots.Width()) > strong
	} else {
		slots = seasonal.Slots{}
	}
	cut := max(0, len(h.Values)-max(window, 2*slots.Width()))
	if slots.Count > 0 {
		slots.Phase = (slots.Phase + cut) % slots.Width()
	}
	out.Slots, out.Start, out.Values = slots, began.Add(time.Duration(cut)*f.Step), h.Values[cut:]
	if h.Gaps != nil {
		for t, gap := range h.Gaps[cut:] {
			if gap {
				out.Values[t] = math.NaN()
			}
		}
	}
	return out
}

// floor reports whether all values stay well above zero.
func floor(y []float64) bool {
	least, mean := math.Inf(1), 0.0
	for _, v := range y {
		least = min(least, v)
		mean += v / float64(len(y))
	}
	return least > positive*mean && least > 0
}

func (m *method) Fit(ctx context.Context, frame features.Frame) error {
	h := Lay(frame)
	best := still(h)
	if h.Seen >= fewest {
		found := false
		for _, s := range m.choose(h) {
			if err := ctx.Err(); err != nil {
				return fmt.Errorf("estimating ETS %v: %w", s, err)
			}
			fitted, err := h.Fit(s)
			if err == nil && (!found || fitted.AICc < best.AICc) {
				best, found = fitted, true
			}
		}
	}
	m.Track = NewTrack(best, h.Start, frame.Step)
	return nil
}

// Fit estimates one model of the history.
func (h History) Fit(s Spec) (Model, error) {
	shape := h.Shapes[s.Season]
	slots := h.Slots
	if shape == nil {
		s.Season, slots = None, seasonal.Slots{}
	}
	return Fit(h.Values, s, From(observedStart(h.Values), slots, s.Season, shape), slots)
}

// observedStart is the first values without gaps: each takes the last before it.
func observedStart(y []float64) []float64 {
	out := make([]float64, min(len(y), lineThrough))
	last := 0.0
	for _, v := range y {
		if v == v {
			last = v
			break
		}
	}
	for t := range out {
		if y[t] == y[t] {
			last = y[t]
		}
		out[t] = last
	}
	return out
}

// still is the model that repeats the last value.
func still(h History) Model {
	m := Model{Spec: Spec{Error: Additive, Trend: None, Season: None}, Parameters: Parameters{Alpha: 1, Phi: 1}}
	m.Start.Level = observedStart(h.Values)[0]
	return m
}

func holtWinters(History) []Spec {
	return []Spec{{Error: Additive, Trend: Additive, Season: Additive, Damped: true}}
}

// every lists the models worth comparing on a history: with a certain season
// the seasonal ones, without a season the others.
func every(h History) []Spec {
	plain := []Spec{
		{Error: Additive, Trend: None, Season: None}, {Error: Additive, Trend: Additive, Season: None, Damped: true},
	}
	if h.Slots.Count == 0 {
		return plain
	}
	out := []Spec{
		{Error: Additive, Trend: None, Season: Additive}, {Error: Additive, Trend: Additive, Season: Additive, Damped: true},
	}
	if h.Shapes[Multiplicative] != nil {
		out = append(out, Spec{Error: Multiplicative, Trend: None, Season: Multiplicative},
			Spec{Error: Multiplicative, Trend: Additive, Season: Multiplicative, Damped: true})
	}
	if !h.Strong {
		out = append(out, plain...)
	}
	return out
}
