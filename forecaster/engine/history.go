package engine

import (
	"errors"
	"time"

	"github.com/kedastral/kedastral/forecaster/series"
	"github.com/kedastral/kedastral/shared/env"
	"github.com/kedastral/kedastral/shared/forecast"
)

// errOffGrid: the source answered on another grid than the workload's.
var errOffGrid = errors.New("history is off the workload's grid")

// onGrid refuses a frame whose steps are not the workload's.
func onGrid(frame series.DataFrame, step time.Duration) error {
	if frame.Step != step {
		return kindOf(errOffGrid, "its step is %s, must be STEP=%s", env.FormatDuration(frame.Step), env.FormatDuration(step))
	}
	if !floor(frame.Start, step).Equal(frame.Start) {
		return kindOf(errOffGrid, "it starts at %s, must be a multiple of STEP=%s", frame.Start.Format(time.RFC3339Nano), env.FormatDuration(step))
	}
	return nil
}

// view is the part of a frame on [start, end), a copy only where the frame
// does not cover it.
func view(frame series.DataFrame, start, end time.Time) series.DataFrame {
	if start.Before(frame.Start) || end.After(frame.End()) {
		return frame.Window(start, end)
	}
	from, to := int(start.Sub(frame.Start)/frame.Step), int(end.Sub(frame.Start)/frame.Step)
	return series.DataFrame{Start: start, Step: frame.Step, Values: frame.Values[from:to:to]}
}

// trimmed starts at the first observation: before it the metric did not exist
// yet, which is not the same as a gap.
func trimmed(frame series.DataFrame) series.DataFrame {
	for i, v := range frame.Values {
		if series.Observed(v) {
			frame.Start, frame.Values = frame.Start.Add(time.Duration(i)*frame.Step), frame.Values[i:]
			return frame
		}
	}
	return frame
}

// newest is the last value that was observed.
func newest(history series.DataFrame) (forecast.Observation, bool) {
	i := history.LastObserved()
	if i < 0 {
		return forecast.Observation{}, false
	}
	return forecast.Observation{Value: history.Values[i], At: history.Start.Add(time.Duration(i+1) * history.Step)}, true
}
