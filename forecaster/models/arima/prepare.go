package arima

import (
	"math"

	"github.com/kedastral/kedastral/forecaster/series"
)

// clip is how many standard deviations from the mean a value may lie before
// estimation brings it in. Nothing regular reaches it.
const clip = 10

// prepare fills and clips a copy of a history for estimation. It drops what
// lies before the first observation; gaps is nil where there are none.
func prepare(observed []float64) (y []float64, gaps []bool) {
	first := 0
	for first < len(observed) && !series.Observed(observed[first]) {
		first++
	}
	y = make([]float64, len(observed)-first)
	copy(y, observed[first:])
	for t, v := range y {
		if !series.Observed(v) {
			if gaps == nil {
				gaps = make([]bool, len(y))
			}
			gaps[t] = true
		}
	}
	if gaps != nil {
		join(y, gaps)
	}
	winsorise(y)
	return y, gaps
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

// winsorise brings values beyond clip standard deviations in, again and again
// until none is, because the first spikes hide the later ones. The number of
// passes is bounded; two are the rule.
func winsorise(y []float64) {
	for range 12 {
		low, high := bounds(y)
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

func bounds(y []float64) (low, high float64) {
	mu, _ := mean(y)
	var squares float64
	for _, v := range y {
		squares += (v - mu) * (v - mu)
	}
	reach := clip * math.Sqrt(squares/float64(max(1, len(y))))
	if math.IsInf(reach, 0) || math.IsNaN(reach) {
		return math.Inf(-1), math.Inf(1)
	}
	return mu - reach, mu + reach
}
