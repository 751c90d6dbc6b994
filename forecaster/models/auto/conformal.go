package auto

import (
	"cmp"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

// powers are how a spread may grow with the scaled forecast: not at all, which
// is with the root of the level, with the level, or such that it is constant
// in the metric's unit.
var powers = [...]float64{0, 1, -1}

// miss is one miss of the replay, in units of its spread.
type miss struct{ size, weight float64 }

// spreads is how wide the law around a forecast is, besides its quantiles.
type spreads struct {
	power  float64
	hourly []float64 // relative width by hour of the local day, nil if even
}

// width is the spread at a scaled forecast p for an instant of the day.
func (s *spreads) width(p float64, slot, day int32) float64 {
	width := 1.0
	switch s.power {
	case 1:
		width = max(p, leastLevel)
	case -1:
		width = 1 / max(p, leastLevel)
	}
	if s.hourly != nil {
		x := float64(slot)/float64(day)*hours - 0.5
		i := int(math.Floor(x))
		x -= float64(i)
		width *= s.hourly[(i+hours)%hours]*(1-x) + s.hourly[(i+1+hours)%hours]*x
	}
	return width
}

const (
	hours      = 24
	leastLevel = 0.05 // of the mean level's root; below it spreads shrink no further
)

// calibrate sets the law of the misses at every knot from the replay: the
// split-conformal quantiles of what the ensemble of each time missed, newest
// counting most, in the unit of the spread that fits best.
func (w *workspace) calibrate(f *fit) {
	K, L := len(f.knots), len(f.levels)
	f.spread = make([]float64, K*L)
	if f.seasonal {
		w.chooseSpreads(f)
	}
	growth := w.growth(f)
	for k := range f.knots {
		w.misses = w.misses[:0]
		for j := range f.knots {
			near := 1.0
			if j != k {
				if f.seasonal {
					continue
				}
				near = debug.Near
			}
			ratio := math.Pow(float64(f.knots[k])/float64(f.knots[j]), growth)
			w.collect(f, j, 0, len(w.origins), ratio, near)
		}
		w.law = grow(w.law, L)
		conformal(w.law, w.misses, f.levels)
		shift := w.law[slices.Index(f.levels, 0.5)]
		if !f.seasonal && debug.Mirror > 0 {
			for _, m := range w.misses {
				w.misses = append(w.misses, miss{-m.size, m.weight * debug.Mirror})
			}
		}
		w.law = grow(w.law, L)
		conformal(w.law, w.misses, f.levels)
		student := w.evidence(f, k)
		for j, l := range f.levels {
			f.spread[k*L+j] = w.law[j] * widening(l, student)
			if l == 0.5 {
				f.spread[k*L+j] = 0
				if !f.seasonal {
					f.spread[k*L+j] = shift / 2
				}
			}
		}
	}
}

// collect appends the misses at knot k of origins [from, to).
func (w *workspace) collect(f *fit, k, from, to int, ratio, weight float64) {
	K := len(f.knots)
	for i := from; i < to; i++ {
		j := i*K + k
		if y := w.target[j]; !math.IsNaN(y) {
			p := w.mean[j]
			slot := w.grid.slot[w.origins[i]+f.knots[k]-1]
			size := (y - p) / f.spreads.width(p, slot, int32(w.grid.day)) * ratio
			w.misses = append(w.misses, miss{size, weight * w.recency[i]})
		}
	}
}

// conformal fills law with the weighted quantiles of the misses.
func conformal(law []float64, misses []miss, levels []float64) {
	clear(law)
	if len(misses) == 0 {
		return
	}
	slices.SortFunc(misses, func(a, b miss) int { return cmp.Compare(a.size, b.size) })
	total, sum, i := 0.0, 0.0, 0
	for _, m := range misses {
		total += m.weight
	}
	sum = misses[0].weight
	for j, l := range levels {
		for sum < l*total && i+1 < len(misses) {
			i++
			sum += misses[i].weight
		}
		law[j] = misses[i].size
	}
}

// growth is the power of the horizon that misses grow with.
func (w *workspace) growth(f *fit) float64 {
	if f.seasonal || len(f.knots) < 2 {
		return 0
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
	prior := 0.5 // a random walk's
	if d := n*sxx - sx*sx; d > 0 {
		g := (n*sxy - sx*sy) / d
		return min(max((g+prior)/2, 0), 1)
	}
	return prior
}

// evidence is how many independent misses a knot's law rests on: forecasts
// that overlap miss together.
func (w *workspace) evidence(f *fit, k int) float64 {
	if len(w.origins) == 0 {
		return 1
	}
	span := w.grid.n - w.origins[0]
	return max(1, debug.Evid*float64(span)/float64(f.knots[k]))
}

// widening is how much wider quantile l is for resting on little evidence:
// Student's quantile over the normal one.
func widening(l, evidence float64) float64 {
	if l == 0.5 || evidence > 60 {
		return 1
	}
	t := distuv.StudentsT{Mu: 0, Sigma: 1, Nu: evidence}
	return t.Quantile(l) / distuv.UnitNormal.Quantile(l)
}

// chooseSpreads picks power and hourly widths by the pinball loss either half
// of the replay has under the law of the other.
func (w *workspace) chooseSpreads(f *fit) {
	best := math.Inf(1)
	var chosen spreads
	for _, power := range powers {
		if f.scaling.signed && power != 0 {
			continue
		}
		f.spreads = spreads{power: power}
		if loss := w.trial(f); loss < best*(1-debug.Margin) {
			best, chosen = loss, f.spreads
		}
		if debug.Hourly {
			f.spreads.hourly = w.hourly(f)
			if loss := w.trial(f); loss < best*(1-debug.Margin) {
				best, chosen = loss, f.spreads
			}
		}
	}
	f.spreads = chosen
}

// trial is the pinball loss of the current spreads across halves of the replay.
func (w *workspace) trial(f *fit) float64 {
	K, N, total := len(f.knots), len(w.origins), 0.0
	w.law = grow(w.law, 2)
	for _, k := range []int{0, K / 2, K - 1} {
		for half := range 2 {
			w.misses = w.misses[:0]
			w.collect(f, k, half*N/2, (half+1)*N/2, 1, 1)
			conformal(w.law, w.misses, []float64{0.75, 0.92})
			for i := (1 - half) * N / 2; i < (2-half)*N/2; i++ {
				j := i*K + k
				y := w.target[j]
				if math.IsNaN(y) {
					continue
				}
				p := w.mean[j]
				width := f.spreads.width(p, w.grid.slot[w.origins[i]+f.knots[k]-1], int32(w.grid.day))
				for l, level := range [2]float64{0.75, 0.92} {
					u := f.scaling.out(y) - f.scaling.out(p+w.law[l]*width)
					total += max(level*u, (level-1)*u) * w.recency[i]
				}
			}
		}
	}
	return total
}

// hourly is the relative size of the misses by hour of the local day, smoothed
// over the neighbours and drawn to one where there are few.
func (w *workspace) hourly(f *fit) []float64 {
	K := len(f.knots)
	var sum, count [hours]float64
	flat := spreads{power: f.spreads.power}
	for k := range f.knots {
		mean, n := 0.0, 0.0
		for pass := range 2 {
			for i := range w.origins {
				j := i*K + k
				if math.IsNaN(w.target[j]) {
					continue
				}
				slot := w.grid.slot[w.origins[i]+f.knots[k]-1]
				size := abs(w.target[j]-w.mean[j]) / flat.width(w.mean[j], 0, 1)
				if pass == 0 {
					mean += size
					n++
					continue
				}
				hour := int(slot) * hours / w.grid.day
				sum[hour] += min(size/mean, 4)
				count[hour]++
			}
			if mean == 0 {
				break
			}
			if pass == 0 {
				mean /= n
			}
		}
	}
	out := make([]float64, hours)
	few := 5 * float64(K)
	for h := range out {
		a, b := (h+hours-1)%hours, (h+1)%hours
		s := sum[h] + sum[a]/2 + sum[b]/2
		c := count[h] + count[a]/2 + count[b]/2
		out[h] = (s + few) / (c + few)
	}
	return out
}

// ladder is the levels a fit calibrates: the asked ones and enough others to
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
