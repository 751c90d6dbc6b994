package auto

import (
	"math"
	"slices"
	"sort"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/kedastral/kedastral/forecaster/models/internal/order"
)

const (
	missDays = 3  // half-life of misses
	ample    = 60 // independent misses that need no widening
	borrowed = 20 // independent misses that the law of all knots counts for at a knot
)

// calibrate sets the law of the misses at every knot from the replay, in the
// unit of the spread that fits best.
func (w *workspace) calibrate(f *fit) {
	w.recency = grow(w.recency, len(w.origins))
	for i, o := range w.origins {
		w.recency[i] = math.Exp2(-float64(w.grid.n-o) / float64(missDays*w.grid.day))
	}
	if f.proven {
		w.chooseSpread(f)
	}
	f.growth = w.growth(f)
	f.law = make([]float64, len(f.knots)*len(f.levels))
	w.laws(f, f.law, 0, len(w.origins))
}

// laws fills out with the laws at the knots that the misses of origins
// [first, end) make: conformal quantiles of what the ensemble of each time
// missed, newest counting most. What the own misses of a knot are too few to
// tell it borrows from those of all knots, on short histories everything.
// Without seasons half of the misses' median stays: load that drifted off drifts
// on, as far as has been seen.
func (w *workspace) laws(f *fit, out []float64, first, end int) {
	L, middle := len(f.levels), slices.Index(f.levels, 0.5)
	drift := w.gather(f, first, end) / 2
	for k, h := range f.knots {
		law, ratio := out[k*L:(k+1)*L], math.Pow(float64(h), f.growth)
		evidence := w.evidence(f, k, first, end)
		if f.proven {
			w.misses = w.collect(w.misses[:0], f, k, first, end, 1)
			mixed(law, accumulate(w.misses), w.common, ratio, borrowed/(borrowed+evidence), f.levels)
		} else {
			for j, l := range f.levels {
				law[j] = mirrored(w.common, l) * ratio
			}
		}
		if f.seasonal {
			law[middle] = 0
			widen(law, f.levels, evidence+borrowed)
		} else {
			law[middle] = drift * ratio * evidence / (evidence + 1)
			widen(law, f.levels, evidence)
		}
		part(law, middle)
	}
}

// part keeps quantiles on their side of the median, which need not be the
// misses': else where they cross is where the median is read.
func part(law []float64, middle int) {
	for j := range law {
		switch {
		case j < middle:
			law[j] = min(law[j], law[middle])
		case j > middle:
			law[j] = max(law[j], law[middle])
		}
	}
}

// gather fills w.common with the sizes of the misses of all knots, brought to
// a distance of one step and accumulated. Without seasons it returns the median
// of the misses.
func (w *workspace) gather(f *fit, first, end int) (median float64) {
	w.common = w.common[:0]
	for k, h := range f.knots {
		w.common = w.collect(w.common, f, k, first, end, math.Pow(float64(h), -f.growth))
	}
	if !f.seasonal {
		var law [1]float64
		conformal(law[:], w.common, []float64{0.5})
		median = law[0]
	}
	for i := range w.common {
		w.common[i].Value = abs(w.common[i].Value)
	}
	accumulate(w.common)
	return median
}

// accumulate sorts misses and turns the weight of each into the share of all
// that is at or below it.
func accumulate(misses []order.Weighted) []order.Weighted {
	order.Sort(misses)
	total := 0.0
	for i := range misses {
		total += misses[i].Weight
		misses[i].Weight = total
	}
	for i := range misses {
		misses[i].Weight /= total
	}
	return misses
}

// mirrored is the quantile of a level of misses of the given sizes, each as
// likely the other way round: a load that only rose so far may fall. It is zero
// where there are none.
func mirrored(sizes []order.Weighted, level float64) float64 {
	if len(sizes) == 0 || level == 0.5 {
		return 0
	}
	i := reaching(sizes, abs(2*level-1))
	return math.Copysign(sizes[min(i, len(sizes)-1)].Value, level-0.5)
}

// reaching is the first of accumulated misses with at least a share at or below.
func reaching(misses []order.Weighted, share float64) int {
	return sort.Search(len(misses), func(i int) bool { return misses[i].Weight >= share })
}

// mixed fills law with the quantiles of a mixture: a knot's own misses, and for
// a share the mirrored ones of all knots at its distance.
func mixed(law []float64, own, sizes []order.Weighted, ratio, share float64, levels []float64) {
	for j, l := range levels {
		i := sort.Search(len(own), func(i int) bool {
			return (1-share)*own[i].Weight+share*below(sizes, own[i].Value/ratio) >= l
		})
		before, from, to := 0.0, math.Inf(-1), math.Inf(1)
		if i > 0 {
			before, from = own[i-1].Weight, own[i-1].Value
		}
		if i < len(own) {
			to = own[i].Value
		}
		rest := (l - (1-share)*before) / share // that the mirrored ones must make up for before the next own one
		if rest < 1 || i == len(own) {
			to = min(to, mirrored(sizes, min(max(rest, 0), 1))*ratio)
		}
		law[j] = max(from, to)
	}
}

// below is the share of mirrored misses at or below x.
func below(sizes []order.Weighted, x float64) float64 {
	i := sort.Search(len(sizes), func(i int) bool { return sizes[i].Value > abs(x) })
	share := 0.0
	if i > 0 {
		share = sizes[i-1].Weight
	}
	return 0.5 + math.Copysign(share, x)/2
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

// growth is the power of the steps ahead that misses grow with: the mean of
// what they show and of what is to be expected, which is a random walk's without
// seasons, and with them that they do not.
func (w *workspace) growth(f *fit) float64 {
	usual := 0.5
	if f.seasonal {
		usual = 0
	}
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
		return min(max(((n*sxy-sx*sy)/d+usual)/2, 0), 1)
	}
	return usual
}

// evidence is how many independent misses of origins [first, end) the law at a
// knot rests on: forecasts that overlap miss together.
func (w *workspace) evidence(f *fit, k, first, end int) float64 {
	if first == end {
		return 1
	}
	after := w.grid.n
	if end < len(w.origins) {
		after = w.origins[end]
	}
	return max(1, float64(after-w.origins[first])/float64(f.knots[k]))
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
