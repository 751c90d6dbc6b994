package engine

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/kedastral/kedastral/forecaster/series"
	"github.com/kedastral/kedastral/shared/forecast"
)

// Source is where a workload's history comes from.
type Source interface {
	// Collect reads the newest windowSeconds of the metric.
	Collect(ctx context.Context, windowSeconds int) (series.DataFrame, error)
	Name() string
}

// errOffGrid: the source answered on another grid than the workload's.
var errOffGrid = errors.New("history is off the workload's grid")

// between lays a frame on [start, end): what the frame does not cover is a
// gap, and what lies outside is cut, so that a tick for T sees nothing later
// than T however late it runs.
func between(frame series.DataFrame, start, end time.Time) series.DataFrame {
	out := series.DataFrame{Start: start, Step: frame.Step, Values: make([]float64, end.Sub(start)/frame.Step)}
	shift := int(start.Sub(frame.Start) / frame.Step) // out[i] is frame[i+shift]
	for i := range out.Values {
		if from := i + shift; from >= 0 && from < len(frame.Values) {
			out.Values[i] = frame.Values[from]
		} else {
			out.Values[i] = math.NaN()
		}
	}
	return out
}

// view is the part of a frame on [start, end), not copied unless the frame
// does not cover it.
func view(frame series.DataFrame, start, end time.Time) series.DataFrame {
	from, to := int(start.Sub(frame.Start)/frame.Step), int(end.Sub(frame.Start)/frame.Step)
	if from < 0 || to > len(frame.Values) {
		return between(frame, start, end)
	}
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

// onGrid refuses a frame whose steps are not the workload's.
func onGrid(frame series.DataFrame, step time.Duration, end time.Time) error {
	if frame.Step != step {
		return fmt.Errorf("step %v, want %v: %w", frame.Step, step, errOffGrid)
	}
	if end.Sub(frame.Start)%step != 0 {
		return fmt.Errorf("starts at %v, not a multiple of %v: %w", frame.Start, step, errOffGrid)
	}
	return nil
}

// newest is the last value that was observed.
func newest(history series.DataFrame) (forecast.Observation, bool) {
	for i := len(history.Values) - 1; i >= 0; i-- {
		if v := history.Values[i]; series.Observed(v) {
			end := history.Start.Add(time.Duration(i+1) * history.Step)
			return forecast.Observation{Value: v, At: end}, true
		}
	}
	return forecast.Observation{}, false
}
