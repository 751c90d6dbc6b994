package engine

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/kedastral/kedastral/forecaster/adapters"
	"github.com/kedastral/kedastral/forecaster/models"
	"github.com/kedastral/kedastral/shared/forecast"
)

// stage is one part of a tick.
type stage string

// The stages of a tick, in order.
const (
	collectStage stage = "collect"
	trainStage   stage = "train"
	predictStage stage = "predict"
	planStage    stage = "plan"
	putStage     stage = "put"
	tickStage    stage = "tick" // what is between the others
)

// doing is what a stage does, in the words of who runs the forecaster. The
// stage itself is the label of a metric.
func (s stage) doing() string {
	switch s {
	case collectStage:
		return "reading the history"
	case trainStage:
		return "fitting the model"
	case predictStage:
		return "forecasting"
	case planStage:
		return "planning the replicas"
	case putStage:
		return "publishing the plan"
	default:
		return "making the forecast"
	}
}

// fault is what stopped a stage.
type fault struct {
	stage stage
	err   error
	stack []byte // of a panic
}

func (f *fault) Error() string { return f.stage.doing() + ": " + f.err.Error() }
func (f *fault) Unwrap() error { return f.err }

// The causes that a tick itself finds.
var (
	errPanic     = errors.New("panic")
	errNotFinite = errors.New("not a finite number")
	errShape     = errors.New("wrong shape")
	errNoData    = errors.New("no data")
	errOldData   = errors.New("data too old")
	errFuture    = errors.New("the clock was set back; the next tick publishes anew")
)

// kind is an error that is of a kind which its text, a sentence of its own,
// does not repeat.
type kind struct {
	text string
	is   error
}

func (k kind) Error() string { return k.text }
func (k kind) Unwrap() error { return k.is }

func kindOf(is error, format string, args ...any) error {
	return kind{fmt.Sprintf(format, args...), is}
}

// guard runs one stage and turns a panic into its fault, so that the worst a
// model, a source or a store can do is to fail the tick it is part of.
func guard(in stage, do func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &fault{in, fmt.Errorf("%w: %v", errPanic, p), debug.Stack()}
		}
	}()
	err = do()
	if f := (*fault)(nil); err == nil || errors.As(err, &f) {
		return err // what a stage within this one has named already
	}
	return &fault{stage: in, err: err}
}

// reason is the kind of a fault: few, fixed words that can be a label.
func reason(err error) string {
	if f := (*adapters.Fault)(nil); errors.As(err, &f) {
		return f.Reason
	}
	for _, known := range []struct {
		is   error
		word string
	}{
		{errPanic, "panic"},
		{errNotFinite, "not_finite"},
		{errShape, "shape"},
		{errNoData, "no_data"},
		{errOldData, "old_data"},
		{errOffGrid, "off_grid"},
		{models.ErrTooShort, "too_short"},
		{models.ErrUntrained, "untrained"},
		{forecast.ErrInvalid, "invalid"},
		{context.DeadlineExceeded, "timeout"},
		{context.Canceled, "canceled"},
	} {
		if errors.Is(err, known.is) {
			return known.word
		}
	}
	return "error"
}
