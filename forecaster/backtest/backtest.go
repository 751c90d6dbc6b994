// Package backtest replays a workload's history through the engine's own
// pipeline and asks what would have happened: how good the forecasts were, and
// what the plans made from them would have served and cost beside a reactive
// HPA on the same load.
//
// The one thing to know: nothing here forecasts or plans. Every origin runs
// [engine.Pipeline] with the history before that instant, as a tick does, and
// every policy runs through the same imitation of the HPA and its pods
// ([cluster]); so what a backtest says is what the product would have done.
//
// Policies are compared at equal cost, too: a reactive HPA carries its slack
// all day in its target, a forecast only when it is needed, and either looks
// good when it may spend more.
package backtest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kedastral/kedastral/forecaster/engine"
	"github.com/kedastral/kedastral/forecaster/series"
	"github.com/kedastral/kedastral/shared/forecast"
)

// Origin is one instant the past was forecast from.
type Origin struct {
	Snapshot forecast.Snapshot
	Surprise float64 // what the newest step was above its forecast, where the rules ask for it

	noForecast string // why the snapshot is of the load observed then; blank where it is a forecast
}

// Replay is a stretch of the past, forecast again.
type Replay struct {
	Workload engine.Workload
	History  series.DataFrame // all of it; [From, To) was replayed
	From, To time.Time
	Origins  []Origin // ascending
	Failed   int      // instants no forecast could be made at
	Fault    error    // of the last of those

	ticks []Origin // Origins, and where there was no forecast the plan for the load observed, as the engine makes it
}

// ErrNoForecast says that not one instant of the replay could be forecast.
var ErrNoForecast = errors.New("nothing could be forecast")

// Run forecasts the newest part of a history from every instant a tick would
// have run at. Progress, unless nil, is told how far it is.
func Run(ctx context.Context, w engine.Workload, history series.DataFrame, last time.Duration, progress func(done, total int)) (Replay, error) {
	if history.Step != w.Step {
		return Replay{}, fmt.Errorf("history of step %v for a workload of step %v: must be equal", history.Step, w.Step)
	}
	w.Rules.Shadow = false // a replay asks what acting would have done
	r := Replay{Workload: w, History: history, From: up(history.End().Add(-last), w.Interval), To: history.End()}
	if !r.From.After(history.Start) || !r.From.Before(r.To) {
		return Replay{}, fmt.Errorf("replaying the last %v of the %v from %s on: nothing is left to learn from or to replay",
			last, r.To.Sub(history.Start), history.Start.Format(time.RFC3339))
	}
	pipeline, err := engine.NewPipeline(w)
	if err != nil {
		return Replay{}, err
	}
	padded := history.Window(pipeline.Start(r.From), r.To)
	total := int((r.To.Sub(r.From)-1)/w.Interval) + 1
	for i := range total {
		if err := ctx.Err(); err != nil {
			return Replay{}, err
		}
		at := r.From.Add(time.Duration(i) * w.Interval)
		r.tick(ctx, pipeline, padded, at)
		if progress != nil {
			progress(i+1, total)
		}
	}
	if len(r.Origins) == 0 {
		return Replay{}, fmt.Errorf("%w at any of %d instants: %w", ErrNoForecast, r.Failed, r.Fault)
	}
	return r, nil
}

// tick is one of the engine's: the fit that is due, then the forecast and its
// plan, or that of the load observed where there is no forecast.
func (r *Replay) tick(ctx context.Context, p *engine.Pipeline, padded series.DataFrame, at time.Time) {
	from, to := padded.Index(p.Start(at)), padded.Index(at)
	past := series.DataFrame{Start: p.Start(at), Step: padded.Step, Values: padded.Values[from:to:to]}
	fault := p.Train(ctx, past) // the fit before may stand
	s, d, err := p.Snapshot(ctx, past)
	if err == nil {
		o := Origin{Snapshot: s, Surprise: d.Lift}
		r.Origins, r.ticks = append(r.Origins, o), append(r.ticks, o)
		return
	}
	r.Failed, r.Fault = r.Failed+1, errors.Join(fault, err)
	if s, _, err := p.Reactive(past, r.Fault); err == nil { // else the load is not known
		r.ticks = append(r.ticks, Origin{Snapshot: s, noForecast: s.Reason})
	}
}

// up is the first multiple of d since the Unix epoch at or after t.
func up(t time.Time, d time.Duration) time.Time {
	if low := series.Align(t, d); low.Before(t) {
		return low.Add(d)
	}
	return t
}

// newest is the newest origin an instant knows of, -1 for none: a tick runs
// once its data has settled.
func newest(origins []Origin, now time.Time, settle time.Duration) int {
	low, high := 0, len(origins)
	for low < high {
		middle := (low + high) / 2
		if origins[middle].Snapshot.GeneratedAt.After(now.Add(-settle)) {
			high = middle
		} else {
			low = middle + 1
		}
	}
	return low - 1
}

// load is what was observed in the step that holds an instant; NaN for a gap.
func (r Replay) load(now time.Time) float64 { return r.History.Values[r.History.Index(now)] }
