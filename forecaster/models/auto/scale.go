package auto

import (
	"math"

	"github.com/kedastral/kedastral/forecaster/series"
)

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
func measure(values []float64) scaling {
	s := scaling{unit: 1}
	var mean, seen float64
	for _, v := range values {
		if series.Observed(v) {
			s.signed = s.signed || v < 0
			seen++
			mean += abs(v)/seen - mean/seen
		}
	}
	if mean > 0 {
		s.unit = mean
	}
	s.usual = usualChange(values, s)
	s.spike, s.ratio = spikeBounds(values, s)
	return s
}
