// Package cache answers for forecasts from memory and asks their source behind
// the answer, never in front of it.
//
// Only a workload's first question waits, and briefly: its fetch starts with the
// question, and whoever asks within [Options.Wait] of that moment may wait for
// the rest of it. Every later question is answered at once with what is held,
// however old; how old is too old is the caller's to judge, by the snapshot's
// own age. A workload is refreshed, with jitter, for as long as it is asked for;
// the first question after a silence, in which it was not, is a first one again
// where what is held is of no use any more.
//
// All fetching happens in [Cache.Run]: a fixed number of workers take workloads
// from one queue that holds each at most once, so there is one fetch at a time
// per workload and no lock is ever held across it.
//
// Workloads without a snapshot live in a table of their own, so that no number of
// misspelt names can push out a forecast that is in use. A name that no forecaster
// knows is forgotten half an interval after it was last asked for: the next
// question is its first again.
package cache

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/kedastral/kedastral/shared/forecast"
)

// ErrPending means that the workload's first fetch has not ended yet.
var ErrPending = errors.New("first forecast not fetched yet")

// Options say how much to hold and how eagerly to fetch. Every field but Log and
// Beat must be set.
type Options struct {
	Size        int                          // workloads held, and as many known to have no forecast
	Interval    time.Duration                // between two fetches of a workload
	Retry       time.Duration                // the same after a failed fetch
	Wait        time.Duration                // how long after the first question an answer may wait
	Idle        time.Duration                // a workload not asked for this long is not refreshed; a name that nobody forecasts is forgotten after half an interval
	Concurrency int                          // fetches at a time
	Usable      func(forecast.Snapshot) bool // whether one that is held can still be answered from
	Log         *slog.Logger
	Beat        func() // called on every tick of Run, as a sign of life
}

// Cache is a [forecast.Reader] over another.
type Cache struct {
	Options
	source  forecast.Reader
	metrics *Metrics
	queue   chan *entry

	mu     sync.Mutex // guards moving an entry from blank to held, and waking it
	held   *lru.Cache[string, *entry]
	blank  *lru.Cache[string, *entry]
	pushed evictions
}

// New makes a cache over source. Nothing is fetched until [Cache.Run].
func New(source forecast.Reader, m *Metrics, o Options) (*Cache, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	held, err := lru.New[string, *entry](o.Size)
	if err != nil {
		return nil, fmt.Errorf("making the forecast table: %w", err)
	}
	blank, err := lru.New[string, *entry](o.Size)
	if err != nil {
		return nil, fmt.Errorf("making the table of unknown workloads: %w", err)
	}
	return &Cache{
		Options: o, source: source, metrics: m,
		queue: make(chan *entry, 2*o.Size), held: held, blank: blank,
	}, nil
}

// Latest answers with the snapshot held, or with the error of the last fetch
// when none has succeeded. Only the first question for a workload waits, and
// the first after a silence that made what is held useless.
func (c *Cache) Latest(ctx context.Context, workload string) (forecast.Snapshot, error) {
	if e, ok := c.held.Get(workload); ok {
		e.ask()
		c.metrics.hits.Inc()
		if e.dormant.Load() {
			c.wake(e)
		}
		if r := e.awaited.Load(); r != nil && !c.Usable(e.last.Load().snapshot) {
			c.wait(ctx, r)
		}
		return e.last.Load().snapshot, nil
	}
	c.metrics.misses.Inc()
	e := c.find(workload)
	e.ask()
	if r := e.awaited.Load(); r != nil {
		c.wait(ctx, r)
	}
	return e.answer()
}

// Peek is what [Cache.Latest] would answer now, without waiting, fetching or
// counting as a question.
func (c *Cache) Peek(workload string) (forecast.Snapshot, error) {
	if e, ok := c.held.Peek(workload); ok {
		return e.answer()
	}
	if e, ok := c.blank.Peek(workload); ok {
		return e.answer()
	}
	return forecast.Snapshot{}, fmt.Errorf("workload %q: %w", workload, ErrPending)
}

// find is the workload's entry, made and sent to be fetched if there is none.
func (c *Cache) find(workload string) *entry {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.held.Get(workload); ok {
		return e
	}
	if e, ok := c.blank.Get(workload); ok {
		return e
	}
	e := newEntry(workload, time.Now())
	c.blank.Add(workload, e)
	c.enqueue(e)
	return e
}

// wake has an entry fetched that nobody has asked for lately, and lets whoever
// asks now wait for that.
func (c *Cache) wake(e *entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !e.dormant.Load() {
		return // another question was first
	}
	e.awaited.Store(newRound(time.Now()))
	e.dormant.Store(false)
	c.enqueue(e)
}

// wait returns when the fetch has ended, when its time is up or when the
// caller's is.
func (c *Cache) wait(ctx context.Context, r *round) {
	left := c.Wait - time.Since(r.began)
	if left <= 0 {
		return
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-r.ended:
	case <-timer.C:
	case <-ctx.Done():
	}
}

// enqueue has a worker fetch the entry, unless one is about to. A full queue
// leaves it due, for the next tick to find.
func (c *Cache) enqueue(e *entry) {
	if !e.queued.CompareAndSwap(false, true) {
		return
	}
	select {
	case c.queue <- e:
	default:
		e.queued.Store(false)
	}
}

// validate reports every option that cannot work.
func (o Options) validate() error {
	var errs []error
	for name, v := range map[string]time.Duration{
		"interval": o.Interval, "retry": o.Retry, "wait": o.Wait, "idle": o.Idle,
	} {
		if v <= 0 {
			errs = append(errs, fmt.Errorf("%s=%v: must be positive", name, v))
		}
	}
	if o.Usable == nil {
		errs = append(errs, errors.New("usable: must be set"))
	}
	if o.Size <= 0 {
		errs = append(errs, fmt.Errorf("size=%d: must be positive", o.Size))
	}
	if o.Concurrency <= 0 {
		errs = append(errs, fmt.Errorf("concurrency=%d: must be positive", o.Concurrency))
	}
	return errors.Join(errs...)
}
