package ets

import (
	"errors"
	"slices"
)

// ErrUnfit: a model that makes no sense of the values it was given.
var ErrUnfit = errors.New("unfit")

// Decompose finds first states for a series: each slot's season is the median
// of what its values are above (for Additive; times, for Multiplicative) the
// centred average over one whole season, balanced to a mean of nothing. slots
// is the length of the season in slots of hold steps; 0 is no season, and what
// fewer than two seasons get. NaN is not allowed; fill gaps first.
func Decompose(y []float64, slots, hold int, kind Component) State {
	if slots < 2 || len(y) < 2*slots*hold || kind == None {
		return first(y)
	}
	width := slots * hold
	trend := Average(y, width)
	values := make([][]float64, slots)
	for i, c := range trend {
		t := i + width/2
		v := y[t] - c
		if kind == Multiplicative {
			v = y[t] / c
		}
		slot := t / hold % slots
		values[slot] = append(values[slot], v)
	}
	season := make([]float64, slots)
	for i, v := range values {
		slices.Sort(v)
		season[i] = (v[(len(v)-1)/2] + v[len(v)/2]) / 2
	}
	balance(season, kind)
	rest := make([]float64, min(len(y), width))
	for t := range rest {
		rest[t] = Adjust(y[t], season[t/hold%slots], kind)
	}
	s := first(rest)
	s.Season = season
	return s
}

// Adjust takes a season out of a value.
func Adjust(v, season float64, kind Component) float64 {
	if kind == Multiplicative {
		return v / season
	}
	return v - season
}

// balance makes seasons average to nothing: 0 added, or 1 multiplied.
func balance(season []float64, kind Component) {
	var mean float64
	for _, v := range season {
		mean += v / float64(len(season))
	}
	for i := range season {
		if kind == Multiplicative && mean != 0 {
			season[i] /= mean
		} else if kind == Additive {
			season[i] -= mean
		}
	}
}

// Average is the centred moving average over width values, half of each end
// where width is even; element i is centred on y[i + width/2].
func Average(y []float64, width int) []float64 {
	half := width / 2
	if len(y) < 2*half+1 {
		return nil
	}
	out := make([]float64, 0, len(y)-2*half)
	var sum float64
	for _, v := range y[:width] {
		sum += v
	}
	for t := half; t+half < len(y); t++ {
		centre := sum
		if width%2 == 0 {
			centre += (y[t+half] - y[t-half]) / 2
		}
		out = append(out, centre/float64(width))
		if next := t - half + width; next < len(y) {
			sum += y[next] - y[t-half]
		}
	}
	return out
}

// first is the level and slope of a straight line through the first values.
func first(y []float64) State {
	n := min(len(y), 10)
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
