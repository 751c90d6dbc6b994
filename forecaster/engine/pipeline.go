package engine

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/kedastral/kedastral/forecaster/capacity"
	"github.com/kedastral/kedastral/forecaster/features"
	"github.com/kedastral/kedastral/forecaster/models"
	"github.com/kedastral/kedastral/forecaster/series"
	"github.com/kedastral/kedastral/shared/env"
	"github.com/kedastral/kedastral/shared/forecast"
)

// Pipeline is the part of a tick that knows no clock, no source and no store:
// features, model, plan. Whoever replays the past runs it just as the engine
// does, once per origin: [Pipeline.Train], then [Pipeline.Snapshot].
//
// It is for one goroutine.
type Pipeline struct {
	w       Workload
	force   fitted // its model is nil before the first fit
	metrics *Metrics
}

// NewPipeline makes the pipeline of a workload. Its Source is not used and may
// be nil.
func NewPipeline(w Workload) (*Pipeline, error) {
	if err := w.check(); err != nil {
		return nil, fmt.Errorf("workload %q: %w", w.Name, err)
	}
	return &Pipeline{w: w, metrics: NewMetrics(nil)}, nil
}

// Start is the start of the history that a tick at t needs: the window before
// the oldest fit that may be in force.
func (p *Pipeline) Start(t time.Time) time.Time { return t.Add(-p.w.reach()) }

// Snapshot forecasts from the history's end and plans for it. Its Decision
// tells how the plan came about, and is complete only when the error is nil.
func (p *Pipeline) Snapshot(ctx context.Context, history series.DataFrame) (forecast.Snapshot, capacity.Decision, error) {
	at, observed, err := p.present(history)
	if err != nil {
		return forecast.Snapshot{}, capacity.Decision{}, err
	}
	predicted, err := p.predict(ctx, view(history, at.Add(-p.w.Window), at))
	if err != nil {
		return forecast.Snapshot{}, capacity.Decision{}, err
	}
	s := p.forecast(p.document(at, observed), predicted)
	surprise, err := p.surprise(ctx, history, observed)
	if err != nil {
		return forecast.Snapshot{}, capacity.Decision{}, err
	}
	return p.plan(s, surprise, "")
}

// present is the instant a history ends at, and the newest load known then.
func (p *Pipeline) present(history series.DataFrame) (time.Time, forecast.Observation, error) {
	at := history.End()
	observed, ok := newest(view(history, at.Add(-p.w.Window), at))
	if !ok {
		return at, observed, &fault{stage: collectStage, err: kindOf(errNoData, "nothing was observed in the %s before %s", env.FormatDuration(p.w.Window), at.Format(time.RFC3339))}
	}
	return at, observed, nil
}

// plan turns a forecast into the replicas to publish, or the load observed now
// where there is none.
func (p *Pipeline) plan(s forecast.Snapshot, surprise float64, noForecast string) (forecast.Snapshot, capacity.Decision, error) {
	var d capacity.Decision
	err := guard(planStage, func() (err error) {
		defer p.timed(planStage)()
		d, err = capacity.Decide(capacity.Situation{
			Values: s.Values, Quantiles: s.Quantiles, Observed: s.Observed.Value, Surprise: surprise, Skill: s.Skill, NoForecast: noForecast,
		}, p.w.Rules)
		if err != nil {
			return err
		}
		s.DesiredReplicas, s.ForecastPlan, s.Mode, s.Reason = d.Replicas, d.ForecastPlan, d.Mode, d.Reason
		return s.Validate()
	})
	return s, d, err
}

// surprise is how far the newest step was above what the fit in force says of
// it when it sees only what came before; 0 where it is not asked for or the
// newest step is a gap.
func (p *Pipeline) surprise(ctx context.Context, history series.DataFrame, observed forecast.Observation) (float64, error) {
	at := history.End()
	if !p.w.Rules.NowcastLift || !observed.At.Equal(at) {
		return 0, nil
	}
	before := at.Add(-p.w.Step)
	window := view(history, before.Add(-p.w.Window), before)
	if _, ok := newest(window); !ok {
		return 0, nil
	}
	f, err := p.predict(ctx, window)
	if err != nil {
		return 0, fmt.Errorf("forecasting the newest step from the one before: %w", err)
	}
	return observed.Value - f.Values[0], nil
}

// document is the snapshot before there is a forecast or a plan.
func (p *Pipeline) document(at time.Time, observed forecast.Observation) forecast.Snapshot {
	return forecast.Snapshot{
		Workload: p.w.Name, Metric: p.w.Metric, GeneratedAt: at, Observed: &observed,
		IntervalSeconds: seconds(p.w.Interval), StepSeconds: seconds(p.w.Step), HorizonSeconds: seconds(p.w.Horizon),
	}
}

// forecast fills in what the model in force says, and how it fared.
func (p *Pipeline) forecast(s forecast.Snapshot, f models.Forecast) forecast.Snapshot {
	s.Model, s.Values, s.Quantiles = p.force.model.Name(), f.Values, f.Quantiles
	if stood, ok := p.force.model.(models.Substituted); ok {
		if name, _ := stood.Substitute(); name != "" {
			s.Model = name + " for " + s.Model
			p.metrics.fellBack(s.Workload, 1)
		}
	}
	if scored, ok := p.force.model.(models.Scored); ok {
		s.Skill = scored.Score().Skill(p.w.Step)
	}
	return s
}

func (p *Pipeline) predict(ctx context.Context, window series.DataFrame) (models.Forecast, error) {
	var f models.Forecast
	err := guard(predictStage, func() (err error) {
		defer p.timed(predictStage)()
		if p.force.model == nil {
			return models.ErrUntrained
		}
		if f, err = p.force.model.Predict(ctx, p.frame(window)); err != nil {
			return fmt.Errorf("%s: %w", p.force.model.Name(), err)
		}
		f, err = sound(f, p.steps(), nonNegative(window.Values))
		if err != nil {
			return fmt.Errorf("%s: %w", p.force.model.Name(), err)
		}
		return nil
	})
	return f, err
}

func (p *Pipeline) frame(history series.DataFrame) features.Frame {
	return features.Build(trimmed(history), p.steps(), p.w.Calendar)
}

func (p *Pipeline) steps() int { return int(p.w.Horizon / p.w.Step) }

// timed reports how long a stage ran, on the machine's clock: work takes as
// long as it takes however fast the engine's clock runs.
func (p *Pipeline) timed(s stage) func() {
	began := time.Now()
	return func() { p.metrics.took(s, time.Since(began)) }
}

// sound holds a model to its contract before anything is built on what it
// said, and keeps a metric that was never negative from being forecast so.
func sound(f models.Forecast, steps int, clamp bool) (models.Forecast, error) {
	if err := soundValues("the median", f.Values, steps, clamp); err != nil {
		return f, err
	}
	for _, q := range f.Quantiles {
		if err := soundValues(fmt.Sprintf("quantile %g", q.Level), q.Values, steps, clamp); err != nil {
			return f, err
		}
	}
	return f, nil
}

func soundValues(name string, values []float64, steps int, clamp bool) error {
	if len(values) != steps {
		return fmt.Errorf("%s has %d values, want %d: %w", name, len(values), steps, errShape)
	}
	for i, v := range values {
		if !series.Observed(v) {
			return fmt.Errorf("%s is %v at step %d: %w", name, v, i, errNotFinite)
		}
		if clamp {
			values[i] = max(0, v)
		}
	}
	return nil
}

func nonNegative(values []float64) bool {
	for _, v := range values {
		if v < 0 && !math.IsInf(v, -1) {
			return false
		}
	}
	return true
}

func seconds(d time.Duration) int { return int(d / time.Second) }
