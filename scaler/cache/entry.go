package cache

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/kedastral/kedastral/shared/forecast"
)

// entry is one workload: what its last fetches said and when to fetch again.
type entry struct {
	workload string
	last     atomic.Pointer[result] // nil until the first fetch ended
	awaited  atomic.Pointer[round]  // the fetch that a question may wait for; nil once it has ended
	dormant  atomic.Bool            // not refreshed, for nobody asks; the next question wakes it
	asked    atomic.Bool            // since the last tick
	queued   atomic.Bool            // waiting for a worker or with one; guards due

	due       time.Time // when to fetch next
	lastAsked time.Time // owned by Run's loop
}

// round is a fetch that was begun by a question.
type round struct {
	began time.Time
	ended chan struct{} // closed when it has
}

func newRound(now time.Time) *round { return &round{now, make(chan struct{})} }

// result is a snapshot, or why there is none.
type result struct {
	snapshot forecast.Snapshot
	err      error
}

func newEntry(workload string, now time.Time) *entry {
	e := &entry{workload: workload, lastAsked: now}
	e.awaited.Store(newRound(now))
	return e
}

// ask notes a question. The load spares the cache line that all callers share.
func (e *entry) ask() {
	if !e.asked.Load() {
		e.asked.Store(true)
	}
}

// wanted is whether the workload was asked for lately. It is Run's to call.
func (e *entry) wanted(now time.Time, idle time.Duration) bool {
	if e.asked.Swap(false) {
		e.lastAsked = now
	}
	return now.Sub(e.lastAsked) < idle
}

func (e *entry) answer() (forecast.Snapshot, error) {
	r := e.last.Load()
	if r == nil {
		return forecast.Snapshot{}, fmt.Errorf("workload %q: %w", e.workload, ErrPending)
	}
	return r.snapshot, r.err
}

// settle stores what a fetch said and reports what became of it. A failure
// never replaces a snapshot, nor does a snapshot generated before the one held:
// two forecasters that disagree must not make the answer alternate.
func (e *entry) settle(s forecast.Snapshot, err error) outcome {
	defer func() {
		if r := e.awaited.Swap(nil); r != nil {
			close(r.ended)
		}
	}()
	old := e.last.Load()
	had := old != nil && old.err == nil
	switch {
	case err != nil && had:
		return failed
	case err != nil:
		e.last.Store(&result{err: err})
		return failed
	case had && s.GeneratedAt.Before(old.snapshot.GeneratedAt) && !outlives(s, old.snapshot):
		return superseded
	}
	e.last.Store(&result{snapshot: s})
	if had {
		return refreshed
	}
	return first
}

// outlives reports whether s takes the place of a held snapshot although it
// was generated before by the calendar: when the held one is overdue and s is
// younger by its forecaster's own measure, a clock was set back, and waiting
// for it to catch up would mean hours without a forecast.
func outlives(s, held forecast.Snapshot) bool {
	if s.Received.IsZero() {
		return false
	}
	return held.Overdue(s.Received) && s.Age(s.Received) < held.Age(s.Received)
}

// outcome is what became of a fetch.
type outcome int

const (
	failed     outcome = iota // no snapshot came
	first                     // the workload's first snapshot came
	refreshed                 // a snapshot came and replaced the one held
	superseded                // a snapshot came that is older than the one held
)
