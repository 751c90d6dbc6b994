// Package byom asks a service for forecasts: bring your own model.
//
// The service is stateless to us: each question carries the history and the
// origins to forecast from, and the answer must be a function of the values
// before each origin. When the service fails, is late or answers nonsense, a
// fallback model answers in its stead, and [Model.Answered] says so.
//
// Decisions:
//   - A service owes a median path and no more. Its own quantiles are taken
//     where it gives them; else they come from the errors of its path, as
//     those of every other model do.
//   - What it is worth is measured while training, with one question that has
//     many earlier origins, so that a service that has no skill never acts.
package byom

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/kedastral/kedastral/forecaster/features"
	"github.com/kedastral/kedastral/forecaster/models"
	"github.com/kedastral/kedastral/forecaster/series"
)

// Who answers.
const (
	Service  = "service"
	Fallback = "fallback"
)

// Model is a service with a model to fall back on.
type Model struct {
	client   *client
	levels   []float64
	fallback models.Model
	measured *models.Calibrated // the service's path, with quantiles from its errors

	mu       sync.Mutex
	trained  bool
	useful   bool // measured holds the last training
	answered string
	cause    error
}

// New makes a model of the service the options name. The fallback must be made
// with the same levels.
func New(o models.Options, fallback models.Model) (*Model, error) {
	c, err := newClient(o.Service)
	if err != nil {
		return nil, err
	}
	if err := o.Validate(); err != nil {
		return nil, err
	}
	m := &Model{client: c, levels: o.Levels, fallback: fallback}
	m.measured = models.Calibrate(func() models.Method { return method{c} }, o)
	return m, nil
}

// Name is the name the model is chosen by.
func (*Model) Name() string { return "byom" }

// Answered says who made the last forecast, [Service] or [Fallback], and why
// it was not the service; blank before the first.
func (m *Model) Answered() (who string, cause error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.answered, m.cause
}

// Substitute is the fallback's name, and why it answered last; blank where the
// service did.
func (m *Model) Substitute() (string, error) {
	if who, cause := m.Answered(); who == Fallback {
		return m.fallback.Name(), cause
	}
	return "", nil
}

// Score is how the service fared on the past, or the fallback where the
// service could not be asked.
func (m *Model) Score() models.Score {
	m.mu.Lock()
	useful := m.useful
	m.mu.Unlock()
	if useful {
		return m.measured.Score()
	}
	if scored, ok := m.fallback.(models.Scored); ok {
		return scored.Score()
	}
	return models.Score{}
}

// Train trains the fallback and measures the service. A service that fails
// does not fail the training; the fallback answers until it is back.
func (m *Model) Train(ctx context.Context, history features.Frame) error {
	if err := m.fallback.Train(ctx, history); err != nil {
		return fmt.Errorf("byom: training the fallback: %w", err)
	}
	err := m.measured.Train(ctx, history)
	if ctx.Err() != nil {
		return fmt.Errorf("byom: measuring the service: %w", ctx.Err())
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.trained, m.useful = true, err == nil
	return nil
}

// Predict asks the service, and the fallback if that fails.
func (m *Model) Predict(ctx context.Context, frame features.Frame) (models.Forecast, error) {
	m.mu.Lock()
	trained, useful := m.trained, m.useful
	m.mu.Unlock()
	if !trained {
		return models.Forecast{}, fmt.Errorf("byom: %w", models.ErrUntrained)
	}
	f, err := m.fromService(ctx, frame, useful)
	if err == nil {
		m.note(Service, nil)
		return f, nil
	}
	if ctx.Err() != nil {
		return models.Forecast{}, fmt.Errorf("byom: predicting: %w", ctx.Err())
	}
	f, failed := m.fallback.Predict(ctx, frame)
	if failed != nil {
		return models.Forecast{}, fmt.Errorf("byom: the fallback after %w: %w", err, failed)
	}
	m.note(Fallback, err)
	return f, nil
}

func (m *Model) note(who string, cause error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.answered, m.cause = who, cause
}

func (m *Model) fromService(ctx context.Context, frame features.Frame, useful bool) (models.Forecast, error) {
	if err := frame.Validate(); err != nil {
		return models.Forecast{}, err
	}
	r, err := m.client.ask(ctx, frame, []int{len(frame.Observed)}, m.levels)
	if err != nil {
		return models.Forecast{}, err
	}
	got := r.Forecasts[0]
	if got.Quantiles == nil && len(m.levels) > 0 {
		if !useful {
			return models.Forecast{}, errNotMeasured
		}
		return m.measured.Around(frame, got.Values)
	}
	f := models.Forecast{Values: got.Values, Quantiles: got.Quantiles}
	if !negative(frame.Observed) {
		floor(f)
	}
	return f, nil
}

var errNotMeasured = errors.New("the service gives no quantiles and was not there to be measured when last trained")

func negative(observed []float64) bool {
	for _, v := range observed {
		if v < 0 && series.Observed(v) {
			return true
		}
	}
	return false
}

// floor keeps what a service says above zero where nothing observed was below.
func floor(f models.Forecast) {
	for _, q := range f.Quantiles {
		for h, v := range q.Values {
			q.Values[h] = max(0, v)
		}
	}
	for h, v := range f.Values {
		f.Values[h] = max(0, v)
	}
}

// method is the service as something that can be measured.
type method struct{ *client }

func (method) Name() string { return "byom" }

// Fit has nothing to learn: the service does.
func (method) Fit(context.Context, features.Frame) error { return nil }

// Path is never asked for: a forecast comes with its caller's context, through
// [Model.Predict].
func (method) Path(features.Frame, []float64) error {
	return errors.New("a service is only asked with a context")
}

// Roll asks once for all origins.
func (m method) Roll(ctx context.Context, frame features.Frame, origins []int, paths [][]float64) error {
	frame = frame.Before(origins[len(origins)-1])
	r, err := m.ask(ctx, frame, origins, nil)
	if err != nil {
		return err
	}
	for i, f := range r.Forecasts {
		copy(paths[i], f.Values)
	}
	return nil
}
