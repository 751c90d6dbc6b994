package auto

import (
	"slices"
	"time"

	"github.com/kedastral/kedastral/forecaster/features"
	"github.com/kedastral/kedastral/forecaster/series"
)

const (
	rareZeros = 0.05 // share of zeros up to which a zero can be a lost metric
	lossDrop  = 10   // usual changes that a drop to zero must exceed to be one
)

// losses marks zeros that are a lost metric and not demand: a sudden exact
// zero where the level before was many times the usual change between steps,
// that does not recur at the same time of another day, in a history that
// hardly ever is zero. A run longer than a day is a workload that was switched
// off, and stands.
func losses(drop []bool, f features.Frame, s scaling) []bool {
	n := len(f.Observed)
	drop = grow(drop, n)
	clear(drop)
	if s.signed || !rarelyZero(f.Observed) {
		return drop
	}
	day := max(1, int(24*time.Hour/f.Step))
	for i := 1; i < n; i++ {
		if f.Observed[i] != 0 || !(f.Observed[i-1] > 0) {
			continue
		}
		j := i
		for j < n && !(f.Observed[j] > 0) {
			j++
		}
		level := s.in(f.Observed[i-1])
		if j-i <= day && level > lossDrop*s.usual && !recurs(f.Observed, i, j, day) {
			for k := i; k < j; k++ {
				drop[k] = true
			}
		}
		i = j
	}
	return drop
}

// rarelyZero reports whether some values are zero, but few.
func rarelyZero(values []float64) bool {
	zeros, seen := 0, 0
	for _, v := range values {
		if series.Observed(v) {
			seen++
			if v == 0 {
				zeros++
			}
		}
	}
	return zeros > 0 && float64(zeros) <= rareZeros*float64(seen)
}

// usualChange is the median magnitude of a step's change, scaled, between
// values above zero.
func usualChange(values []float64, s scaling) float64 {
	d := make([]float64, 0, min(len(values), 2048))
	stride := len(values)/2048 + 1
	for i := 1; i < len(values); i += stride {
		if values[i] > 0 && values[i-1] > 0 {
			d = append(d, abs(s.in(values[i])-s.in(values[i-1])))
		}
	}
	if len(d) == 0 {
		return 0
	}
	slices.Sort(d)
	return d[len(d)/2]
}

// recurs reports whether another day is zero around the time of [i, j) too.
func recurs(values []float64, i, j, day int) bool {
	const near = 2 // steps of tolerance
	for _, shift := range []int{-7 * day, -2 * day, -day, day, 2 * day, 7 * day} {
		for k := max(0, i+shift-near); k < min(len(values), j+shift+near); k++ {
			if values[k] == 0 {
				return true
			}
		}
	}
	return false
}
