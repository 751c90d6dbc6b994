package ets

import (
	"errors"

	"github.com/kedastral/kedastral/forecaster/models/internal/seasonal"
)

// ErrUnfit is a model that makes no sense of the values it was given.
var ErrUnfit = errors.New("unfit")

// Decompose finds first states for a series: the season's shape by medians,
// and a straight line through the first values less it. Without two whole
// seasons, or for None, there is no season. Fill gaps first.
func Decompose(y []float64, slots seasonal.Slots, kind Component) State {
	var shape []float64
	if kind != None {
		shape = slots.Shape(y, kind == Multiplicative, seasonal.Median)
	}
	return From(y, slots, kind, shape)
}

// From is the straight line through the first values of a series less a
// season's shape, and that shape. Gaps take the value before them.
func From(y []float64, slots seasonal.Slots, kind Component, shape []float64) State {
	rest := joined(y)
	if shape == nil {
		return first(rest)
	}
	for t, v := range rest {
		rest[t] = Adjust(v, shape[slots.Of(t)], kind)
	}
	s := first(rest)
	s.Season = shape
	return s
}

// Adjust takes a season out of a value.
func Adjust(v, season float64, kind Component) float64 {
	if kind == Multiplicative {
		return v / season
	}
	return v - season
}

// lineThrough is how many first values the first level and slope come from.
const lineThrough = 10

// first is the level and slope of a straight line through values.
func first(y []float64) State {
	n := len(y)
	if n < 2 {
		return State{Level: append(y, 0)[0]}
	}
	var sx, sy, sxx, sxy float64
	for i, v := range y[:n] {
		x := float64(i + 1)
		sx, sy, sxx, sxy = sx+x, sy+v, sxx+x*x, sxy+x*v
	}
	slope := (float64(n)*sxy - sx*sy) / (float64(n)*sxx - sx*sx)
	return State{Level: (sy - slope*sx) / float64(n), Trend: slope}
}

// joined is the first values without gaps: each takes the last before it.
func joined(y []float64) []float64 {
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
