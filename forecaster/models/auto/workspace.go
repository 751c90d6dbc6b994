package auto

import (
	"math"
	"sync"

	"github.com/kedastral/kedastral/forecaster/models/internal/order"
)

// workspace is the scratch memory of one fit or forecast. A fit of a week of
// minutes works in a few megabytes and keeps a few kilobytes, so workspaces are
// shared; nothing in one outlives a call.
type workspace struct {
	grid   grid
	far    []float64 // how far values are from their neighbours, …
	ratio  []float64 // … and relative to them
	sum    []float64
	x, x2  []float64 // detrended: by a day, by a cycle
	days   slots
	places slots
	curves curves
	bank   bank

	vintage vintage
	moments []moment  // per origin
	origins []int     // first unknown step of each forecast of the replay
	preds   []float64 // origin × knot × expert
	roots   []float32 // origin × knot × expert, √|error| where there is one
	target  []float64 // origin × knot, NaN where nothing was observed
	base    []float64 // origin × knot, the blend
	fitted  []float64 // origin × knot, the blend corrected
	mean    []float64 // origin × knot, the mix of both
	pending []int     // per knot, the first origin whose outcome is not learnt yet
	blend   combiner
	top     combiner // of blend and blend corrected
	fit     ridge

	fade    []float64 // per origin, what is left of the errors before it
	share   []float64 // per origin, what its errors count for now
	recency []float64 // per origin, what its misses count for
	misses  []order.Weighted
	errs    []float64
	swing   []float64 // per origin
	sizes   []float64 // origin × knot
	stray   []float64 // place in the hour × hour
	seen    []int     // per place in the hour
	row     []float64
	weight  []float64
	feature []float64
	common  []order.Weighted
	law     []float64

	wave       []float64
	correlator correlator
}

// pool holds workspaces between calls. It is a cache: what comes out of it is
// never read before it is written.
var pool = sync.Pool{New: func() any { return new(workspace) }}

// grow returns s with length n, keeping its memory where it suffices.
func grow[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n, n+n/8)
	}
	return s[:n]
}

func abs(x float64) float64 { return math.Abs(x) }

func dot(a, b []float64) float64 {
	sum := 0.0
	for i, x := range a {
		sum += x * b[i]
	}
	return sum
}
