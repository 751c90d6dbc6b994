// Package adapters is where history comes from. Each source has a room of its
// own below this one; here is what they have in common: the interface, the
// faults a read can end in, and what can be wrong with a read that succeeded.
//
// The one thing to know: missing is not zero. A step that a source says
// nothing about is NaN, a source that says nothing at all is [ErrNoData], and
// an answer known to be incomplete is [ErrPartial] and never a smaller load.
package adapters

import (
	"context"
	"fmt"
	"time"

	"github.com/kedastral/kedastral/forecaster/series"
)

// Adapter reads one metric of one workload from one kind of source.
type Adapter interface {
	// Collect reads the newest windowSeconds, in whole steps rounded up: the
	// frame ends with the last step that is complete, covers the whole window,
	// and is NaN where the source has no value, also at its end. It belongs to
	// the caller. An error is a [Fault] or the context's.
	Collect(ctx context.Context, windowSeconds int) (series.DataFrame, error)
	// Name is the kind of source, for messages: prometheus, recorded.
	Name() string
}

// Warner is an adapter that can say what looks wrong with the metric although
// reading it succeeded.
type Warner interface {
	// Warnings are those of the last successful read, the same ones for as
	// long as they hold.
	Warnings() []Warning
}

// Warning is something a person should look at.
type Warning struct {
	Kind string // one of the Warn constants, to label a metric with
	Text string // what was seen, and what to do about it
}

// The kinds of warnings.
const (
	WarnAverage   = "average"    // the query averages over pods, so the load falls as pods are added
	WarnClockSkew = "clock_skew" // the clocks of source and forecaster differ by more than a step
	WarnCounter   = "counter"    // a counter is read without rate()
	WarnNegative  = "negative"   // values below zero, which no load has, were left out
	WarnReplicas  = "replicas"   // the query counts pods, so the forecast would be of its own doing
)

// maxSteps bounds a window: almost four years of minutes, 23 days of seconds.
const maxSteps = 2_000_000

// Span is the time a read covers: the window that ends with the last step that
// ended settle or longer before now. Both ends are multiples of the step.
func Span(now time.Time, settle, step time.Duration, windowSeconds int) (from, to time.Time, err error) {
	if err := series.CheckStep(step); err != nil {
		return from, to, err
	}
	perStep := int(step / time.Second)
	if windowSeconds < perStep || windowSeconds/perStep > maxSteps {
		return from, to, fmt.Errorf("window of %d s in steps of %v: must hold between 1 and %d steps", windowSeconds, step, maxSteps)
	}
	steps := (windowSeconds + perStep - 1) / perStep
	to = series.Align(now.Add(-settle), step)
	return to.Add(-time.Duration(steps) * step), to, nil
}
