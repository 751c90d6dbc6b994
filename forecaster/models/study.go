package models

import (
	"math"
	"slices"
)

// study is a replay in units of one spread: its residuals are sorted once, and
// a band learned without one fold picks the others out of them.
type study struct {
	past
	levels []float64
	shape  band         // without offsets
	sorted [][]residual // by block, ascending
	starts [folds]int   // origins that anything came of, by fold
	picked [][]float64  // by block, room for what a band is learned from
}

type residual struct {
	value float64
	fold  int8
}

// calibrate learns a band from a replay, and how it fared on parts left out.
// Of the three ways a spread may depend on the level the one with the least
// pinball loss there wins.
func calibrate(p past, levels []float64) (band, []measurement) {
	var best study
	var measured []measurement
	least := math.Inf(1)
	for e := range exponents {
		s := p.study(levels, float64(e)/2)
		tried, loss := s.measure(), 0.0
		for _, m := range tried {
			loss += m.pinball
		}
		better := loss < least*(1-1e-9)
		if e == 0 || better {
			best, measured = s, tried
		}
		if better {
			least = loss
		}
		if s.shape.exponent < float64(e)/2 {
			break // nothing has a size: all ways are one
		}
	}
	return best.band(-1), measured
}

// study sorts the residuals in units of a spread ∝ level^exponent.
func (p past) study(levels []float64, exponent float64) study {
	s := study{past: p, levels: levels, shape: band{
		levels: levels, exponent: exponent, least: quietest * p.typical, reach: float64(p.bounds[len(p.bounds)-1]),
	}}
	if s.shape.least <= 0 {
		s.shape.exponent = 0
	}
	blocks := len(p.bounds) - 1
	for i := range blocks {
		s.shape.centres = append(s.shape.centres, float64(p.bounds[i]+p.bounds[i+1]-1)/2)
	}
	s.sorted, s.picked = make([][]residual, blocks), make([][]float64, blocks)
	counts, last := make([]int, blocks), -1
	for _, o := range p.outcomes {
		counts[o.block]++
	}
	for i, n := range counts {
		s.sorted[i], s.picked[i] = make([]residual, 0, n), make([]float64, 0, n)
	}
	for _, o := range p.outcomes { // in the order of their origins
		fold := p.fold(o)
		s.sorted[o.block] = append(s.sorted[o.block], residual{(o.truth - o.forecast) / s.shape.spread(o.forecast), int8(fold)})
		if o.origin != last {
			last = o.origin
			s.starts[fold]++
		}
	}
	for _, block := range s.sorted {
		slices.SortFunc(block, func(a, b residual) int {
			switch {
			case a.value < b.value:
				return -1
			case a.value > b.value:
				return 1
			}
			return 0
		})
	}
	return s
}

// fold is the part of the replay an outcome belongs to: neighbours in time
// are alike, so parts are whole stretches of it.
func (p past) fold(o outcome) int { return o.origin * min(folds, p.origins) / p.origins }

// band takes the offsets from all outcomes but those of one fold; -1 leaves
// none out.
func (s *study) band(without int) band {
	starts := 0
	for fold, n := range s.starts {
		if fold != without {
			starts += n
		}
	}
	for i, block := range s.sorted {
		picked := s.picked[i][:0]
		for _, r := range block {
			if int(r.fold) != without {
				picked = append(picked, r.value)
			}
		}
		s.picked[i] = picked
	}
	b := s.shape
	b.offsets = make([][]float64, len(s.levels))
	for l, level := range s.levels {
		b.offsets[l] = s.offsets(level, starts)
	}
	return b
}

// offsets is one level's offset in every block, from what was picked. A block
// the replay never reached grows from the one before it like a random walk.
func (s *study) offsets(level float64, starts int) []float64 {
	centres := s.shape.centres
	offsets := make([]float64, len(s.picked))
	unit := guess * s.typical / s.shape.spread(s.typical) * logit(level) / logit(0.9)
	for i, r := range s.picked {
		if len(r) == 0 {
			offsets[i] = unit
			if i > 0 {
				offsets[i] = offsets[i-1] * math.Sqrt((centres[i]+1)/(centres[i-1]+1))
			}
			continue
		}
		n := s.independent(starts, len(r), s.bounds[i+1])
		offsets[i] = conformal(r, level, n)
		if n < fewest {
			offsets[i] = outer(offsets[i], unit*(1-n/fewest), level)
		}
	}
	return offsets
}

// measurement sums what became of one level in one block.
type measurement struct{ covered, pinball float64 }

// measure tries bands on the fold each was learned without; per block and
// level, levels fastest.
func (s *study) measure() []measurement {
	sums := make([]measurement, (len(s.bounds)-1)*len(s.levels))
	if len(s.levels) == 0 {
		return sums
	}
	laid := make([]float64, len(s.levels)*s.bounds[len(s.bounds)-1])
	at := 0
	for fold := range min(folds, s.origins) {
		b := s.band(fold)
		s.lay(b, laid)
		for ; at < len(s.outcomes) && s.fold(s.outcomes[at]) == fold; at++ {
			o := s.outcomes[at]
			spread := b.spread(o.forecast)
			for l, level := range s.levels {
				q := max(s.floor, o.forecast+laid[o.step*len(s.levels)+l]*spread)
				m := &sums[o.block*len(s.levels)+l]
				if o.truth <= q {
					m.covered++
				}
				m.pinball += max(level*(o.truth-q), (level-1)*(o.truth-q))
			}
		}
	}
	return sums
}

// lay puts a band's offsets at the steps that are scored into laid, levels
// fastest.
func (s *study) lay(b band, laid []float64) {
	for i := range len(s.bounds) - 1 {
		for _, step := range knots(s.bounds[i], s.bounds[i+1]) {
			for l := range s.levels {
				laid[step*len(s.levels)+l] = b.offset(l, step)
			}
		}
	}
}
