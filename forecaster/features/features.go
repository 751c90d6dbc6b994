// Package features says what is known about each instant of a history and of
// the horizon after it.
//
// A [Frame] carries the observations and the calendar; columns derived from
// them are computed when a model asks, so that a model pays only for what it
// uses and a week of minutes stays three allocations, not seventy thousand.
package features

import (
	"fmt"
	"time"

	"github.com/kedastral/kedastral/forecaster/series"
)

// Frame is a history and the horizon to forecast after it, on one time axis.
type Frame struct {
	Start    time.Time     // UTC, start of the first step
	Step     time.Duration // > 0, whole seconds
	Observed []float64     // the history; NaN where nothing was observed
	Horizon  int           // steps to forecast after the history
	Calendar Calendar      // what is known about every instant, past and future
}

// Calendar is what a model may know about instants besides their number.
type Calendar struct {
	Location *time.Location // nil is UTC; days, weeks and hours are this zone's
}

// Build lays a history out as the frame that models read.
func Build(history series.DataFrame, horizon int, calendar Calendar) Frame {
	return Frame{
		Start: history.Start, Step: history.Step, Observed: history.Values,
		Horizon: horizon, Calendar: calendar,
	}
}

// Origin is the instant the forecast starts at: the end of the history.
func (f Frame) Origin() time.Time { return f.Start.Add(time.Duration(len(f.Observed)) * f.Step) }

// Before is the frame as it was when only its first n steps had passed, with
// the same horizon. It shares the observations.
func (f Frame) Before(n int) Frame {
	f.Observed = f.Observed[:n:n]
	return f
}

// Validate says what is wrong with the frame's shape; its observations may be
// anything, gaps included.
func (f Frame) Validate() error {
	switch {
	case f.Step <= 0 || f.Step%time.Second != 0:
		return fmt.Errorf("step=%v: must be positive whole seconds", f.Step)
	case f.Horizon < 1:
		return fmt.Errorf("horizon=%d: must be at least one step", f.Horizon)
	}
	return nil
}
