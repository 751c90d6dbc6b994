package history

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/kedastral/kedastral/forecaster/series"
	"github.com/kedastral/kedastral/shared/env"
)

// The limits of a [Query].
const (
	DefaultWindow = 6 * time.Hour
	MaxPoints     = 2000
	DefaultPoints = 720
	unrecorded    = 24 * time.Hour // window at most where nothing is recorded
)

// Loads is who knows what was observed and what that needed.
type Loads interface {
	// Observed is the newest history of the workload, not to be changed.
	Observed(workload string) (series.DataFrame, error)
	// Need is the replicas that a load needs under the workload's policy.
	Need(workload string, load float64) (replicas int, ok bool)
}

// Query says which part of the past is asked for.
type Query struct {
	Now    time.Time
	Window time.Duration // before Now; 0 is [DefaultWindow], or the longest there is where that is less
	Points int           // at most, 2 to [MaxPoints]
}

// Reporter answers queries about the workloads that its loads know.
type Reporter struct {
	*Recorder
	Loads
}

// Report answers a query. Its error is that of the loads, or wraps
// [ErrQuery].
func (r Reporter) Report(workload string, q Query) (Report, error) {
	return r.report(r.Loads, workload, q)
}

// ErrQuery says that a query asks for what is not given.
var ErrQuery = errors.New("bad query")

// Report is the past of a workload, all on one axis: element i of every list
// speaks for the step of StepSeconds from Start + i·StepSeconds. Where a step
// of the axis holds several values it shows their maximum, because peaks are
// what replicas are for. Unknown is null.
type Report struct {
	Workload    string    `json:"workload"`
	Now         time.Time `json:"now"`
	Start       time.Time `json:"start"`
	StepSeconds int       `json:"stepSeconds"`
	Observed    Numbers   `json:"observed"` // load
	Needed      Numbers   `json:"needed"`   // replicas that load needed
	Replicas    Numbers   `json:"replicas"` // asked for at that time, without lead time
	Level       float64   `json:"level"`    // of the leads' upper quantile; 0 without
	Leads       []Lead    `json:"leads"`
	Events      []Event   `json:"events"`
}

// Lead is what had been forecast AheadSeconds before.
type Lead struct {
	AheadSeconds int     `json:"aheadSeconds"`
	Median       Numbers `json:"median"`   // for the time of the axis, made that long before it
	Upper        Numbers `json:"upper"`    // the quantile Level, likewise
	Replicas     Numbers `json:"replicas"` // asked for at that time by a scaler of this lead time
}

// Keeps is how far back what was published is remembered; 0 is not at all.
func (r *Recorder) Keeps() time.Duration { return max(0, r.keep) }

// Limit is the longest window that a query may ask for.
func (r *Recorder) Limit() time.Duration {
	if r.keep <= 0 {
		return unrecorded
	}
	return max(r.keep, time.Hour)
}

func (r *Recorder) report(loads Loads, workload string, q Query) (Report, error) {
	if q.Window == 0 {
		q.Window = min(DefaultWindow, r.Limit())
	}
	if q.Window < 0 || q.Window > r.Limit() {
		return Report{}, fmt.Errorf("window=%s: must be positive and at most %s: %w", env.FormatDuration(q.Window), env.FormatDuration(r.Limit()), ErrQuery)
	}
	if q.Points < 2 || q.Points > MaxPoints {
		return Report{}, fmt.Errorf("points=%d: must be between 2 and %d: %w", q.Points, MaxPoints, ErrQuery)
	}
	observed, err := loads.Observed(workload)
	if err != nil {
		return Report{}, err //nolint:wrapcheck // it names the workload
	}
	rep := Report{Workload: workload, Now: q.Now.UTC(), Leads: []Lead{}, Events: []Event{}}
	r.mu.RLock()
	defer r.mu.RUnlock()
	t := r.tracks[workload]
	x := axisOf(observed, t, q)
	rep.Start, rep.StepSeconds = x.start, int(x.step/time.Second)
	rep.Observed, rep.Needed, rep.Replicas = x.empty(), x.empty(), x.empty()
	for i, v := range observed.Values {
		x.raise(rep.Observed, observed.Start.Add(time.Duration(i)*observed.Step), v)
	}
	for i, v := range rep.Observed {
		if n, ok := loads.Need(workload, v); ok {
			rep.Needed[i] = float64(n)
		}
	}
	if t != nil {
		t.fill(&rep, x)
	}
	return rep, nil
}

// fill lays what was recorded over the axis.
func (t *track) fill(rep *Report, x axis) {
	rep.Level, rep.Events = t.ring.level, slices.Clone(t.events)
	for _, l := range t.ring.leads {
		rep.Leads = append(rep.Leads, Lead{AheadSeconds: int(l.ahead / time.Second), Median: x.empty(), Upper: x.empty(), Replicas: x.empty()})
	}
	t.ring.each(func(at time.Time, slot int) {
		x.raise(rep.Replicas, at, float64(t.ring.replicas[slot]))
		for i, l := range t.ring.leads {
			x.raise(rep.Leads[i].Median, at.Add(l.ahead), float64(l.median[slot]))
			x.raise(rep.Leads[i].Upper, at.Add(l.ahead), float64(l.upper[slot]))
			x.raise(rep.Leads[i].Replicas, at, float64(l.replicas[slot]))
		}
	})
}

// axis is an even grid in time.
type axis struct {
	start time.Time
	step  time.Duration
	n     int
}

// axisOf covers the query with steps that are multiples of the workload's own.
func axisOf(observed series.DataFrame, t *track, q Query) axis {
	step := observed.Step
	if step <= 0 && t != nil {
		step = t.newest.Step
	}
	if step <= 0 {
		step = time.Minute
	}
	if t != nil && len(t.ring.replicas) > 0 {
		step = max(step, t.ring.spacing) // or every list would be full of holes
	}
	// Rounding the start down may take one step more than the window has.
	base, factor := step, 1
	for int((q.Window+step-1)/step)+1 > q.Points {
		factor++
		step = time.Duration(factor * int(base))
	}
	x := axis{start: series.Align(q.Now.Add(-q.Window), step), step: step}
	x.n = int((q.Now.Sub(x.start) + step - 1) / step)
	return x
}

func (x axis) empty() Numbers {
	out := make(Numbers, x.n)
	for i := range out {
		out[i] = math.NaN()
	}
	return out
}

// raise shows v at the instant, unless more is shown there. What is unknown or
// off the axis is left out.
func (x axis) raise(column Numbers, at time.Time, v float64) {
	if at.Before(x.start) || math.IsNaN(v) || math.IsInf(v, 0) {
		return
	}
	i := int(at.Sub(x.start) / x.step)
	if i < len(column) && !(column[i] >= v) {
		column[i] = v
	}
}
