package models

import (
	"math"

	"github.com/kedastral/kedastral/forecaster/models/internal/order"
	"github.com/kedastral/kedastral/forecaster/series"
)

// typicalSize is the median size of an observation, or the mean where that is
// zero; 0 of nothing.
func typicalSize(values []float64) float64 {
	sizes := make([]float64, len(values))
	mean, n := 0.0, 0.0
	for i, v := range values {
		sizes[i] = math.Abs(v)
		if series.Observed(v) {
			n++
			mean += (sizes[i] - mean) / n
		}
	}
	if m := median(sizes); m > 0 {
		return m
	}
	return mean
}

// median is the middle observation; 0 of none.
func median(values []float64) float64 {
	observed := observedOf(values)
	if len(observed) == 0 {
		return 0
	}
	return order.Nth(observed, len(observed)/2)
}

// observedOf leaves the gaps out.
func observedOf(values []float64) []float64 {
	out := make([]float64, 0, len(values))
	for _, v := range values {
		if series.Observed(v) {
			out = append(out, v)
		}
	}
	return out
}
