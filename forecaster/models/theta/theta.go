// Package theta forecasts with the theta method (Assimakopoulos and Nikolopoulos
// 2000), which won the M3 competition: the mean of a straight line through the
// whole series and of a simple exponential smoothing of the series with its
// curvature doubled. Hyndman and Billah (2003) showed that to be simple
// exponential smoothing with half the line's slope as drift, which is how it
// is computed here and in R's forecast::thetaf.
//
// A season is taken out by classical decomposition before, where the
// autocorrelation at its lag is significant, and put back after.
package theta

import (
	"fmt"
	"math"

	"github.com/kedastral/kedastral/forecaster/models/ets"
	"github.com/kedastral/kedastral/forecaster/models/internal/seasonal"
)

// Fit is a theta method fitted to a series: the smoothing of it and the drift.
type Fit struct {
	Smoothing ets.Model // of the series; a season in it never changes
	Drift     float64   // a step, half the slope of the straight line
	n         int
}

// New fits a series without gaps whose season has slots steps; the season
// multiplies.
func New(y []float64, slots seasonal.Slots) (Fit, error) {
	var shape []float64
	if seasonal.Certain(y, slots.Width()) {
		shape = slots.Shape(y, true, seasonal.Mean)
	}
	return smooth(ets.History{All: y, Values: y, Slots: slots, Whole: slots}, ets.Multiplicative, shape)
}

// smooth fits the line through all of a series less its season, and the
// smoothing of its newest part.
func smooth(h ets.History, kind ets.Component, shape []float64) (Fit, error) {
	adjusted := adjust(h.Values, h.Slots, kind, shape)
	spec := ets.Spec{Error: ets.Additive, Trend: ets.None, Season: ets.None}
	fit := ets.FitRates
	if len(adjusted) <= short {
		fit = ets.Fit
	}
	m, err := fit(adjusted, spec, ets.From(adjusted, seasonal.Slots{}, ets.None, nil), seasonal.Slots{})
	if err != nil {
		return Fit{}, fmt.Errorf("smoothing: %w", err)
	}
	if shape != nil {
		m.Season, m.Slots, m.Start.Season = kind, h.Slots, shape
	}
	return Fit{Smoothing: m, Drift: slope(adjust(h.All, h.Whole, kind, shape)) / 2, n: len(h.Values)}, nil
}

func adjust(y []float64, slots seasonal.Slots, kind ets.Component, shape []float64) []float64 {
	if shape == nil {
		return y
	}
	out := make([]float64, len(y))
	for t, v := range y {
		out[t] = ets.Adjust(v, shape[slots.Of(t)], kind)
	}
	return out
}

// slope is that of the straight line through a series by least squares; gaps
// count for nothing.
func slope(y []float64) float64 {
	var n, sx, sy float64
	for t, v := range y {
		if v == v {
			n, sx, sy = n+1, sx+float64(t), sy+v
		}
	}
	var up, down float64
	for t, v := range y {
		if v == v {
			x := float64(t) - sx/n
			up += x * (v - sy/n)
			down += x * x
		}
	}
	if down == 0 {
		return 0
	}
	return up / down
}

// short is the length up to which the first level is estimated with the rate;
// along a longer series it is forgotten.
const short = 300

// lift is what the smoothing lags behind the drift: with the rate α of n steps,
// Drift·(1−(1−α)ⁿ)/α.
func (f Fit) lift() float64 {
	alpha := f.Smoothing.Alpha
	return f.Drift * (1 - math.Pow(1-alpha, float64(f.n))) / alpha
}

// Forecast continues the series the fit was made of by h steps.
func (f Fit) Forecast(y []float64, h int) []float64 {
	out := f.Smoothing.Forecast(y, h)
	for i := range out {
		rise := f.lift() + f.Drift*float64(i)
		if f.Smoothing.Season == ets.Multiplicative {
			rise *= f.Smoothing.Start.Season[f.Smoothing.Slots.Of(len(y)+i)]
		}
		out[i] += rise
	}
	return out
}

// StandardErrors are those of forecasts 1 to h steps ahead of the series less
// its season: σ·√(1 + (h−1)·α²).
func (f Fit) StandardErrors(h int) []float64 {
	out, alpha := make([]float64, h), f.Smoothing.Alpha
	sigma2 := f.Smoothing.Sigma2 * float64(f.n) / float64(f.n-2) // the rate and the first level cost one each
	for i := range out {
		out[i] = math.Sqrt(sigma2 * (1 + float64(i)*alpha*alpha))
	}
	return out
}
