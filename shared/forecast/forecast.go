// Package forecast is the one document that crosses the wire between the
// forecaster and a scaler: what it holds, what makes it valid, how old it is,
// and which errors stand in its place.
//
// Everything that can answer "what is the latest forecast of this workload?"
// is a [Reader]: the engine, the HTTP client and the cache wrap one another
// behind that one verb.
package forecast

import (
	"context"
	"slices"
	"time"
)

// Reader answers with the latest snapshot of a workload, named
// NAMESPACE/NAME. Its errors wrap one of the sentinels of this package where
// one applies.
type Reader interface {
	Latest(ctx context.Context, workload string) (Snapshot, error)
}

// ReaderFunc is a function that is a [Reader].
type ReaderFunc func(ctx context.Context, workload string) (Snapshot, error)

// Latest calls the function.
func (f ReaderFunc) Latest(ctx context.Context, workload string) (Snapshot, error) {
	return f(ctx, workload)
}

// Mode says what a snapshot's replica counts were planned from.
type Mode string

// The modes of a snapshot.
const (
	Predictive Mode = "predictive" // from the forecast
	Reactive   Mode = "reactive"   // from the load observed now: the forecast has no skill, or there is none
	Shadow     Mode = "shadow"     // from the load observed now: the forecast is only watched
)

// Snapshot is one workload's forecast and the plan made from it.
//
// Element i of Values, of every quantile and of DesiredReplicas speaks for the
// step that starts at GeneratedAt + i·StepSeconds; all have the same length,
// HorizonSeconds / StepSeconds.
type Snapshot struct {
	Workload        string     `json:"workload"`               // NAMESPACE/NAME
	Metric          string     `json:"metric"`                 // what Values measure, for people
	GeneratedAt     time.Time  `json:"generatedAt"`            // the aligned instant the forecast starts at, UTC
	IntervalSeconds int        `json:"intervalSeconds"`        // a newer snapshot is generated this long after GeneratedAt
	DelaySeconds    int        `json:"delaySeconds,omitempty"` // each is published this long after its GeneratedAt, once its data is complete
	StepSeconds     int        `json:"stepSeconds"`            // length of one step
	HorizonSeconds  int        `json:"horizonSeconds"`         // StepSeconds · len(Values)
	Values          []float64  `json:"values"`                 // the median forecast of the load
	Quantiles       []Quantile `json:"quantiles,omitempty"`    // ascending levels, never crossing
	DesiredReplicas []int      `json:"desiredReplicas"`        // the plan to act on

	// ForecastPlan is what the forecast alone asks for. It is there when Mode
	// is not predictive, so that a person sees what would be done and can
	// judge it; nothing acts on it.
	ForecastPlan []int `json:"forecastPlan,omitempty"`

	Model    string       `json:"model"`
	Mode     Mode         `json:"mode"`
	Reason   string       `json:"reason,omitempty"` // why Mode is not predictive, in words
	Observed *Observation `json:"observed,omitempty"`
	Skill    *Skill       `json:"skill,omitempty"`

	// Received and AgeAtReceipt are set by whoever took the snapshot in: the
	// age as the clock saw it that dated the snapshot, and when that was on this
	// machine's clock, with its monotonic reading. They never travel.
	Received     time.Time     `json:"-"`
	AgeAtReceipt time.Duration `json:"-"`
}

// Quantile is one level of the forecast distribution: the load stays at or
// below Values[i] with probability Level.
type Quantile struct {
	Level  float64   `json:"level"`
	Values []float64 `json:"values"`
}

// Observation is the newest load that was observed, not forecast.
type Observation struct {
	Value float64   `json:"value"`
	At    time.Time `json:"at"` // end of the step it was observed over
}

// Skill is how the model fared on the recent past, measured by forecasting it
// again from earlier origins.
type Skill struct {
	Origins  int         `json:"origins"`  // how many rolling origins it rests on
	Overall  float64     `json:"overall"`  // 1 − error / error of the better benchmark, over the horizon; ≤ 0 is no skill
	Blocks   []SkillAt   `json:"blocks"`   // per horizon block, ascending
	Coverage []Coverage  `json:"coverage"` // per quantile level
	MASE     float64     `json:"mase"`     // mean absolute error ÷ in-sample seasonal-naive error
	Pinball  []LevelLoss `json:"pinball"`  // per quantile level, scaled like MASE
}

// SkillAt is the skill within one block of the horizon.
type SkillAt struct {
	ToSeconds int     `json:"toSeconds"`       // the block ends this long after the origin
	LastValue float64 `json:"overLastValue"`   // against repeating the last value
	Seasonal  float64 `json:"overSeasonal"`    // against repeating the last season
	MAE       float64 `json:"meanAbsoluteErr"` // in the metric's unit
}

// Coverage is how often the truth stayed at or below a quantile.
type Coverage struct {
	Level    float64 `json:"level"`
	Measured float64 `json:"measured"`
}

// LevelLoss is the pinball loss at a quantile level.
type LevelLoss struct {
	Level float64 `json:"level"`
	Loss  float64 `json:"loss"`
}

// Step is the length of one step.
func (s Snapshot) Step() time.Duration { return time.Duration(s.StepSeconds) * time.Second }

// Interval is how long after GeneratedAt a newer snapshot is generated.
func (s Snapshot) Interval() time.Duration { return time.Duration(s.IntervalSeconds) * time.Second }

// Age is how old the snapshot is at now. For one that was taken in it is its
// age then plus the time since, so that skew between two machines' clocks does
// not matter; the larger of wall and monotonic time counts, so that neither a
// clock set back nor a suspended machine makes an old forecast young.
func (s Snapshot) Age(now time.Time) time.Duration {
	if s.Received.IsZero() {
		return max(0, now.Sub(s.GeneratedAt))
	}
	since := max(now.Sub(s.Received), now.Round(0).Sub(s.Received.Round(0)), 0)
	return s.AgeAtReceipt + since
}

// Delay is how long after its GeneratedAt a snapshot is published.
func (s Snapshot) Delay() time.Duration { return time.Duration(s.DelaySeconds) * time.Second }

// FreshFor is the age up to which a newer snapshot may well not have come yet:
// twice the interval, and what it takes to publish one.
func (s Snapshot) FreshFor() time.Duration { return 2*s.Interval() + s.Delay() }

// Overdue reports whether at now a newer snapshot should have come.
func (s Snapshot) Overdue(now time.Time) bool { return s.Age(now) >= s.FreshFor() }

// Replaces reports whether the snapshot may take the place of the one held: the
// newest GeneratedAt stands, whoever brings it and in whatever order. One that
// is held from the future of the newcomer was dated by a clock that was set
// back since. It gives way, or nothing would come after it until that clock
// has caught up.
func (s Snapshot) Replaces(held Snapshot) bool {
	return !s.GeneratedAt.Before(held.GeneratedAt) || !s.Received.IsZero() && held.GeneratedAt.After(s.Received)
}

// Highest is the largest of the desired replicas over [age, age + window):
// what has to be there within the window by a clock at which the snapshot is
// this old. The step under way counts, a window shorter than a step means now,
// where the horizon ends inside the window the covered part decides, and ok is
// false once the horizon has passed.
func (s Snapshot) Highest(age, window time.Duration) (replicas int, ok bool) {
	return Highest(s.DesiredReplicas, s.Step(), age, window)
}

// Highest is [Snapshot.Highest] of a plan that is kept apart from its snapshot.
func Highest[Count int | int32](plan []Count, step, age, window time.Duration) (replicas Count, ok bool) {
	steps := int64(len(plan))
	if step <= 0 || age < 0 || int64(age/step) >= steps {
		return 0, false
	}
	first, into := int64(age/step), age%step
	window = max(window, 1)
	touched := int64(window/step) + int64((into+window%step+step-1)/step) // the remainders keep this far from overflowing
	return slices.Max(plan[first:min(first+touched, steps)]), true
}
