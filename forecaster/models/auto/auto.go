package auto

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/kedastral/kedastral/forecaster/features"
	"github.com/kedastral/kedastral/forecaster/models"
)

// Model is the ensemble. It is safe for concurrent use.
type Model struct {
	levels []float64

	mu   sync.RWMutex
	last *fit
}

// New makes an untrained model that forecasts the levels of the options.
func New(o models.Options) *Model { return &Model{levels: slices.Clone(o.Levels)} }

// Name is "auto".
func (*Model) Name() string { return "auto" }

// Train fits seasons, weights, regression and laws to the history. Two
// observed steps are enough to begin with.
func (m *Model) Train(ctx context.Context, history features.Frame) error {
	w, _ := pool.Get().(*workspace)
	defer pool.Put(w)
	f, err := w.train(ctx, history, m.levels)
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
func (m *Model) Predict(ctx context.Context, frame features.Frame) (models.Forecast, error) {
	m.mu.RLock()
	f := m.last
	m.mu.RUnlock()
	var out models.Forecast
	err := ctx.Err()
	switch {
	case err != nil:
	case f == nil:
		err = models.ErrUntrained
	case frame.Step != f.step:
		err = fmt.Errorf("step=%v: must be the trained one, %v", frame.Step, f.step)
	default:
		w, _ := pool.Get().(*workspace)
		defer pool.Put(w)
		out, err = w.predict(f, frame)
	}
	if err != nil {
		return models.Forecast{}, fmt.Errorf("predicting with auto: %w", err)
	}
	return out, nil
}

// Score is how the last fit fared on the past, measured at the knots of the
// horizon; the laws on the half of the replay they were not learnt from.
func (m *Model) Score() models.Score {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.last == nil {
		return models.Score{}
	}
	return m.last.score
}

// fit is all that a trained model keeps.
type fit struct {
	step     time.Duration
	scaling  scaling
	seasonal bool      // the history holds a day and an eighth
	proven   bool      // it holds two and a half, so that the replay has seen every hour
	asked    []float64 // the levels to forecast
	levels   []float64 // the levels of the laws, asked among them

	seasons vintage
	experts []expert
	follows []int // curves whose level is followed
	picks   []int // experts the regression looks at, none without seasons

	knots  []int     // steps ahead at which all below is known; linear between
	weight []float64 // knot × expert
	top    []float64 // knot × {blend, blend corrected}
	beta   []float64 // knot × feature
	law    []float64 // knot × level, in units of the spread
	growth float64   // misses grow with this power of the steps ahead after the last knot
	spread spread

	score models.Score
}

// train fits everything to a history.
func (w *workspace) train(ctx context.Context, frame features.Frame, levels []float64) (*fit, error) {
	if err := frame.Validate(); err != nil {
		return nil, err
	}
	f := &fit{step: frame.Step, scaling: w.measure(frame.Observed), asked: levels, levels: ladder(levels)}
	if err := w.lay(frame, f.scaling); err != nil {
		return nil, err
	}
	f.knots = knotsOf(frame.Horizon)
	g := &w.grid
	f.seasonal = g.day >= leastSlots && g.n >= g.day+g.day/8
	f.proven = f.seasonal && g.n >= 2*g.day+g.day/2
	if f.seasonal {
		w.detrend()
	}
	period := w.period(f.seasonal)
	f.choose(f.seasonal, f.seasonal && g.n >= g.week+g.day, period > 0)
	if err := w.replay(ctx, f, period); err != nil {
		return nil, err
	}
	w.calibrate(f)
	f.score = w.record(f, frame)
	return f, nil
}

// knotsOf spreads knots over a horizon, twice as far apart every time: that is
// how fast forecasts change, and the fewer the knots the more each knows.
func knotsOf(horizon int) []int {
	var knots []int
	for h := 1; h < horizon; h *= 2 {
		knots = append(knots, h)
	}
	return append(knots, horizon)
}
