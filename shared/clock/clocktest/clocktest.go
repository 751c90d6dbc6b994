// Package clocktest is a clock whose wall time can be set while its monotonic
// time goes on, as an administrator, NTP or a suspended machine does it.
//
// The one thing to know: time.Time.Add moves both readings, and Round drops
// the monotonic one, so neither makes the time that a program sees after its
// clock was set. [Shift] does, by writing the wall reading alone.
package clocktest

import (
	"context"
	"sync/atomic"
	"time"
	"unsafe"
)

// reading is a time.Time. With a monotonic reading it holds, below the flag
// that says so, its wall seconds since 1885 in 33 bits above its nanoseconds in
// 30, and the monotonic nanoseconds apart.
type reading struct {
	wall      uint64
	monotonic int64
	_         *time.Location
}

const (
	bitsOfNanoseconds = 30
	flag              = 1 << 63
)

// Shift is t with its wall reading moved by whole seconds of d and its
// monotonic reading as it was. A t without one, as all are within a synctest
// bubble, gets the one of a machine whose wall clock was right so far.
func Shift(t time.Time, d time.Duration) time.Time {
	r := (*reading)(unsafe.Pointer(&t))
	if r.wall&flag == 0 {
		from := time.Date(1885, 1, 1, 0, 0, 0, 0, time.UTC)
		seconds, nanoseconds := uint64(t.Unix()-from.Unix()), uint64(t.Nanosecond()) //nolint:gosec // both are positive
		r.wall, r.monotonic = flag|seconds<<bitsOfNanoseconds|nanoseconds, t.UnixNano()
	}
	r.wall += uint64(d/time.Second) << bitsOfNanoseconds //nolint:gosec // a negative d borrows as it should
	return t
}

// Clock is the machine's clock with its wall time set by [Clock.Set]. Its zero
// value shows the machine's time.
type Clock struct{ by atomic.Int64 }

// Set moves the wall time by d, in whole seconds, from what it shows now.
func (c *Clock) Set(d time.Duration) { c.by.Add(int64(d)) }

// Now is the time, with the monotonic reading of the machine.
func (c *Clock) Now() time.Time { return Shift(time.Now(), time.Duration(c.by.Load())) }

// Sleep waits for d, whatever the wall time is set to meanwhile, or until ctx
// ends, which is its error.
func (c *Clock) Sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}
