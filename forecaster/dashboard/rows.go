package dashboard

import (
	"encoding/json"
	"math"
	"time"

	"github.com/kedastral/kedastral/forecaster/engine"
	"github.com/kedastral/kedastral/forecaster/history"
	"github.com/kedastral/kedastral/forecaster/series"
)

// A sparkline is the load of the last four hours and the forecast of the next
// one, the maximum of every five minutes.
const (
	sparkStep  = 5 * time.Minute
	sparkPast  = 48
	sparkAhead = 12
)

// row is one workload in the list.
type row struct {
	engine.Status
	Health   health          `json:"health"`
	Stale    bool            `json:"stale,omitempty"`    // the newest snapshot is older than two intervals, and than it takes to publish one
	Interval int             `json:"intervalSeconds"`    // between two snapshots; 0 before the first
	AtLead   history.Numbers `json:"atLead"`             // replicas within each of the lead times; null once the plan has ended
	Coverage *coverage       `json:"coverage,omitempty"` // of the upper quantile
	Past     history.Numbers `json:"past"`               // the sparkline's load
	Ahead    history.Numbers `json:"ahead"`              // and forecast
}

type coverage struct {
	Level    float64 `json:"level"`
	Measured float64 `json:"measured"`
}

// health is a workload's state and mode in the one word that people sort by.
type health string

const (
	predictive health = "predictive" // the forecast acts
	reactive   health = "reactive"   // it has no skill and does not
	shadow     health = "shadow"     // it is only watched
	warming    health = "warming"    // there is none yet
	failing    health = "failing"    // the newest tick had a fault, the last forecast stands or the load observed now decides
	stale      health = "stale"      // the last forecast is old, or too old to be given out
	silent     health = "silent"     // there never was one
)

// rowOf is the row of a workload at now.
func (p *Pages) rowOf(st engine.Status, now time.Time) row {
	if st.State == engine.Silent {
		st.Replicas, st.PeakReplicas = nil, nil // nobody is told those any more
	}
	r := row{Status: st, AtLead: make(history.Numbers, len(history.Leads()))}
	for i := range r.AtLead {
		r.AtLead[i] = math.NaN()
	}
	newest, known := p.Past.Newest(st.Workload)
	if known {
		r.Interval = int(newest.Interval / time.Second)
		r.Stale = now.Sub(newest.GeneratedAt) > 2*newest.Interval+newest.Delay+grace
		if st.State != engine.Silent {
			r.plan(newest, now)
		}
		if newest.Coverage != nil {
			r.Coverage = &coverage{newest.Coverage.Level, newest.Coverage.Measured}
		}
	}
	r.Health = judge(st, r.Stale)
	at := series.Align(now, sparkStep)
	if observed, err := p.Engine.Observed(st.Workload); err == nil {
		r.Past = spark(observed, at.Add(-sparkPast*sparkStep), sparkPast)
	}
	if known && !r.Stale {
		r.Ahead = spark(newest.Forecast(), at, sparkAhead)
	}
	return r
}

// grace is how much later than it is due a snapshot may be made: work takes its
// time.
const grace = time.Minute

// plan shows the counts by the clock, not those of the plan's first step.
func (r *row) plan(newest history.Newest, now time.Time) {
	if n, ok := newest.At(now, 0); ok {
		r.Replicas = &n
	} else {
		r.Replicas = nil
	}
	for i, ahead := range history.Leads() {
		if n, ok := newest.At(now, ahead); ok {
			r.AtLead[i] = float64(n)
		}
	}
}

func judge(st engine.Status, old bool) health {
	switch {
	case st.State == engine.Warming:
		return warming
	case st.State == engine.Silent && st.GeneratedAt.IsZero():
		return silent
	case st.State == engine.Silent || old:
		return stale
	case st.State == engine.Failing:
		return failing
	default:
		return health(st.Mode)
	}
}

// spark is the frame from an instant on, in n steps, without the unknown ones
// at its end.
func spark(frame series.DataFrame, from time.Time, n int) history.Numbers {
	out := make(history.Numbers, n)
	for i := range out {
		out[i] = math.NaN()
	}
	if frame.Step <= 0 {
		return nil
	}
	last := -1
	first := max(0, int(from.Sub(frame.Start)/frame.Step))
	for i := first; i < len(frame.Values); i++ {
		at := frame.Start.Add(time.Duration(i) * frame.Step)
		slot := int(at.Sub(from) / sparkStep)
		if at.Before(from) || !series.Observed(frame.Values[i]) {
			continue
		}
		if slot >= n {
			break
		}
		if !(out[slot] >= frame.Values[i]) {
			out[slot] = frame.Values[i]
		}
		last = slot
	}
	return out[:last+1]
}

// encode makes the JSON of all rows.
func (p *Pages) encode(now time.Time) ([]entry, error) {
	statuses := p.Engine.Workloads()
	entries := make([]entry, len(statuses))
	for i, st := range statuses {
		body, err := json.Marshal(p.rowOf(st, now))
		if err != nil {
			return nil, err //nolint:wrapcheck // the caller says what for
		}
		entries[i] = entry{name: st.Workload, body: body}
	}
	return entries, nil
}
