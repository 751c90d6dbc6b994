package models

import (
	"fmt"
	"math"
	"slices"

	"github.com/kedastral/kedastral/shared/forecast"
)

const (
	folds     = 5    // parts that cover for one another when a band is measured
	fewest    = 8    // below so many independent residuals a guess widens the band
	guess     = 0.5  // that guess: how far p90 is from the median, as a share of its size
	quietest  = 0.05 // a spread that grows with the level stops shrinking at this share of the typical level
	exponents = 3    // spread ∝ level^0, ^½, ^1
)

// band is how far the truth strays from a path: per block and level an offset
// in units of the spread at the path's level.
type band struct {
	levels   []float64
	reach    float64     // steps the offsets were learned for
	centres  []float64   // of the blocks, in steps; ascending
	offsets  [][]float64 // [level][block]
	steps    [][]float64 // [level][step], of the trained horizon
	exponent float64     // spread ∝ max(level, least)^exponent
	least    float64
}

// independent is how many residuals of a block are worth counting: forecasts
// that overlap err together, but not wholly.
func (p past) independent(starts, residuals, to int) float64 {
	apart := float64(p.span)/float64(to) + 1
	n := math.Min(float64(starts), float64(residuals))
	return math.Sqrt(n * math.Min(n, apart))
}

// conformal is the residual that a new one stays at or below with probability
// level: the ⌈level·(n+1)⌉-th of n, interpolated (for levels below ½ from the
// other side). A level out of reach of n residuals is reached along the
// exponential tail through the median and the extreme.
func conformal(sorted []float64, level, n float64) float64 {
	if level < 0.5 {
		return -conformalUpper(func(i int) float64 { return -sorted[len(sorted)-1-i] }, len(sorted), 1-level, n)
	}
	return conformalUpper(func(i int) float64 { return sorted[i] }, len(sorted), level, n)
}

func conformalUpper(sorted func(int) float64, size int, level, n float64) float64 {
	if level == 0.5 {
		return 0 // the path is the median
	}
	last := float64(size - 1)
	if rank := level * (n + 1) / n; rank <= 1 {
		at := rank * last
		low := int(at)
		high := min(low+1, size-1)
		return max(0, sorted(low)+(at-float64(low))*(sorted(high)-sorted(low)))
	}
	extreme := max(0, sorted(size-1))
	return extreme * max(1, math.Log(1/(1-level))/math.Log(n+1))
}

// outer is the one of two offsets that is farther from the median.
func outer(a, b, level float64) float64 {
	if level < 0.5 {
		return min(a, b)
	}
	return max(a, b)
}

func logit(p float64) float64 { return math.Log(p / (1 - p)) }

// spread is the unit of the offsets at a level of the path.
func (b *band) spread(level float64) float64 {
	switch b.exponent {
	case 0:
		return 1
	case 0.5:
		return math.Sqrt(max(math.Abs(level), b.least))
	}
	return max(math.Abs(level), b.least)
}

// lay works the offsets of a horizon out once, for all forecasts to come.
func (b *band) lay(horizon int) {
	steps := make([][]float64, len(b.levels))
	for l := range steps {
		steps[l] = make([]float64, horizon)
		for h := range steps[l] {
			steps[l][h] = b.offset(l, h)
		}
	}
	b.steps = steps
}

// offset is one step's, between those of the blocks around it.
func (b *band) offset(level, step int) float64 {
	if level < len(b.steps) && step < len(b.steps[level]) {
		return b.steps[level][step]
	}
	offsets, h := b.offsets[level], float64(step)
	i, _ := slices.BinarySearch(b.centres, h)
	switch {
	case i == 0:
		return offsets[0]
	case i == len(offsets):
		return offsets[i-1] * math.Sqrt(max(1, (h+1)/b.reach)) // farther than trained: like a random walk
	default:
		share := (h - b.centres[i-1]) / (b.centres[i] - b.centres[i-1])
		return offsets[i-1] + share*(offsets[i]-offsets[i-1])
	}
}

// quantiles are the paths of all levels around a path, made to ascend, written
// one after another into room. A number that is not finite ends here.
func (b *band) quantiles(path, room []float64, floor float64) ([]forecast.Quantile, error) {
	if len(b.levels) == 0 {
		return nil, nil
	}
	n := len(path)
	quantiles := make([]forecast.Quantile, len(b.levels))
	spreads := room[len(room)-n:] // the last level takes its place when it no longer matters
	for h, v := range path {
		spreads[h] = b.spread(v)
	}
	var lower []float64
	for l, level := range b.levels {
		values := room[l*n : (l+1)*n : (l+1)*n]
		b.lift(l, values, path, spreads)
		raise(values, lower, floor)
		if err := finite(values); err != nil {
			return nil, fmt.Errorf("quantile %v: %w", level, err)
		}
		quantiles[l] = forecast.Quantile{Level: level, Values: values}
		lower = values
	}
	return quantiles, nil
}

// raise bounds values from below, by those of the lower level where there is one.
func raise(values, lower []float64, floor float64) {
	if lower == nil {
		for h, v := range values {
			if v < floor {
				values[h] = floor
			}
		}
		return
	}
	lower = lower[:len(values)]
	for h, v := range values {
		if least := lower[h]; v < least {
			values[h] = least
		}
	}
}

// lift writes the path raised by one level's offsets into values, which may be
// the spreads.
func (b *band) lift(level int, values, path, spreads []float64) {
	var known []float64
	if level < len(b.steps) {
		known = b.steps[level]
	}
	known = known[:min(len(path), len(known))]
	near, over, into := path[:len(known)], spreads[:len(known)], values[:len(known)]
	for h, offset := range known {
		into[h] = near[h] + offset*over[h]
	}
	for h := len(known); h < len(path); h++ {
		values[h] = path[h] + b.offset(level, h)*spreads[h]
	}
}
