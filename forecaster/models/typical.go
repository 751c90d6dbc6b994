package models

import (
	"math"
	"slices"

	"github.com/kedastral/kedastral/forecaster/series"
)

// typicalSize is the median size of an observation, or the mean where that is
// zero; 0 of nothing.
func typicalSize(values []float64) float64 {
	sizes := make([]float64, 0, len(values))
	mean := 0.0
	for _, v := range values {
		if series.Observed(v) {
			sizes = append(sizes, math.Abs(v))
			mean += (math.Abs(v) - mean) / float64(len(sizes))
		}
	}
	if len(sizes) == 0 {
		return 0
	}
	slices.Sort(sizes)
	if median := sizes[len(sizes)/2]; median > 0 {
		return median
	}
	return mean
}
