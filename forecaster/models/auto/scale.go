package auto

import (
	"math"

	"github.com/kedastral/kedastral/forecaster/series"
)

const tiny = 1e-300 // the least unit: its reciprocal and all it divides stay finite

// scaling turns the metric's unit into the one experts work in and back. The
// square root makes the noise of counts even across levels; a metric that
// goes below zero keeps its own shape.
type scaling struct {
	unit   float64 // mean magnitude of the history, > 0
	signed bool    // some observation was negative: no root, no clamp
	usual  float64 // median change between steps, scaled
	spike  float64 // distance from both neighbours that makes a lone value a spike, 0 if none does
	ratio  float64 // the same relative to the neighbours
}

func (s scaling) in(v float64) float64 {
	v /= s.unit
	switch {
	case s.signed:
		return v
	case v < 0:
		return -math.Sqrt(-v)
	}
	return math.Sqrt(v)
}

func (s scaling) out(z float64) float64 {
	if !s.signed {
		z = max(z, 0)
		z *= z
	}
	return min(max(z*s.unit, -math.MaxFloat64), math.MaxFloat64)
}

// measure finds the scaling of the observed values.
func (w *workspace) measure(values []float64) scaling {
	s := scaling{unit: 1}
	s.unit, s.signed = magnitude(values)
	s.usual = w.usualChange(values, s)
	s.spike, s.ratio = w.spikeBounds(values, s)
	return s
}

// magnitude is the mean magnitude of the observed values, 1 where it is zero,
// and whether one is negative.
func magnitude(values []float64) (mean float64, signed bool) {
	sum, seen := 0.0, 0
	for _, v := range values {
		if series.Observed(v) {
			sum += abs(v)
			seen++
			signed = signed || v < 0
		}
	}
	switch {
	case sum == 0:
		return 1, signed
	case sum <= math.MaxFloat64:
		return max(sum/float64(seen), tiny), signed
	}
	mean = 0 // the sum is beyond what a number holds, the mean is not
	for _, v := range values {
		if series.Observed(v) {
			mean += abs(v) / float64(seen)
		}
	}
	return mean, signed
}
