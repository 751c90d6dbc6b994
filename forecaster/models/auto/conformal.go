package auto

import (
	"math"
	"slices"

	"github.com/kedastral/kedastral/forecaster/models"
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

// untangle sorts the quantiles of every step.
func untangle(out *models.Forecast) {
	for i := range out.Values {
		for j := 1; j < len(out.Quantiles); j++ {
			q := out.Quantiles[j].Values
			q[i] = max(q[i], out.Quantiles[j-1].Values[i])
		}
	}
}
