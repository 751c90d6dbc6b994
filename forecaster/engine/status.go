package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kedastral/kedastral/forecaster/adapters"
	"github.com/kedastral/kedastral/forecaster/capacity"
	"github.com/kedastral/kedastral/forecaster/models"
	"github.com/kedastral/kedastral/shared/forecast"
)

// State says how a workload fares.
type State string

// The states of a workload.
const (
	Warming     State = "warming"     // its first tick has not ended
	Forecasting State = "forecasting" // its newest tick published and had no fault
	Following   State = "following"   // its newest tick was left to another forecaster, whose snapshot is served
	Failing     State = "failing"     // its newest tick had a fault; there still is a forecast to serve
	Silent      State = "silent"      // there is nothing to publish
)

// Status is how a workload fares, for people and machines.
type Status struct {
	Workload     string        `json:"workload"`
	Metric       string        `json:"metric"`
	Source       string        `json:"source"`
	State        State         `json:"state"`
	Reason       string        `json:"reason,omitempty"`       // why State is not forecasting
	Next         string        `json:"next,omitempty"`         // what to do about it
	Model        string        `json:"model,omitempty"`        // of the newest snapshot, like all below
	Mode         forecast.Mode `json:"mode,omitempty"`         // what its plan was made from
	ModeReason   string        `json:"modeReason,omitempty"`   // why not from the forecast
	GeneratedAt  time.Time     `json:"generatedAt,omitzero"`   // when it starts
	Observed     *float64      `json:"observed,omitempty"`     // the newest load it knows
	DataAt       time.Time     `json:"dataAt,omitzero"`        // when that was
	Replicas     *int          `json:"replicas,omitempty"`     // for the step it starts with
	PeakReplicas *int          `json:"peakReplicas,omitempty"` // the most it asks for within its horizon
	Skill        *float64      `json:"skill,omitempty"`        // of the model over repeating the last value, by which it may act
	Warnings     []string      `json:"warnings,omitempty"`     // what looks wrong with the metric itself
	Skipped      int           `json:"skippedTicks"`
	LastTick     time.Time     `json:"lastTick,omitzero"` // the instant the newest tick was for
}

// Latest answers with what the workload's newest tick published: it is a
// [forecast.Reader]. A name that is not NAMESPACE/NAME is
// [forecast.ErrMalformed], one that is not configured [forecast.ErrNotFound],
// one that another forecaster computes [forecast.ErrElsewhere].
// [forecast.ErrNotReady] carries the reason there is nothing to publish: not
// warm yet, never anything to learn from, or no data for MaxDataAge.
func (e *Engine) Latest(ctx context.Context, workload string) (forecast.Snapshot, error) {
	k, err := e.find(workload)
	if err != nil {
		return forecast.Snapshot{}, err
	}
	s, ok, err := e.Store.GetLatest(ctx, workload)
	if err != nil {
		return forecast.Snapshot{}, fmt.Errorf("reading the latest snapshot of %q: %w", workload, err)
	}
	if !ok {
		return forecast.Snapshot{}, notReady(workload, k.outcome().fault)
	}
	now := e.Clock.Now()
	if s.GeneratedAt.After(now) { // put before the clock was set back: it would seem young until then
		if s = k.outcome().published; s.GeneratedAt.IsZero() || s.GeneratedAt.After(now) {
			return forecast.Snapshot{}, notReady(workload, errFuture)
		}
	}
	if s.Observed != nil {
		if err := k.tooOld(s, now); err != nil {
			return forecast.Snapshot{}, notReady(workload, err)
		}
	}
	return s, nil
}

func notReady(workload string, why error) error {
	if why == nil {
		return fmt.Errorf("%w: %s: the warm start has not reached it", forecast.ErrNotReady, workload)
	}
	return fmt.Errorf("%w: %s: %w", forecast.ErrNotReady, workload, why)
}

func (e *Engine) find(workload string) (*worker, error) {
	if _, _, err := forecast.ParseWorkload(workload); err != nil {
		return nil, err
	}
	k, ok := e.workers[workload]
	if ok {
		return k, nil
	}
	if e.Elsewhere != nil {
		if err := e.Elsewhere(workload); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("%w: %s", forecast.ErrNotFound, workload)
}

// Workloads tells how every workload fares, in the configuration's order.
func (e *Engine) Workloads() []Status {
	now := e.Clock.Now()
	out := make([]Status, len(e.order))
	for i, name := range e.order {
		k := e.workers[name]
		out[i] = e.status(k, k.outcome(), now)
	}
	return out
}

// status is the workload's, and what is served nevertheless when it has
// published nothing itself.
func (e *Engine) status(k *worker, last outcome, now time.Time) Status {
	st := k.status(last, now)
	if st.GeneratedAt.IsZero() {
		if s, err := e.Latest(context.Background(), k.Name); err == nil {
			st.Reason += "; served meanwhile is the snapshot of " + stamp(s.GeneratedAt) + " in the store, which this process did not make"
		}
	}
	return st
}

func (e *Engine) states() map[State]int {
	count := make(map[State]int)
	for _, s := range e.Workloads() {
		count[s.State]++
	}
	return count
}

func (k *worker) outcome() outcome {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.last
}

// status judges the newest outcome at now: a forecast may have grown too old
// since its tick.
func (k *worker) status(last outcome, now time.Time) Status {
	st := Status{Workload: k.Name, Metric: k.Metric, Source: k.Source.Name(), Warnings: last.warnings, Skipped: last.skipped, LastTick: last.at}
	why := last.fault
	switch p := last.current(); {
	case !last.attempted:
		st.State, st.Reason = Warming, "the warm start has not reached it"
		return st
	case p.GeneratedAt.IsZero():
		st.State = Silent
	default:
		st.show(p)
		old := k.tooOld(p, now)
		switch {
		case old != nil:
			st.State = Silent
			if !errors.Is(why, errOldData) {
				why = errors.Join(old, why)
			}
		case why != nil:
			st.State = Failing
		case !last.taken.GeneratedAt.IsZero():
			st.State, st.Reason = Following, "another forecaster leads and reads the source; its snapshot is served"
		default:
			st.State = Forecasting
		}
	}
	if why != nil {
		st.Reason, st.Next = oneLine(why), next(why)
	}
	return st
}

func (st *Status) show(s forecast.Snapshot) {
	most := peak(s.DesiredReplicas)
	st.Model, st.Mode, st.ModeReason, st.GeneratedAt = s.Model, s.Mode, s.Reason, s.GeneratedAt
	st.Observed, st.DataAt = &s.Observed.Value, s.Observed.At
	st.Replicas, st.PeakReplicas = &s.DesiredReplicas[0], &most
	if s.Skill != nil {
		skill := capacity.OverLastValue(s.Skill)
		st.Skill = &skill
	}
}

// next is what a person can do about a fault.
func next(err error) string {
	switch {
	case adapters.Reason(err) == adapters.ReasonEnded:
		return "start the forecaster again to replay the recording once more, or with RECORDED_LOOP=true to let it go on"
	case errors.Is(err, errOldData): // before what made it old
		return "make the source answer with current data again; forecasting resumes by itself"
	case errors.Is(err, models.ErrTooShort):
		return "let the source gather more history, or set a longer WINDOW or another MODEL where that is too little for the model"
	case errors.Is(err, errNoData), errors.Is(err, adapters.ErrNoData):
		return "let the source gather more history, or check that the query returns a series for this workload"
	case errors.Is(err, errPanic), errors.Is(err, errNotFinite), errors.Is(err, errShape):
		return "report this with the log of the tick, and choose another MODEL for the workload until then"
	case errors.Is(err, errOffGrid):
		return "set STEP to the step the source answers with"
	case errors.Is(err, context.DeadlineExceeded):
		return "make the query cheaper (a recording rule), or the source's timeout longer"
	}
	if errors.Is(err, adapters.ErrConfig) {
		return "mend what the reason names; the source is asked again at every tick"
	}
	if f := (*fault)(nil); errors.As(err, &f) && f.stage == collectStage {
		return "see to the source; it is asked again at every tick"
	}
	return "see the log of the tick"
}
