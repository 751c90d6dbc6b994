package ets

import (
	"fmt"
	"math"

	"github.com/kedastral/kedastral/forecaster/models"
	"github.com/kedastral/kedastral/forecaster/models/internal/minimize"
	"github.com/kedastral/kedastral/forecaster/models/internal/seasonal"
)

// Fit estimates a model of a series by maximum likelihood: its rates, and the
// first states with them, which is dear and worth it where a series is short.
// NaN is a gap. The search begins with the given first states.
func Fit(y []float64, s Spec, start State, slots seasonal.Slots) (Model, error) {
	seen, need := observed(y), s.free(len(start.Season))+2
	if seen < need {
		return Model{}, fmt.Errorf("fitting ETS %v to %d values: needs %d: %w", s, seen, need, models.ErrTooShort)
	}
	m := begin(s, start, slots).smooth(y, true)
	if s.Season == Multiplicative || s.Error == Multiplicative {
		m = m.jointly(y)
	}
	return m.checked(y)
}

// FitRates estimates the rates alone and takes the first states as they are:
// their weight fades along a series that is long.
func FitRates(y []float64, s Spec, start State, slots seasonal.Slots) (Model, error) {
	if seen := observed(y); seen < 4 {
		return Model{}, fmt.Errorf("fitting ETS %v to %d values: needs 4: %w", s, seen, models.ErrTooShort)
	}
	return begin(s, start, slots).smooth(y, false).checked(y)
}

func observed(y []float64) int {
	n := 0
	for _, v := range y {
		if v == v {
			n++
		}
	}
	return n
}

func begin(s Spec, start State, slots seasonal.Slots) Model {
	m := Model{Spec: s, Start: start.clone(), Slots: slots}
	if s.Trend == None {
		m.Start.Trend = 0
	}
	return m
}

// checked scores a fit and refuses one that makes no sense of its values.
func (m Model) checked(y []float64) (Model, error) {
	m = m.Score(y)
	if math.IsNaN(m.LogLik) || math.IsInf(m.LogLik, -1) {
		return Model{}, fmt.Errorf("fitting ETS %v: the values do not suit it: %w", m.Spec, ErrUnfit)
	}
	return m, nil
}

// smooth estimates the smoothing parameters; where refine is set, the first
// states that suit each of them best come with them.
func (m Model) smooth(y []float64, refine bool) Model {
	errors := record{errors: make([]float64, len(y))}
	trial := func(x []float64) Model {
		t := m
		t.Parameters = m.bind(x)
		if refine {
			t.Start = t.settle(y, errors.errors)
		}
		return t
	}
	var r record
	objective := func(x []float64) float64 {
		f := trial(x).filter()
		r = record{}
		f.run(y, &r)
		return float64(r.n)*math.Log(max(r.squares, tiny)) + 2*r.logs
	}
	x := []float64{0, -2, -2, 2}[:m.variables()]
	best := minimize.Simplex(objective, x, []float64{1, 1, 1, 1}[:len(x)], minimize.Options{Tolerance: m.tolerance(refine), Evaluations: m.evaluations(refine), Restarts: m.restarts(refine)})
	return trial(best.At)
}

func (m Model) tolerance(refine bool) float64 {
	if refine {
		return 1e-8
	}
	return 1e-6
}

func (m Model) restarts(refine bool) int {
	if refine {
		return 1
	}
	return 0
}

func (m Model) evaluations(refine bool) int {
	if refine {
		return 600
	}
	return 25 * m.variables()
}

// jointly polishes parameters and first states at once, for the likelihood of
// multiplied errors is not a sum of squares.
func (m Model) jointly(y []float64) Model {
	k, p := m.states(), m.variables()
	trial := func(x []float64) Model {
		t := m
		t.Parameters = m.bind(x[:p])
		t.Start = m.Start.clone()
		for j := range k {
			m.move(&t.Start, j, x[p+j])
		}
		return t
	}
	objective := func(x []float64) float64 {
		t := trial(x)
		if !m.usable(t.Start) {
			return math.Inf(1)
		}
		var r record
		t.filter().run(y, &r)
		return float64(r.n)*math.Log(max(r.squares, tiny)) + 2*r.logs
	}
	x, steps := make([]float64, p+k), make([]float64, p+k)
	m.unbind(x[:p])
	for i := range x {
		steps[i] = 0.3
		if i >= p {
			_, by := m.moved(i - p)
			steps[i] = 50 * by
		}
	}
	best := minimize.Simplex(objective, x, steps, minimize.Options{Tolerance: 1e-9, Evaluations: 1200 * len(x), Restarts: 4})
	return trial(best.At)
}

// Forecast continues a series by h steps.
func (m Model) Forecast(y []float64, h int) []float64 {
	f := m.filter()
	f.run(y, &record{})
	out := make([]float64, h)
	for i := range out {
		out[i] = f.expect(i + 1)
	}
	return out
}
