package engine

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/kedastral/kedastral/forecaster/models"
	"github.com/kedastral/kedastral/forecaster/series"
	"github.com/kedastral/kedastral/shared/env"
)

// fitted is the model in force and how it came to be. All of it follows from
// the history and the configuration, however long the process has run.
type fitted struct {
	model models.Model
	due   time.Time // the multiple of the training interval it goes back to
	at    time.Time // the instant whose past it knows: due, or a look after it
	seen  time.Time // the newest look at whether it still holds
}

// Why a fit was made.
const (
	onSchedule  = "schedule"
	onResiduals = "residuals"
)

// Train brings the fit that is in force at the history's end about, which
// reaches back to [Pipeline.Start] of its end.
//
// That is the fit of the newest multiple of the training interval, or a newer
// one where a look at the loads since found them outside the band forecast for
// them. Where the fit of that multiple fails, the one before stays in force,
// looks and all, for one more interval and no longer: what is older a process
// that starts now could not find out. A failed fit is tried again next time.
func (p *Pipeline) Train(ctx context.Context, history series.DataFrame) error {
	due := p.w.fitAt(history.End())
	if p.force.model == nil || !p.force.due.Equal(due) {
		if err := p.renew(ctx, history, due); err != nil {
			return err
		}
	}
	return p.look(ctx, history)
}

// renew fits at a multiple of the training interval. What it returns is why
// that failed, though the fit before may stand.
func (p *Pipeline) renew(ctx context.Context, history series.DataFrame, due time.Time) error {
	model, err := p.fit(ctx, history, due, onSchedule)
	if err == nil {
		p.force = fitted{model: model, due: due, at: due, seen: due}
		return nil
	}
	before := due.Add(-p.w.TrainInterval)
	if p.force.model == nil || p.force.due.Before(before) {
		p.force = fitted{}
		if model, failed := p.fit(ctx, history, before, onSchedule); failed == nil {
			p.force = fitted{model: model, due: before, at: before, seen: before}
		}
	}
	if p.force.model == nil {
		return err
	}
	if looked := p.look(ctx, history); looked != nil {
		return fmt.Errorf("%w; and %w", err, looked)
	}
	return err
}

// look asks at every multiple of the check interval up to the history's end
// whether the fit in force still holds, and replaces it where it does not.
func (p *Pipeline) look(ctx context.Context, history series.DataFrame) error {
	if p.w.CheckInterval == 0 {
		return nil
	}
	for at := p.force.seen.Add(p.w.CheckInterval); !at.After(history.End()); at = at.Add(p.w.CheckInterval) {
		holds, err := p.holds(ctx, history, at)
		if err != nil {
			return err
		}
		if !holds {
			model, err := p.fit(ctx, history, at, onResiduals)
			if err != nil {
				return err
			}
			p.force.model, p.force.at = model, at
		}
		p.force.seen = at
	}
	return nil
}

// holds reports whether the loads of the check interval before at lay within
// what the fit in force, knowing only what came before them, expected.
func (p *Pipeline) holds(ctx context.Context, history series.DataFrame, at time.Time) (bool, error) {
	from := at.Add(-p.w.CheckInterval)
	past, came := view(history, from.Add(-p.w.Window), from), view(history, from, at)
	if came.LastObserved() < 0 || past.LastObserved() < 0 {
		return true, nil // nothing speaks against it
	}
	f, err := p.predict(ctx, past)
	if err != nil {
		return false, ctx.Err() // a fit that cannot forecast does not hold
	}
	return within(f, came.Values), nil
}

// within reports whether at least half of what came lay within the outermost
// quantiles of its forecast. A side without a quantile mirrors the other; a
// forecast without any quantile has no band, and nothing is within.
func within(f models.Forecast, came []float64) bool {
	in, seen := 0, 0
	for h, v := range came[:min(len(came), len(f.Values))] {
		if !series.Observed(v) {
			continue
		}
		seen++
		if low, high := band(f, h); low <= v && v <= high {
			in++
		}
	}
	return 2*in >= seen
}

// band is what a forecast expects of one step at most and at least.
func band(f models.Forecast, step int) (low, high float64) {
	median := f.Values[step]
	low, high = math.Inf(1), math.Inf(-1)
	for _, q := range f.Quantiles {
		switch v := q.Values[step]; {
		case q.Level < 0.5:
			low = min(low, v)
		case q.Level > 0.5:
			high = max(high, v)
		}
	}
	if math.IsInf(low, 0) {
		low = 2*median - high
	}
	if math.IsInf(high, 0) {
		high = 2*median - low
	}
	return low, high
}

// fit makes a model of the window before an instant.
func (p *Pipeline) fit(ctx context.Context, history series.DataFrame, at time.Time, why string) (models.Model, error) {
	var model models.Model
	err := guard(trainStage, func() (err error) {
		defer p.timed(trainStage)()
		if model, err = p.w.NewModel(); err != nil {
			return err
		}
		if err := model.Train(ctx, p.frame(view(history, at.Add(-p.w.Window), at))); err != nil {
			return fmt.Errorf("%s on the %s before %s: %w", model.Name(), env.FormatDuration(p.w.Window), at.Format(time.RFC3339), err)
		}
		p.metrics.fitted(p.w.Name, why)
		return nil
	})
	return model, err
}
