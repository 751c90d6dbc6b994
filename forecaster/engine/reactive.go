package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/kedastral/kedastral/forecaster/capacity"
	"github.com/kedastral/kedastral/forecaster/series"
	"github.com/kedastral/kedastral/shared/forecast"
)

// standIn is the model of a snapshot that has no forecast: the last value,
// which is what a reactive trigger believes.
const standIn = "naive"

// Reactive plans from the load observed now because there is no forecast, for
// the reason given: a workload whose model fails must not fare worse than one
// without a model. Where the load is not known either, there is nothing to plan
// from, and the error says so.
func (p *Pipeline) Reactive(history series.DataFrame, why error) (forecast.Snapshot, capacity.Decision, error) {
	at, observed, err := p.present(history)
	if err != nil {
		return forecast.Snapshot{}, capacity.Decision{}, err
	}
	s := p.document(at, observed)
	s.Model, s.Values = standIn, slices.Repeat([]float64{observed.Value}, p.steps())
	s, d, err := p.plan(s, 0, "there is no forecast to act on: "+forecast.Plain(why.Error()))
	if err == nil {
		p.metrics.fellBack(p.w.Name, 1)
	}
	return s, d, err
}

// snapshot is the pipeline's, or the reactive one where that fails and the load
// is known. Its error is why there is no forecast, though the snapshot may
// stand; fault is what failed before it.
func (k *worker) snapshot(ctx context.Context, fault error) (s forecast.Snapshot, d capacity.Decision, err error) {
	err = guard(tickStage, func() (err error) {
		s, d, err = k.pipeline.Snapshot(ctx, k.history)
		return err
	})
	switch {
	case err == nil:
		return s, d, nil
	case errors.Is(err, errNoData) || errors.Is(context.Cause(ctx), context.Canceled):
		return forecast.Snapshot{}, capacity.Decision{}, err
	}
	s, d, failed := k.pipeline.Reactive(k.history, cause(fault, err))
	if failed != nil {
		return forecast.Snapshot{}, capacity.Decision{}, fmt.Errorf("%w; and without the forecast: %w", err, failed)
	}
	return s, d, err
}
