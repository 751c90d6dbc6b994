package models

import (
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

// calibrate learns a band from a replay, and how it fared on parts left out.
// Of the three ways a spread may depend on the level the one with the least
// pinball loss there wins.
func calibrate(p past, levels []float64) (band, []measurement) {
	exponent, measured, least := 0.0, p.measure(levels, 0), math.Inf(1)
	for e := range exponents {
		tried, loss := p.measure(levels, float64(e)/2), 0.0
		for _, m := range tried {
			loss += m.pinball
		}
		if loss < least*(1-1e-9) {
			exponent, measured, least = float64(e)/2, tried, loss
		}
	}
	return p.band(levels, exponent, -1), measured
}

// band takes the offsets from all outcomes but those of one fold; -1 leaves
// none out.
func (p past) band(levels []float64, exponent float64, without int) band {
	b := band{levels: levels, exponent: exponent, least: quietest * p.typical, reach: float64(p.bounds[len(p.bounds)-1])}
	if b.least <= 0 {
		b.exponent = 0
	}
	residuals := make([][]float64, len(p.bounds)-1)
	var starts int
	seen := make([]bool, p.origins)
	for _, o := range p.outcomes {
		if without >= 0 && p.fold(o) == without {
			continue
		}
		residuals[o.block] = append(residuals[o.block], (o.truth-o.forecast)/b.spread(o.forecast))
		if !seen[o.origin] {
			seen[o.origin] = true
			starts++
		}
	}
	for i, r := range residuals {
		slices.Sort(r)
		b.centres = append(b.centres, float64(p.bounds[i]+p.bounds[i+1]-1)/2)
	}
	for _, level := range levels {
		b.offsets = append(b.offsets, p.offsets(level, residuals, starts, b))
	}
	return b
}

// fold is the part of the replay an outcome belongs to: neighbours in time
// are alike, so parts are whole stretches of it.
func (p past) fold(o outcome) int { return o.origin * min(folds, p.origins) / p.origins }

// offsets is one level's offset in every block. A block the replay never
// reached grows from the one before it like a random walk.
func (p past) offsets(level float64, residuals [][]float64, starts int, b band) []float64 {
	offsets := make([]float64, len(residuals))
	unit := guess * p.typical / b.spread(p.typical) * logit(level) / logit(0.9)
	for i, r := range residuals {
		if len(r) == 0 {
			offsets[i] = unit
			if i > 0 {
				offsets[i] = offsets[i-1] * math.Sqrt((b.centres[i]+1)/(b.centres[i-1]+1))
			}
			continue
		}
		n := p.independent(starts, len(r), p.bounds[i+1])
		offsets[i] = conformal(r, level, n)
		if n < fewest {
			offsets[i] = outer(offsets[i], unit*(1-n/fewest), level)
		}
	}
	return offsets
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

// at is the quantile of one step, interpolated between the blocks' centres.
func (b *band) at(level, step int, path, floor float64) float64 {
	return max(floor, path+b.offset(level, step)*b.spread(path))
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

// quantiles are the paths of all levels around a path, made to ascend.
func (b *band) quantiles(path []float64, floor float64) []forecast.Quantile {
	quantiles, all := make([]forecast.Quantile, len(b.levels)), make([]float64, len(b.levels)*len(path))
	for l, level := range b.levels {
		quantiles[l] = forecast.Quantile{Level: level, Values: all[l*len(path) : (l+1)*len(path) : (l+1)*len(path)]}
	}
	for h, v := range path {
		spread, least := b.spread(v), floor
		for l := range quantiles {
			least = max(least, v+b.offset(l, h)*spread)
			quantiles[l].Values[h] = least
		}
	}
	return quantiles
}
