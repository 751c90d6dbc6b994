// Package clean makes a history fit to estimate on: gaps joined by straight
// lines, and values far outside the bulk brought in to its edge.
//
// It is for estimation only. A forecast starts from what was observed, as
// nobody knows yet whether the newest value is a spike or the new level.
package clean

import (
	"math"

	"gonum.org/v1/gonum/floats"

	"github.com/kedastral/kedastral/forecaster/series"
)

// Reach is how many standard deviations from the mean a value may lie.
// Nothing regular comes near it.
const Reach = 10

// History is a cleaned copy of a history.
type History struct {
	Values []float64
	Gaps   []bool // true where a value was filled in; nil where none was
	First  int    // index of the first value in the original: the first observation
	Seen   int    // observations
}

// Prepare drops what lies before the first observation, fills and clips.
func Prepare(observed []float64) History {
	var h History
	for h.First < len(observed) && !series.Observed(observed[h.First]) {
		h.First++
	}
	h.Values = append(h.Values, observed[h.First:]...)
	h.Seen = len(h.Values)
	for t, v := range h.Values {
		if !series.Observed(v) {
			if h.Gaps == nil {
				h.Gaps = make([]bool, len(h.Values))
			}
			h.Gaps[t] = true
			h.Seen--
		}
	}
	if h.Gaps != nil {
		join(h.Values, h.Gaps)
	}
	winsorise(h.Values)
	return h
}

// join fills gaps by straight lines, and the end by its last value.
func join(y []float64, gaps []bool) {
	last := 0
	for t := 1; t < len(y); t++ {
		if gaps[t] {
			continue
		}
		for k := last + 1; k < t; k++ {
			share := float64(k-last) / float64(t-last)
			y[k] = y[last]*(1-share) + y[t]*share
		}
		last = t
	}
	for k := last + 1; k < len(y); k++ {
		y[k] = y[last]
	}
}

// winsorise brings values in, again and again until none lies outside, because
// the first spikes hide the later ones. The number of passes is bounded; two
// are the rule.
func winsorise(y []float64) {
	for range 12 {
		low, high := Bounds(y)
		clipped := false
		for t, v := range y {
			if v < low || v > high {
				y[t] = max(low, min(high, v))
				clipped = true
			}
		}
		if !clipped {
			return
		}
	}
}

// Bounds are the mean less and plus Reach standard deviations.
func Bounds(y []float64) (low, high float64) {
	n := float64(len(y))
	mean := floats.Sum(y) / n
	var squares float64
	for _, v := range y {
		squares += (v - mean) * (v - mean)
	}
	reach := Reach * math.Sqrt(squares/n)
	if math.IsInf(reach, 0) || math.IsNaN(reach) {
		return math.Inf(-1), math.Inf(1)
	}
	return mean - reach, mean + reach
}
