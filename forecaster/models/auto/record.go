package auto

import (
	"math"
	"slices"

	"github.com/kedastral/kedastral/forecaster/features"
	"github.com/kedastral/kedastral/forecaster/models"
	"github.com/kedastral/kedastral/forecaster/series"
)

// record is how the replay fared. A block ends at a knot and speaks for the
// steps since the knot before, measured at the knot.
func (w *workspace) record(f *fit, frame features.Frame) models.Score {
	s := models.Score{Origins: len(w.origins), Scale: inSample(frame.Observed, w.grid.day, f.scaling.unit)}
	from := 0
	for k, to := range f.knots {
		if b := (models.BlockScore{From: from, To: to}); w.block(&b, f, k) {
			s.Blocks = append(s.Blocks, b)
			from = to
		}
	}
	if len(s.Blocks) == 0 {
		return models.Score{Scale: s.Scale}
	}
	w.cover(f, s.Blocks)
	return s
}

// block fills a block with the record at knot k, reporting whether there is one.
func (w *workspace) block(b *models.BlockScore, f *fit, k int) bool {
	K, E, n := len(f.knots), len(f.experts), 0.0
	seasonal := max(0, slices.Index(f.experts, expert{dayAgo, raw, 0})) // else the last value, the first expert
	for i := range w.origins {
		j := i*K + k
		if math.IsNaN(w.target[j]) {
			continue
		}
		n++
		y, row := f.scaling.out(w.target[j]), w.preds[j*E:(j+1)*E]
		b.MAE += (abs(y-f.scaling.out(w.mean[j])) - b.MAE) / n
		b.LastValueMAE += (abs(y-f.scaling.out(row[0])) - b.LastValueMAE) / n
		b.SeasonalMAE += (abs(y-f.scaling.out(row[seasonal])) - b.SeasonalMAE) / n
	}
	return n > 0
}

// cover fills in how the laws fared at the levels asked for, each half of the
// replay under the laws of the other.
func (w *workspace) cover(f *fit, blocks []models.BlockScore) {
	N, L := len(w.origins), len(f.levels)
	w.law, w.row = grow(w.law, len(f.knots)*L), grow(w.row, len(f.asked))
	counts := make([]float64, len(blocks))
	for i := range blocks {
		blocks[i].Levels = make([]models.LevelScore, len(f.asked))
		for l, level := range f.asked {
			blocks[i].Levels[l].Level = level
		}
	}
	for half := range 2 {
		w.laws(f, w.law, half*N/2, (half+1)*N/2)
		for i := range blocks {
			k := slices.Index(f.knots, blocks[i].To)
			for l, level := range f.asked {
				w.row[l] = w.law[k*L+slices.Index(f.levels, level)]
			}
			w.judge(f, k, w.row, (1-half)*N/2, (2-half)*N/2, blocks[i].Levels, &counts[i])
		}
	}
}

// judge takes into levels how a law of as many quantiles fared at knot k of
// origins [first, end); n counts the outcomes so far.
func (w *workspace) judge(f *fit, k int, law []float64, first, end int, levels []models.LevelScore, n *float64) {
	K := len(f.knots)
	for i := first; i < end; i++ {
		y, p := w.target[i*K+k], w.mean[i*K+k]
		if math.IsNaN(y) {
			continue
		}
		*n++
		width := w.width(f, i, k)
		for l := range levels {
			s := &levels[l]
			q := p + law[l]*width
			hit := 0.0
			if y <= q {
				hit = 1
			}
			s.Coverage += (hit - s.Coverage) / *n
			s.Pinball += (pinball(f.scaling.out(y), f.scaling.out(q), s.Level) - s.Pinball) / *n
		}
	}
}

// inSample is the mean absolute change over a day, or from step to step where
// the history holds no day, of values of about a unit's size.
func inSample(v []float64, day int, unit float64) float64 {
	for _, lag := range [2]int{day, 1} {
		sum, n := 0.0, 0.0
		for i := lag; i < len(v); i++ {
			if change := abs(v[i]/unit - v[i-lag]/unit); series.Observed(change) {
				sum += change
				n++
			}
		}
		if n > 0 {
			return min(sum/n*unit, math.MaxFloat64)
		}
	}
	return 0
}
