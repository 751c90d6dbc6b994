// Package clock tells the time a forecaster lives by: the real one, or one
// that runs faster, so that a recorded week passes in an hour.
//
// The one thing to know: a faster clock still only reads the real one and
// multiplies. Whoever waits by [Clock.Sleep] or [Clock.Until] instead of a
// timer of its own runs correctly under both. Limits on work, such as the
// timeout of a request, belong to the real time and not to this clock: a
// network is no faster because a demo is.
package clock

import (
	"context"
	"fmt"
	"time"
)

// maxSpeed is a day in a second. Beyond it a step is shorter than a tick.
const maxSpeed = 86_400

// Clock is a source of time. Its zero value is the real clock. It is a value
// without state: copies show the same time, and any number of goroutines may
// use it.
type Clock struct {
	started time.Time // real, with its monotonic reading
	from    time.Time // what the clock showed then
	speed   float64   // its seconds per real second; 0 is the real clock
}

// Real is the clock of the machine.
func Real() Clock { return Clock{} }

// Faster is a clock that shows from now on what it is given, and goes speed
// times as fast as the real one: 1 only moves it, 60 makes a minute a second.
func Faster(from time.Time, speed float64) (Clock, error) {
	if !(speed >= 1 && speed <= maxSpeed) {
		return Clock{}, fmt.Errorf("speed %v: must be between 1 and %d", speed, maxSpeed)
	}
	return Clock{started: time.Now(), from: from.UTC().Round(0), speed: speed}, nil
}

// Now is the time the clock shows.
func (c Clock) Now() time.Time {
	if c.speed == 0 {
		return time.Now()
	}
	return c.from.Add(time.Duration(float64(time.Since(c.started)) * c.speed))
}

// Sleep waits until d has passed on the clock, or until ctx ends, which is its
// error. A d that is not positive does not wait.
func (c Clock) Sleep(ctx context.Context, d time.Duration) error {
	return c.Until(ctx, c.Now().Add(d))
}

// Until waits until the clock shows t or later, or until ctx ends, which is
// its error.
func (c Clock) Until(ctx context.Context, t time.Time) error {
	for {
		left := t.Sub(c.Now())
		if left <= 0 || ctx.Err() != nil {
			return ctx.Err()
		}
		timer := time.NewTimer(c.real(left))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
	}
}

// real is how long d on the clock takes, never less than a nanosecond, so that
// the last fraction of a wait is a wait and not a busy loop.
func (c Clock) real(d time.Duration) time.Duration {
	if c.speed == 0 {
		return d
	}
	return max(1, time.Duration(float64(d)/c.speed))
}
