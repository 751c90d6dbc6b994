package ets

import (
	"math"

	"gonum.org/v1/gonum/mat"
)

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
