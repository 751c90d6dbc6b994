package arima

import (
	"math"

	"gonum.org/v1/gonum/floats"
)

// shortcut is the forecast of a process with a short memory, worked out once
// when it is fitted. All of it is linear: the newest shocks are weighted sums
// of the newest values, and each step of the path is a weighted sum of both.
// It says what filtering the newest values and running the recursion on from
// them says, up to what is left of shocks that are as good as forgotten.
type shortcut struct {
	pi       []float64   // weights of the newest values in the newest shock, oldest first
	offset   float64     // to add to that
	level    [][]float64 // by steps back from the newest value: its weight in each step of the path
	shock    [][]float64 // likewise of the shocks
	constant []float64   // of each step
}

// shortcut works the recursion out for a horizon.
func (r *recursion) shortcut(horizon int) *shortcut {
	s := &shortcut{pi: r.inverse(), constant: r.impulse(horizon, -1, -1)}
	for lag := range longestOf(r.level) {
		s.level = append(s.level, r.impulse(horizon, lag, -1))
	}
	for lag := range longestOf(r.shock) {
		s.shock = append(s.shock, r.impulse(horizon, -1, lag))
	}
	for _, v := range r.response() {
		s.offset -= v * r.constant
	}
	return s
}

// inverse are the weights of values in the newest shock: the process's own
// polynomial over that of its shocks, as far as these remember.
func (r *recursion) inverse() []float64 {
	response := r.response()
	pi := make([]float64, len(response)+longestOf(r.level))
	for j, v := range response {
		pi[len(pi)-1-j] += v
		for _, k := range r.level {
			pi[len(pi)-1-j-k.lag] += v * k.c
		}
	}
	return pi
}

// impulse is the path after a single 1: the value or the shock so many steps
// back from the newest, or the recursion's constant where both are negative.
func (r *recursion) impulse(horizon, value, shock int) []float64 {
	before := r.reach()
	levels, shocks := make([]float64, before+horizon), make([]float64, before+horizon)
	one := recursion{level: r.level, shock: r.shock}
	switch {
	case value >= 0:
		levels[before-1-value] = 1
	case shock >= 0:
		shocks[before-1-shock] = 1
	default:
		one.constant = r.constant
	}
	for t := before; t < len(levels); t++ {
		levels[t] = one.expect(levels, shocks, t)
	}
	return levels[before:]
}

// path forecasts from the end of a history into path. It reports false where
// the history is too short for that, has a gap at its end, or the path is
// longer than was worked out.
func (s *shortcut) path(observed, path []float64) bool {
	n := len(observed)
	if n < len(s.pi)+len(s.shock) || n < len(s.level) || len(path) > len(s.constant) {
		return false
	}
	copy(path, s.constant)
	for lag, weights := range s.level {
		floats.AddScaled(path, observed[n-1-lag], weights[:len(path)])
	}
	for lag, weights := range s.shock {
		end := n - lag
		floats.AddScaled(path, s.offset+floats.Dot(s.pi, observed[end-len(s.pi):end]), weights[:len(path)])
	}
	return len(path) == 0 || math.Abs(path[0]) <= math.MaxFloat64 // what is not finite is a gap
}

func longestOf(terms []term) int {
	if len(terms) == 0 {
		return 0
	}
	return terms[len(terms)-1].lag
}
