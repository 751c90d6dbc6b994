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
	if n == 0 {
		return false
	}
	b.Levels = w.covered(f, k)
	return true
}

// covered is how the laws at knot k fared, each half of the replay under the
// law of the other.
func (w *workspace) covered(f *fit, k int) []models.LevelScore {
	K, N, n := len(f.knots), len(w.origins), 0.0
	out := make([]models.LevelScore, len(f.asked))
	w.law = grow(w.law, len(f.asked))
	for half := range 2 {
		w.misses = w.collect(w.misses[:0], f, k, half*N/2, (half+1)*N/2, 1)
		conformal(w.law, w.misses, f.asked)
		for i := (1 - half) * N / 2; i < (2-half)*N/2; i++ {
			y, p := w.target[i*K+k], w.mean[i*K+k]
			if math.IsNaN(y) {
				continue
			}
			n++
			width := w.width(f, i, k)
			for l, level := range f.asked {
				q := p + w.law[l]*width
				hit := 0.0
				if y <= q {
					hit = 1
				}
				out[l].Level = level
				out[l].Coverage += (hit - out[l].Coverage) / n
				out[l].Pinball += (pinball(f.scaling.out(y), f.scaling.out(q), level) - out[l].Pinball) / n
			}
		}
	}
	return out
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
