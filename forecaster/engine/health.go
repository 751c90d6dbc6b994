package engine

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Ready says what the engine still waits for before it has an answer for
// anyone. Once ready it stays ready: a source that goes away later is told
// per workload.
func (e *Engine) Ready() error {
	if e.ready.Load() || len(e.order) == 0 {
		return nil
	}
	err := e.warm()
	if err != nil && e.inherited() && e.ready.CompareAndSwap(false, true) {
		e.Log.Info("ready, serving snapshots of the store until the warm start is done")
	}
	if e.ready.Load() {
		return nil
	}
	return err
}

// inherited reports whether the store has something to serve for every
// workload that still waits for its first tick, and most of what is served so
// is overdue: then whoever put it is gone, and an old forecast is better than
// none. While another forecaster still renews it, that one is the better to
// ask.
func (e *Engine) inherited() bool {
	served, overdue := 0, 0
	for name, k := range e.workers {
		last := k.outcome()
		if !last.current().GeneratedAt.IsZero() {
			continue
		}
		s, err := e.Latest(context.Background(), name)
		switch {
		case err != nil && !last.attempted:
			return false
		case err != nil:
			continue
		case s.Overdue(e.Clock.Now()):
			overdue++
		}
		served++
	}
	return 2*overdue > served
}

// published is how many workloads have ever published, here or where it leads.
func (e *Engine) published() (n int) {
	for _, k := range e.workers {
		if !k.outcome().current().GeneratedAt.IsZero() {
			n++
		}
	}
	return n
}

func (e *Engine) warm() error {
	var attempted int
	for _, k := range e.workers {
		if k.outcome().attempted {
			attempted++
		}
	}
	if attempted < len(e.order) {
		return fmt.Errorf("warm start: %d of %d workloads done", attempted, len(e.order))
	}
	if e.published() == 0 {
		return errors.New("warm start: no workload could be forecast; /workloads says why")
	}
	return nil
}

// Reading reports whether the newest reads of most workloads succeeded, those
// that were left to another engine included: who cannot read should not lead.
func (e *Engine) Reading() bool {
	deaf := 0
	for _, k := range e.workers {
		if k.outcome().deaf {
			deaf++
		}
	}
	return 2*deaf < len(e.workers) || deaf == 0
}

// Healthy reports an engine whose ticks have stopped: none has ended for
// several times as long as the busiest workload needs to have one.
func (e *Engine) Healthy() error {
	last := e.progress.Load()
	if last == nil || len(e.order) == 0 {
		return nil
	}
	shortest := e.workers[e.order[0]].Interval
	for _, k := range e.workers {
		shortest = min(shortest, k.Interval)
	}
	limit := 3*shortest + e.TickTimeout
	if silent := time.Since(*last); silent > limit { // monotonic: a clock that is set stops no tick
		return fmt.Errorf("no tick has ended for %v, longer than %v", silent.Round(time.Second), limit)
	}
	return nil
}
