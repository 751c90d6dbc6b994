package auto

import "math"

const (
	fewest       = 2  // observed steps below which there is nothing to say
	mostDays     = 21 // days a season looks back
	mostWeeks    = 4  // weeks the weekly curve looks back
	rareZeros    = 0.05
	spikeTimes   = 6
	spikeShare   = 0.015
	fewSpikes    = 15.0
	fewForSpikes = 100
	lossDrop     = 10 // changes a drop to zero must exceed to be a loss
)

// workspace is the scratch memory of one fit or forecast, reused through a
// pool: a fit of a week of minutes needs a few megabytes and keeps kilobytes.
type workspace struct {
	grid   grid
	drop   []bool
	sum, x []float64
	pick   []float64
	count  []int32
	curves curves
	bank   bank

	knots                  []int
	origins                []int
	preds                  []float64 // origin × knot × expert, scaled
	mean                   []float64 // origin × knot, the blend
	base, fitted           []float64
	top                    combiner
	misses                 []miss
	recency                []float64
	moments                []moment
	vintage                vintage
	row, mix, f, errs, law []float64
	target                 []float64 // origin × knot, NaN where not observed
	fit                    ridge
	combine                combiner
}

// grow returns s with length n, keeping its memory where it suffices.
func grow[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n, n+n/8)
	}
	return s[:n]
}

func abs(x float64) float64 { return math.Abs(x) }
