package auto

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/kedastral/kedastral/forecaster/models/internal/order"
)

const (
	missDays = 3  // half-life of misses
	ample    = 60 // independent misses that need no widening
)

// calibrate sets the law of the misses at every knot from the replay: the
// conformal quantiles of what the ensemble of each time missed, newest counting
// most, in the unit of the spread that fits best.
func (w *workspace) calibrate(f *fit) {
	w.recency = grow(w.recency, len(w.origins))
	for i, o := range w.origins {
		w.recency[i] = math.Exp2(-float64(w.grid.n-o) / float64(missDays*w.grid.day))
	}
	if f.seasonal {
		w.chooseSpread(f)
	} else {
		f.growth = w.growth(f)
	}
	L := len(f.levels)
	f.law = make([]float64, len(f.knots)*L)
	if !f.seasonal {
		w.coldLaws(f)
	}
	for k := range f.knots {
		law := f.law[k*L : (k+1)*L]
		if f.seasonal {
			w.misses = w.collect(w.misses[:0], f, k, 0, len(w.origins), 1)
			conformal(law, w.misses, f.levels)
			law[slices.Index(f.levels, 0.5)] = 0
		}
		widen(law, f.levels, w.evidence(f, k))
	}
}

// coldLaws sets the laws where misses are few: those of all knots serve every
// one, brought to its distance, and each also the other way round, as a load
// that only rose so far may fall. Half of their median stays: load that drifted
// off drifts on.
func (w *workspace) coldLaws(f *fit) {
	L := len(f.levels)
	pooled := f.law[:L] // at a distance of one step, which the first knot has
	w.misses = w.misses[:0]
	for k, h := range f.knots {
		w.misses = w.collect(w.misses, f, k, 0, len(w.origins), math.Pow(float64(h), -f.growth))
	}
	conformal(pooled, w.misses, f.levels)
	middle := slices.Index(f.levels, 0.5)
	drift := pooled[middle] / 2
	for _, m := range w.misses {
		w.misses = append(w.misses, order.Weighted{Value: -m.Value, Weight: m.Weight})
	}
	conformal(pooled, w.misses, f.levels)
	pooled[middle] = drift
	for k, h := range f.knots[1:] {
		ratio := math.Pow(float64(h), f.growth)
		for j, q := range pooled {
			f.law[(k+1)*L+j] = q * ratio
		}
	}
}

// collect appends the misses at knot k of origins [from, to), times ratio.
func (w *workspace) collect(to []order.Weighted, f *fit, k, first, end int, ratio float64) []order.Weighted {
	K := len(f.knots)
	for i := first; i < end; i++ {
		if y := w.target[i*K+k]; !math.IsNaN(y) {
			miss := (y - w.mean[i*K+k]) / w.width(f, i, k)
			to = append(to, order.Weighted{Value: miss * ratio, Weight: w.recency[i]})
		}
	}
	return to
}

// conformal fills law with the weighted quantiles of the misses, zeros where
// there are none. It sorts the misses.
func conformal(law []float64, misses []order.Weighted, levels []float64) {
	clear(law)
	if len(misses) == 0 {
		return
	}
	order.Sort(misses)
	total := 0.0
	for _, m := range misses {
		total += m.Weight
	}
	i, sum := 0, misses[0].Weight
	for j, l := range levels {
		for sum < l*total && i+1 < len(misses) {
			i++
			sum += misses[i].Weight
		}
		law[j] = misses[i].Value
	}
}

// growth is the power of the steps ahead that misses grow with: half of what
// they show, half a random walk's.
func (w *workspace) growth(f *fit) float64 {
	const walk = 0.5
	K := len(f.knots)
	var n, sx, sy, sxx, sxy float64
	for k, h := range f.knots {
		sum, count := 0.0, 0.0
		for i := range w.origins {
			if y := w.target[i*K+k]; !math.IsNaN(y) {
				sum += abs(y - w.mean[i*K+k])
				count++
			}
		}
		if sum > 0 {
			x, y := math.Log(float64(h)), math.Log(sum/count)
			n, sx, sy, sxx, sxy = n+count, sx+count*x, sy+count*y, sxx+count*x*x, sxy+count*x*y
		}
	}
	if d := n*sxx - sx*sx; d > 1e-9 {
		return min(max(((n*sxy-sx*sy)/d+walk)/2, 0), 1)
	}
	return walk
}

// evidence is how many independent misses a knot's law rests on: forecasts
// that overlap miss together.
func (w *workspace) evidence(f *fit, k int) float64 {
	if len(w.origins) == 0 {
		return 1
	}
	return max(1, float64(w.grid.n-w.origins[0])/float64(f.knots[k]))
}

// widen makes a law wider for resting on little evidence, by Student's quantile
// over the normal one.
func widen(law, levels []float64, evidence float64) {
	if evidence > ample {
		return
	}
	t := distuv.StudentsT{Mu: 0, Sigma: 1, Nu: evidence}
	for j, l := range levels {
		if l != 0.5 {
			law[j] *= t.Quantile(l) / distuv.UnitNormal.Quantile(l)
		}
	}
}

// ladder is the levels a law is set at: the asked ones and enough others to
// tell quantiles between them.
func ladder(asked []float64) []float64 {
	all := slices.Concat(asked, []float64{0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95})
	slices.Sort(all)
	return slices.Compact(all)
}

// quantile reads level l of a law given by its quantiles at levels, mixed with
// zero at probability gone.
func quantile(levels, law []float64, l, gone float64) float64 {
	if gone > 0 {
		if l <= gone {
			return 0
		}
		l = (l - gone) / (1 - gone)
	}
	i, found := slices.BinarySearch(levels, l)
	switch {
	case found || i == 0:
		return law[i]
	case i == len(levels):
		return law[i-1]
	}
	x := (l - levels[i-1]) / (levels[i] - levels[i-1])
	return law[i-1] + x*(law[i]-law[i-1])
}
