// Package engine forecasts every workload again and again: collect, features,
// model, plan, put.
//
// The one thing to know: what a tick publishes is a function of the history
// before one aligned instant T and of the configuration, and of nothing else.
// T is a multiple of the workload's interval. The model is fitted on the
// window before the last multiple of its training interval (shifted a little
// per workload, by its name, so that not all train at once), whether the
// process was running then or not; so a process that starts now fits the same
// model as one that has run for a week, and two of them publish the same
// bytes. The clock only says which T is due.
//
// The other decisions of this room:
//
//   - A tick is due at T, plus the time the source needs to settle, plus a
//     jitter made from the workload's name. At most Concurrency ticks run at
//     once. A tick that is still running when the next is due makes that one
//     skipped and counted; ticks never queue up behind one another.
//   - The first tick of each workload is the warm start: it reads the whole
//     window and is due at once. The engine is ready when every workload has
//     had it, published or failed with a reason, and at least one published;
//     or earlier, when the store has snapshots for the others that are fit to
//     serve and that nobody renews.
//   - A failed read keeps the history and the fit that were there and
//     forecasts on from them, the missing steps being gaps. Once the newest
//     observation is older than MaxDataAge nothing is published any more, and
//     [Engine.Latest] says so; the scalers watch the age of what they hold.
//   - A fit may hold for longer than it is sure to: between two multiples of
//     the training interval the loads are looked at every check interval, and
//     the model is fitted anew where most of them lay outside the band that was
//     forecast for them. A process that starts in between takes the same looks
//     at the same history, so it comes to the same fit.
//   - A fit is made by a new model and replaces the old one only when it
//     succeeded. The one before stands for one more training interval; an older
//     one is dropped, as a process that starts then could not have it. A panic, an error or a number that is not finite fails the
//     one stage of the one workload, with its reason, and touches no other.
//   - Where that leaves no forecast, the load observed now is planned for, as
//     the gate does for a model without skill: a model that fails must not be
//     worse than none. Only a load that is not known leaves nothing to publish.
//   - While another forecaster leads (Options.Following), the ticks of a workload
//     whose snapshot it keeps renewing in the store are left to it: they read,
//     fit and publish nothing. One that it does not renew is forecast here.
package engine

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kedastral/kedastral/forecaster/storage"
	"github.com/kedastral/kedastral/shared/forecast"
)

// Clock is the time an engine lives by. Its Now has a monotonic reading where
// there is one, and its Sleep is not disturbed by the clock being set.
type Clock interface {
	Now() time.Time
	Sleep(ctx context.Context, d time.Duration) error
}

// Options are what an engine is made with besides its workloads.
type Options struct {
	Store       storage.Store
	Clock       Clock // decides what is due and how old data is
	Log         *slog.Logger
	Metrics     *Metrics
	Concurrency int           // ticks that may run at once; ≥ 1
	Settle      time.Duration // how long after a step its data is complete at the source
	MaxDataAge  time.Duration // the newest observation may be this old, then nothing is published
	TickTimeout time.Duration // in real time: the backstop under a source that never answers

	// Following reports whether another engine makes the forecasts and puts them
	// where Store finds them; nil is never. Taken is told of each that this one
	// hands on; nil is nobody.
	Following func() bool
	Taken     func(forecast.Snapshot)

	// Elsewhere is why a workload that is not this engine's is another's, nil
	// if it is nobody's; nil where there are no others.
	Elsewhere func(workload string) error
}

// Engine runs the ticks of all workloads and answers with what they published.
type Engine struct {
	Options
	workers  map[string]*worker
	order    []string // as configured
	slots    chan struct{}
	progress atomic.Pointer[time.Time] // when a tick last ended, on the machine's clock
	ready    atomic.Bool
}

// New makes an engine of workloads that differ in name. It runs nothing yet.
func New(workloads []Workload, o Options) (*Engine, error) {
	if o.Concurrency < 1 {
		return nil, fmt.Errorf("concurrency %d: must be at least 1", o.Concurrency)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Metrics == nil {
		o.Metrics = NewMetrics(nil)
	}
	e := &Engine{Options: o, workers: make(map[string]*worker, len(workloads)), slots: make(chan struct{}, o.Concurrency)}
	for _, w := range workloads {
		if w.Source == nil {
			return nil, fmt.Errorf("workload %q: needs a source", w.Name)
		}
		if err := w.check(); err != nil {
			return nil, fmt.Errorf("workload %q: %w", w.Name, err)
		}
		if _, twice := e.workers[w.Name]; twice {
			return nil, fmt.Errorf("workload %q: named twice", w.Name)
		}
		e.workers[w.Name] = newWorker(w, o)
		e.order = append(e.order, w.Name)
	}
	o.Metrics.count(e.states)
	return e, nil
}

// Run ticks every workload until ctx ends, and returns when the last tick has.
func (e *Engine) Run(ctx context.Context) error {
	e.progressed()
	var loops sync.WaitGroup
	for _, name := range e.order {
		loops.Go(func() { e.loop(ctx, e.workers[name]) })
	}
	loops.Wait()
	return nil
}

// loop runs one workload's ticks, one after the other. The first is the one
// that was due last, however long ago.
func (e *Engine) loop(ctx context.Context, k *worker) {
	due := func() time.Time { return k.due(e.Clock.Now().Add(-k.delay)) }
	var at time.Time
	for {
		if !e.acquire(ctx) {
			return
		}
		at = k.skipTo(ctx, at, due())
		e.tick(ctx, k, at)
		<-e.slots
		at = k.skipTo(ctx, at.Add(k.Interval), due().Add(k.Interval))
		if at = e.await(ctx, k, at); ctx.Err() != nil {
			return
		}
	}
}

// await waits until the tick of at is due, and returns it. It looks at the clock
// every interval at the latest. A tick that is two intervals ahead is one that a
// clock set back has moved away; the one that is next by the clock as it now is
// takes its place, or the workload would be silent until the clock has caught up.
func (e *Engine) await(ctx context.Context, k *worker, at time.Time) time.Time {
	for {
		now := e.Clock.Now()
		left := at.Add(k.delay).Sub(now)
		if left > 2*k.Interval { // less is waited out: clocks are set by a little now and then
			at = k.due(now.Add(-k.delay)).Add(k.Interval)
			k.log.WarnContext(ctx, "the clock was set back", "by", left-at.Add(k.delay).Sub(now), "next", at)
			continue
		}
		if left <= 0 || e.Clock.Sleep(ctx, min(left, k.Interval)) != nil {
			return at
		}
	}
}

func (e *Engine) progressed() {
	now := time.Now()
	e.progress.Store(&now)
}

func (e *Engine) acquire(ctx context.Context) bool {
	select {
	case e.slots <- struct{}{}:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// tick runs one tick and tells what changed.
func (e *Engine) tick(ctx context.Context, k *worker, at time.Time) {
	bounded, cancel := context.WithTimeout(ctx, e.TickTimeout)
	defer cancel()
	if s, led := e.led(bounded, k, at); led {
		k.follow(at, s)
		if e.Taken != nil {
			e.Taken(s)
		}
	} else {
		k.tick(bounded, at)
	}
	e.progressed()
	if !e.ready.Load() && e.warm() == nil && e.ready.CompareAndSwap(false, true) {
		e.Log.InfoContext(ctx, "ready, every workload has had its first tick", "workloads", len(e.order), "published", e.published())
	}
}

// led is the snapshot that another engine put for the tick before this one, or
// for this one already; with it there is nothing to do. One that is older, or
// was made without the newest load, means that the other does not get on with
// this workload, whatever it holds.
func (e *Engine) led(ctx context.Context, k *worker, at time.Time) (forecast.Snapshot, bool) {
	if e.Following == nil || !e.Following() {
		return forecast.Snapshot{}, false
	}
	s, err := e.Latest(ctx, k.Name)
	if err != nil || s.Observed == nil || s.GeneratedAt.Sub(s.Observed.At) > k.Interval {
		return forecast.Snapshot{}, false
	}
	return s, !s.GeneratedAt.Before(at.Add(-k.Interval))
}
