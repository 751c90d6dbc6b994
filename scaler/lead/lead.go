// Package lead picks the replica count to ask for now from a plan of what will
// be needed later: the largest count planned for [now, now + window).
//
// Element i of a plan speaks for the step that starts at GeneratedAt + i·Step,
// so a plan that is two steps old has two steps less to say. Where now falls is
// read from the snapshot's age, never from the first element's position, and
// the age is the forecaster's own measure, so neither a late fetch nor skew
// between two machines' clocks shifts the plan.
package lead

import (
	"errors"
	"fmt"
	"time"

	"github.com/kedastral/kedastral/shared/forecast"
)

// ErrExpired means that the plan's horizon ended before now: nothing it says is
// about the present any more.
var ErrExpired = errors.New("forecast expired")

// Replicas is the largest count of the plan over [now, now + window). A window
// shorter than a step, zero or negative means the step that now is in. Where
// the horizon ends inside the window the covered part decides. The error wraps
// [ErrExpired] when the horizon does not cover now, [forecast.ErrInvalid] when
// the snapshot has no steps to count in.
func Replicas(s forecast.Snapshot, now time.Time, window time.Duration) (int, error) {
	step := s.Step()
	if step <= 0 {
		return 0, fmt.Errorf("stepSeconds=%d: must be positive: %w", s.StepSeconds, forecast.ErrInvalid)
	}
	age := s.Age(now)
	highest, ok := s.Highest(age, window)
	if !ok {
		return 0, fmt.Errorf("%d steps of %v, %v old: %w", len(s.DesiredReplicas), step, age.Round(time.Second), ErrExpired)
	}
	return highest, nil
}
