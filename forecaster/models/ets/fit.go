package ets

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"

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

// variables is how many numbers the search over smoothing parameters has:
// always in the order alpha, beta, gamma, phi.
func (m Model) variables() int {
	switch {
	case m.Damped:
		return 4
	case m.Season != None:
		return 3
	case m.Trend != None:
		return 2
	}
	return 1
}

// Bounds of the parameters, those R uses.
const (
	least, most         = 1e-4, 0.9999
	dampLeast, dampMost = 0.8, 0.98
)

// bind maps the search's variables into the bounds.
func (m Model) bind(x []float64) Parameters {
	share := func(i int) float64 {
		if i >= len(x) {
			return 0
		}
		return 1 / (1 + math.Exp(-x[i]))
	}
	p := Parameters{Alpha: least + (most-least)*share(0), Phi: 1}
	if m.Trend != None {
		p.Beta = least + (p.Alpha-least)*share(1)
	}
	if m.Season != None {
		p.Gamma = least + max(0, 1-p.Alpha-least)*share(2)
	}
	if m.Damped {
		p.Phi = dampLeast + (dampMost-dampLeast)*share(3)
	}
	return p
}

// settle is the first states with the least squared errors for the model's
// parameters. Errors depend on them linearly where everything adds up, and one
// Gauss-Newton step is exact; elsewhere it is a good step.
func (m Model) settle(y, errors []float64) State {
	steps := 1
	if m.Season == Multiplicative || m.Error == Multiplicative {
		steps = 2
	}
	for range steps {
		next, ok := m.settleOnce(y, errors)
		if !ok {
			break
		}
		m.Start = next
	}
	return m.Start
}

func (m Model) settleOnce(y, errors []float64) (State, bool) {
	base := make([]float64, len(y))
	m.errorsAt(m.Start, y, base)
	k := m.states()
	jac := mat.NewDense(len(y), k, nil)
	for j := range k {
		moved, by := m.moved(j)
		m.errorsAt(moved, y, errors)
		for t := range y {
			if d := (errors[t] - base[t]) / by; d == d && !math.IsInf(d, 0) {
				jac.Set(t, j, d)
			}
		}
	}
	for t, e := range base {
		if e != e {
			base[t] = 0
		}
	}
	var normal mat.SymDense
	normal.SymOuterK(1, jac.T())
	for j := range k {
		normal.SetSym(j, j, normal.At(j, j)*(1+1e-9)+1e-300)
	}
	var chol mat.Cholesky
	var right, delta mat.VecDense
	right.MulVec(jac.T(), mat.NewVecDense(len(base), base))
	if !chol.Factorize(&normal) || chol.SolveVecTo(&delta, &right) != nil {
		return State{}, false
	}
	next := m.Start.clone()
	for j := range k {
		m.move(&next, j, -delta.AtVec(j))
	}
	return next, m.usable(next)
}

func (m Model) errorsAt(s State, y, errors []float64) {
	m.Start = s
	m.filter().run(y, &record{errors: errors})
}

// states is how many first states are free: the season's last slot balances
// the others.
func (m Model) states() int {
	n := 1
	if m.Trend != None {
		n++
	}
	if m.Season != None {
		n += len(m.Start.Season) - 1
	}
	return n
}

// moved is the start with free state j moved by a small step.
func (m Model) moved(j int) (State, float64) {
	s := m.Start.clone()
	by := 1e-4 * (math.Abs(s.Level) + 1)
	if slot := j - m.states() + len(s.Season) - 1; m.Season == Multiplicative && slot >= 0 {
		by = 1e-4
	}
	m.move(&s, j, by)
	return s, by
}

// move adds to free state j and keeps the season balanced.
func (m Model) move(s *State, j int, by float64) {
	switch {
	case j == 0:
		s.Level += by
	case j == 1 && m.Trend != None:
		s.Trend += by
	default:
		slot := j - 1
		if m.Trend != None {
			slot--
		}
		s.Season[slot] += by
		s.Season[len(s.Season)-1] -= by
	}
}

// usable refuses states that no positive series could have.
func (m Model) usable(s State) bool {
	for _, v := range append([]float64{s.Level, s.Trend}, s.Season...) {
		if v != v || math.IsInf(v, 0) {
			return false
		}
	}
	if m.Season != Multiplicative && m.Error != Multiplicative {
		return true
	}
	for _, v := range s.Season {
		if m.Season == Multiplicative && v <= 0 {
			return false
		}
	}
	return s.Level > 0
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

// unbind is the inverse of bind.
func (m Model) unbind(x []float64) {
	set := func(i int, v, low, high float64) {
		if i < len(x) {
			share := max(1e-6, min(1-1e-6, (v-low)/max(high-low, 1e-12)))
			x[i] = math.Log(share / (1 - share))
		}
	}
	set(0, m.Alpha, least, most)
	set(1, m.Beta, least, m.Alpha)
	set(2, m.Gamma, least, 1-m.Alpha)
	set(3, m.Phi, dampLeast, dampMost)
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
