package calendar

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/kedastral/kedastral/forecaster/features"
	"github.com/kedastral/kedastral/forecaster/models"
)

// Model is a model of the ordinary load, with what a calendar knows put back.
// It keeps the contract of [models.Model] when the model inside does.
type Model struct {
	inner    models.Model
	calendar Calendar
	sundays  sundays // learned from the last fit's history
}

// Adjust wraps a model; with an empty calendar it is the model itself.
func Adjust(inner models.Model, c Calendar) models.Model {
	if c.Empty() {
		return inner
	}
	return &Model{inner: inner, calendar: c}
}

// Name is the name of the model inside.
func (m *Model) Name() string { return m.inner.Name() }

// Score is how the model inside fared, on the ordinary load; none where it
// does not tell.
func (m *Model) Score() models.Score {
	if scored, ok := m.inner.(models.Scored); ok {
		return scored.Score()
	}
	return models.Score{}
}

// Substitute is that of the model inside.
func (m *Model) Substitute() (string, error) {
	if s, ok := m.inner.(models.Substituted); ok {
		return s.Substitute()
	}
	return "", nil
}

// Train fits the model inside to the ordinary load.
func (m *Model) Train(ctx context.Context, history features.Frame) error {
	if err := history.Validate(); err != nil {
		return err
	}
	learned := m.calendar.learn(history)
	factors := m.calendar.factors(history, learned)
	if err := m.inner.Train(ctx, ordinary(history, factors)); err != nil {
		return err
	}
	m.sundays = learned
	return nil
}

// Predict forecasts the ordinary load and puts the factors of the horizon back.
func (m *Model) Predict(ctx context.Context, frame features.Frame) (models.Forecast, error) {
	if err := frame.Validate(); err != nil {
		return models.Forecast{}, err
	}
	factors := m.calendar.factors(frame, m.sundays)
	f, err := m.inner.Predict(ctx, ordinary(frame, factors))
	if err != nil || factors == nil {
		return f, err
	}
	ahead := factors[len(frame.Observed):]
	if f.Values, err = scaled(f.Values, ahead); err != nil {
		return f, fmt.Errorf("forecast of %s: %w", m.Name(), err)
	}
	for i, q := range f.Quantiles {
		if f.Quantiles[i].Values, err = scaled(q.Values, ahead); err != nil {
			return f, fmt.Errorf("quantile %g of %s: %w", q.Level, m.Name(), err)
		}
	}
	return f, nil
}

// scaled is a copy: a model may hand out one slice as both median and quantile.
func scaled(values, factors []float64) ([]float64, error) {
	if len(values) != len(factors) {
		return nil, fmt.Errorf("%d steps: must be %d", len(values), len(factors))
	}
	out := make([]float64, len(values))
	for i, v := range values {
		if out[i] = v; factors[i] > 0 { // a stretch to forget is forecast as ordinary
			out[i] *= factors[i]
		}
	}
	return out, nil
}

// ordinary is the frame without what the calendar explains. It shares the
// observations when there is nothing to take out.
func ordinary(f features.Frame, factors []float64) features.Frame {
	if factors == nil {
		return f
	}
	plain := make([]float64, len(f.Observed))
	for i, v := range f.Observed {
		if factors[i] == 0 {
			v = math.NaN()
		}
		plain[i] = v / factors[i]
	}
	f.Observed = plain
	return f
}

// factors are the calendar's factors of every step of the history and the
// horizon; nil where all are 1.
func (c Calendar) factors(f features.Frame, learned sundays) []float64 {
	n := len(f.Observed) + f.Horizon
	end := f.Start.Add(time.Duration(n) * f.Step)
	var out []float64
	set := func(from, to time.Time, factor func(time.Time) float64) {
		for i := index(f, from); i < min(index(f, to), n); i++ {
			if i < 0 {
				continue
			}
			if out == nil {
				out = ones(n)
			}
			out[i] *= factor(f.Start.Add(time.Duration(i) * f.Step))
		}
	}
	for _, day := range c.between(f.Start, end) {
		set(day, day.AddDate(0, 0, 1), func(at time.Time) float64 { return learned.factor(at.In(c.zone)) })
	}
	for _, e := range c.events {
		if e.Start.Before(end) && e.End.After(f.Start) {
			set(e.Start, e.End, func(time.Time) float64 { return e.Factor })
		}
	}
	return out
}

// index is the first step that starts at or after an instant.
func index(f features.Frame, at time.Time) int {
	d := at.Sub(f.Start)
	if d <= 0 {
		return int(d / f.Step) // before the frame; the caller skips those
	}
	return int((d + f.Step - 1) / f.Step)
}

func ones(n int) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = 1
	}
	return out
}
