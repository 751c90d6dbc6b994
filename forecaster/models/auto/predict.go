package auto

import (
	"math"

	"github.com/kedastral/kedastral/forecaster/features"
	"github.com/kedastral/kedastral/forecaster/models"
	"github.com/kedastral/kedastral/shared/forecast"
)

// predict forecasts every step of the frame's horizon.
func (w *workspace) predict(f *fit, frame features.Frame) (models.Forecast, error) {
	if err := w.lay(frame, f.scaling); err != nil {
		return models.Forecast{}, err
	}
	g, furthest := &w.grid, w.grid.lead+frame.Horizon
	w.bank.reset(f.step, furthest)
	lo := max(0, g.n-w.warm(f.seasonal))
	seasons := f.seasons
	seasons.at = g.n // lags reach the newest value, though the seasons are the fit's
	w.draw(&seasons, lo, g.n+furthest, furthest)
	w.bank.follow(g, &w.curves, lo, g.n, f.follows)
	m := g.look(g.n)
	out := empty(f.asked, frame.Horizon)
	w.row, w.weight, w.law = grow(w.row, len(f.experts)), grow(w.weight, len(f.experts)), grow(w.law, len(f.levels))
	for i := range out.Values {
		h := g.lead + i + 1
		w.lawAt(f, &m, h)
		gone := 0.0
		if g.lost > 0 {
			// A run of lost zeros goes on for as long again with even chances.
			gone = min(float64(g.lost)/float64(g.lost+i+1), mostGone)
		}
		out.Values[i] = f.scaling.out(quantile(f.levels, w.law, 0.5, gone))
		for j, l := range f.asked {
			out.Quantiles[j].Values[i] = f.scaling.out(quantile(f.levels, w.law, l, gone))
		}
	}
	return out, nil
}

// empty is a forecast of the right shape.
func empty(levels []float64, horizon int) models.Forecast {
	out := models.Forecast{Values: make([]float64, horizon), Quantiles: make([]forecast.Quantile, len(levels))}
	for i, l := range levels {
		out.Quantiles[i] = forecast.Quantile{Level: l, Values: make([]float64, horizon)}
	}
	return out
}

// lawAt fills w.law with the scaled quantiles h steps after the last known one.
func (w *workspace) lawAt(f *fit, m *moment, h int) {
	g, L := &w.grid, len(f.levels)
	k, x := between(f.knots, h)
	p := w.blendAt(f, m, h, k, x)
	width := f.spread.width(p, g.slot[g.n+h-1], int32(g.day))
	if f.spread.swings {
		width *= f.spread.swing
	}
	if end := f.knots[len(f.knots)-1]; h > end {
		width *= math.Pow(float64(h)/float64(end), f.growth)
	}
	for j := range w.law {
		q := f.law[k*L+j]
		if x > 0 {
			q += x * (f.law[(k+1)*L+j] - q)
		}
		w.law[j] = p + q*width
		if j > 0 {
			w.law[j] = max(w.law[j], w.law[j-1])
		}
	}
}

// between finds the knot at or before h and how far h is to the next one.
func between(knots []int, h int) (k int, x float64) {
	for k+1 < len(knots) && knots[k+1] <= h {
		k++
	}
	if k+1 < len(knots) && h > knots[k] {
		x = float64(h-knots[k]) / float64(knots[k+1]-knots[k])
	}
	return k, x
}

// blendAt is the scaled forecast h steps after the last known one, the weights
// and the regression being between those of knot k and the next.
func (w *workspace) blendAt(f *fit, m *moment, h, k int, x float64) float64 {
	E := len(f.experts)
	w.ask(w.row, f.experts, m, w.grid.n+h-1, h)
	copy(w.weight, f.weight[k*E:(k+1)*E])
	if x > 0 {
		for e := range w.weight {
			w.weight[e] += x * (f.weight[(k+1)*E+e] - w.weight[e])
		}
	}
	base := blended(w.weight, w.row, f.scaling.signed)
	if len(f.picks) == 0 {
		return base
	}
	w.features(f.picks, w.row, m, base)
	n := len(w.feature)
	correction, share := dot(f.beta[k*n:(k+1)*n], w.feature), f.top[2*k+1]
	if x > 0 {
		correction += x * (dot(f.beta[(k+1)*n:(k+2)*n], w.feature) - correction)
		share += x * (f.top[2*k+3] - share)
	}
	return base + share*correction
}
