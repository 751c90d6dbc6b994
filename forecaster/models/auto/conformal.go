package auto

import (
	"math"
	"slices"
)

// sigma is how the spread grows with the scaled forecast.
func sigma(p, power float64) float64 {
	if power == 0 {
		return 1
	}
	return math.Pow(max(p, 0.05), power)
}

// calibrate sets the spreads from the replay's own misses.
func (w *workspace) calibrate(f *fit) {
	K, L := len(f.knots), len(f.levels)
	f.spread = make([]float64, K*L)
	N := len(w.origins)
	for k := range K {
		type rw struct{ r, w float64 }
		var rs []rw
		for i := range N {
			y := w.target[i*K+k]
			if math.IsNaN(y) {
				continue
			}
			p := w.mean[i*K+k]
			rs = append(rs, rw{(y - p) / sigma(p, f.power), math.Exp2(-float64(w.grid.n-w.origins[i]) / (3 * float64(w.grid.day)))})
		}
		slices.SortFunc(rs, func(a, b rw) int {
			switch {
			case a.r < b.r:
				return -1
			case a.r > b.r:
				return 1
			}
			return 0
		})
		total := 0.0
		for _, r := range rs {
			total += r.w
		}
		for j, l := range f.levels {
			c := 0.0
			for _, r := range rs {
				c += r.w
				f.spread[k*L+j] = r.r
				if c >= l*total {
					break
				}
			}
		}
		for j, l := range f.levels {
			if l == 0.5 {
				f.spread[k*L+j] = 0
			}
		}
	}
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
