package cache

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kedastral/kedastral/shared/forecast"
)

// mostTick bounds how far apart the looks through the tables for workloads
// that are due may be; an interval has at least four.
const mostTick = time.Second

// Run fetches what is asked for and refreshes what is held until the context
// ends, then returns nil when the last fetch has.
func (c *Cache) Run(ctx context.Context) error {
	var workers sync.WaitGroup
	defer workers.Wait()
	for range c.Concurrency {
		workers.Go(func() { c.work(ctx) })
	}
	ticker := time.NewTicker(min(mostTick, max(c.Interval/4, time.Millisecond)))
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-ticker.C:
			c.tend(now)
		}
	}
}

// work fetches queued workloads one after another.
func (c *Cache) work(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case e := <-c.queue:
			c.fetch(ctx, e)
		}
	}
}

func (c *Cache) fetch(ctx context.Context, e *entry) {
	s, err := c.source.Latest(ctx, e.workload)
	switch e.settle(s, err) {
	case first:
		c.promote(e)
	case superseded:
		c.metrics.superseded.Inc()
	case refreshed, failed:
	}
	e.due = time.Now().Add(c.pause(err))
	e.queued.Store(false)
}

// pause is how long to leave a workload alone after a fetch that ended with
// err. The jitter keeps workloads that were asked for together from being
// fetched together for ever.
func (c *Cache) pause(err error) time.Duration {
	pause := c.Interval
	if err != nil && !errors.Is(err, forecast.ErrNotFound) {
		pause = c.Retry
	}
	return time.Duration((0.9 + 0.2*rand.Float64()) * float64(pause))
}

// promote moves an entry to the table of those that have a snapshot. It happens
// once in an entry's life, so one that was pushed out is not brought back by a
// fetch still under way.
func (c *Cache) promote(e *entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.blank.Remove(e.workload)
	if c.held.Add(e.workload, e) {
		c.metrics.evictions.Inc()
		c.pushed.note()
	}
}

// tend queues every workload that is due and still asked for.
func (c *Cache) tend(now time.Time) {
	for _, e := range c.held.Values() {
		switch {
		case !e.wanted(now, c.Idle):
			e.dormant.Store(true)
		case e.dormant.Load():
			c.wake(e) // it was asked for just before it was to sleep
		default:
			c.refresh(e, now)
		}
	}
	for _, e := range c.blank.Values() {
		if e.wanted(now, c.patience(e)) {
			c.refresh(e, now)
		} else {
			c.blank.Remove(e.workload)
		}
	}
	c.metrics.workloads.Set(float64(c.held.Len()))
	if n := c.pushed.due(now); n > 0 && c.Log != nil {
		c.Log.Warn("forecasts pushed out of a full cache, CACHE_SIZE is too small", "evictions", n, "size", c.Size)
	}
	if c.Beat != nil {
		c.Beat()
	}
}

// patience is how long a workload is kept after its last question without a
// snapshot. One that no forecaster knows is likely misspelt, or one of many: it is
// gone before it would be fetched again, and whoever asks for it then waits a
// moment and learns how it is by then.
func (c *Cache) patience(e *entry) time.Duration {
	if _, err := e.answer(); errors.Is(err, forecast.ErrNotFound) {
		return min(c.Idle, c.Interval/2)
	}
	return c.Idle
}

// refresh queues the entry when its time has come. While it is queued its due
// time belongs to the worker.
func (c *Cache) refresh(e *entry, now time.Time) {
	if !e.queued.Load() && !now.Before(e.due) {
		c.enqueue(e)
	}
}

// evictions counts what was pushed out since it was last told.
type evictions struct {
	count atomic.Int64
	told  time.Time
}

func (v *evictions) note() { v.count.Add(1) }

// due is the count to tell now: at most once a minute.
func (v *evictions) due(now time.Time) int64 {
	if now.Sub(v.told) < time.Minute {
		return 0
	}
	n := v.count.Swap(0)
	if n > 0 {
		v.told = now
	}
	return n
}
