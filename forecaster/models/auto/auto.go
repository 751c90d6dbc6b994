package auto

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/kedastral/kedastral/forecaster/features"
	"github.com/kedastral/kedastral/forecaster/models"
	"github.com/kedastral/kedastral/shared/forecast"
)

// Model is the ensemble. It is safe for concurrent use.
type Model struct {
	levels []float64

	mu   sync.RWMutex
	last *fit
}

// New makes an untrained model that forecasts the levels of the options.
func New(o models.Options) *Model { return &Model{levels: append([]float64(nil), o.Levels...)} }

// Name is "auto".
func (m *Model) Name() string { return "auto" }

// Train fits seasons, regression, weights and spreads to the history.
func (m *Model) Train(_ context.Context, history features.Frame) error {
	w := pool.Get().(*workspace)
	defer pool.Put(w)
	f, err := w.train(history, m.levels)
	if err != nil {
		return fmt.Errorf("training auto: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.last = f
	return nil
}

// Predict forecasts from the end of the frame, which is the trained one or a
// later one of the same step.
func (m *Model) Predict(_ context.Context, frame features.Frame) (models.Forecast, error) {
	m.mu.RLock()
	f := m.last
	m.mu.RUnlock()
	if f == nil {
		return models.Forecast{}, fmt.Errorf("predicting with auto: %w", models.ErrUntrained)
	}
	if frame.Step != f.step {
		return models.Forecast{}, fmt.Errorf("predicting with auto: step %v: must be the trained one, %v", frame.Step, f.step)
	}
	w := pool.Get().(*workspace)
	defer pool.Put(w)
	out, err := w.predictFrame(f, frame)
	if err != nil {
		return models.Forecast{}, fmt.Errorf("predicting with auto: %w", err)
	}
	return out, nil
}

// Score is how the last fit fared on the past.
func (m *Model) Score() models.Score {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.last == nil {
		return models.Score{}
	}
	return m.last.score
}

// fit is all a trained model keeps.
type fit struct {
	step     time.Duration
	scaling  scaling
	asked    []float64 // the levels to forecast
	levels   []float64 // the levels calibrated, asked among them
	season   vintage
	seasonal bool
	experts  []expert
	knots    []int
	weight   []float64 // knot × expert
	top      []float64
	beta     []float64 // knot × feature
	picks    []int     // experts that are features
	spread   []float64 // knot × level, in the unit of power
	spreads  spreads
	score    models.Score
}

var pool = sync.Pool{New: func() any { return new(workspace) }}

// predictFrame forecasts every step of the frame's horizon.
func (w *workspace) predictFrame(f *fit, frame features.Frame) (models.Forecast, error) {
	if err := w.lay(frame, f.scaling); err != nil {
		return models.Forecast{}, err
	}
	g := &w.grid
	w.bank.reset(f.step, g.lead+frame.Horizon)
	lo := max(0, g.n-w.warm(f.seasonal))
	end := flat + 1
	if f.seasonal {
		end = curveCount
		w.draw(&f.season, lo, g.n+g.lead+frame.Horizon, g.n, g.lead+frame.Horizon)
	}
	for t := lo; t < g.n; t++ {
		if g.ok[t] {
			w.bank.see(g.z[t], &w.curves, t, end)
		}
	}
	m := w.look(g.n)
	out := models.Forecast{Values: make([]float64, frame.Horizon)}
	for _, l := range f.asked {
		out.Quantiles = append(out.Quantiles, forecast.Quantile{Level: l, Values: make([]float64, frame.Horizon)})
	}
	w.row = grow(w.row, len(f.experts))
	w.mix = grow(w.mix, len(f.experts))
	w.law = grow(w.law, len(f.levels))
	for i := range out.Values {
		h := g.lead + i + 1
		k, x := between(f.knots, h)
		p := w.combined(f, &m, g.n+h-1, h, k, x)
		width := f.spreads.width(p, g.slot[g.n+h-1], int32(g.day))
		for j := range f.levels {
			q := f.spread[k*len(f.levels)+j]
			if x > 0 {
				q += x * (f.spread[(k+1)*len(f.levels)+j] - q)
			}
			w.law[j] = p + q*width
			if j > 0 {
				w.law[j] = max(w.law[j], w.law[j-1])
			}
		}
		gone := 0.0
		if g.lost > 0 {
			gone = float64(g.lost) / float64(g.lost+i+1)
		}
		out.Values[i] = f.scaling.out(quantile(f.levels, w.law, 0.5, gone))
		for j, l := range f.asked {
			out.Quantiles[j].Values[i] = f.scaling.out(quantile(f.levels, w.law, l, gone))
		}
	}
	return out, nil
}

// warm is how many steps the bank runs before its levels count.
func (w *workspace) warm(seasonal bool) int {
	if seasonal {
		return w.grid.day / 2
	}
	return w.grid.day
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

// combined is the weighted forecast of step t.
func (w *workspace) combined(f *fit, m *moment, t, h, k int, x float64) float64 {
	for e, ex := range f.experts {
		w.row[e] = w.predict(ex, m, t, h)
	}
	n := len(f.experts)
	copy(w.mix, f.weight[k*n:(k+1)*n])
	if x > 0 {
		for e := range w.mix {
			w.mix[e] += x * (f.weight[(k+1)*n+e] - w.mix[e])
		}
	}
	if debug.Why {
		fmt.Print(h)
		for e := range f.experts {
			if w.mix[e] > .03 {
				fmt.Printf(" %v:%.0f(%.2f)", f.experts[e], f.scaling.out(w.row[e]), w.mix[e])
			}
		}
		fmt.Println()
	}
	base := w.blend(w.mix, w.row, f.scaling.signed)
	if len(f.picks) == 0 {
		return base
	}
	w.features(f.picks, w.row, m, base)
	width := len(w.f)
	a, share := dot(f.beta[k*width:(k+1)*width], w.f), f.top[2*k+1]
	if x > 0 {
		a += x * (dot(f.beta[(k+1)*width:(k+2)*width], w.f) - a)
		share += x * (f.top[2*k+3] - share)
	}
	return base + share*a
}

// blend is the weighted mean of what experts say.
func (w *workspace) blend(weight, row []float64, signed bool) float64 {
	sum := 0.0
	for e, x := range weight {
		if x > 0 {
			v := row[e]
			if !signed {
				v = max(v, 0)
			}
			sum += x * v
		}
	}
	return sum
}

func dot(a, b []float64) float64 {
	sum := 0.0
	for i, x := range a {
		sum += x * b[i]
	}
	return sum
}
