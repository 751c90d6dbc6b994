// Package mirror keeps the snapshots of a store that others share in this
// process, so that nobody who asks or publishes ever waits for it.
//
// The one thing to know: the shared store is behind and never in front.
// [Mirror.Put] and [Mirror.GetLatest] work on this process's memory;
// [Mirror.Run] carries what was put to the shared store and brings from there
// what others put that is newer. Whatever the shared store does, hangs, lies
// or is gone, forecasts are made and served as without it.
//
// The other decisions of this room:
//
//   - One loop talks to the shared store, so a store that hangs holds one
//     exchange and nothing piles up. After a failure it is left alone for a
//     time that doubles up to four seconds.
//   - What could not be written is remembered by name only, so it takes no
//     room and the newest is written when the store returns.
//   - Only workloads whose own next snapshot is due are looked up: all of them
//     at the start, hardly any while this process computes them itself.
//   - What is brought is dated by this process's clock. A snapshot from its
//     future is left where it is.
package mirror

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/kedastral/kedastral/forecaster/storage"
	"github.com/kedastral/kedastral/shared/forecast"
)

// Shared is the store behind. Its errors say what a person can do.
type Shared interface {
	// PutAll puts snapshots; element i of the answer is what became of element i.
	PutAll(ctx context.Context, snapshots []forecast.Snapshot) []error
	// Newer is every snapshot of the workloads generated after the instant
	// given for it.
	Newer(ctx context.Context, than map[string]time.Time) ([]forecast.Snapshot, error)
}

// Options are what a mirror is made with.
type Options struct {
	Shared    Shared
	Workloads []string         // to bring from the shared store
	Now       func() time.Time // the clock that snapshots are dated by
	Poll      time.Duration    // between two looks for what others put
	Log       *slog.Logger
	Metrics   *Metrics
}

// How long a shared store that failed is left alone, in real time.
const (
	shortestPause = 250 * time.Millisecond
	longestPause  = 4 * time.Second
	lastWords     = 500 * time.Millisecond // for what is unwritten at the end
	silence       = time.Minute            // between two complaints
)

// Mirror is a [storage.Store] over the process's memory, with a shared store
// behind.
type Mirror struct {
	Options
	local *storage.Memory
	work  chan struct{} // something was put

	mu        sync.Mutex
	unwritten map[string]struct{}

	// Owned by Run:
	look  time.Time // when to look for others' snapshots next
	told  time.Time // when the log last told of the shared store
	fails int       // exchanges that failed in a row
}

// New makes a mirror of nothing yet.
func New(o Options) *Mirror {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Metrics == nil {
		o.Metrics = NewMetrics(nil)
	}
	return &Mirror{Options: o, local: storage.NewMemory(), work: make(chan struct{}, 1), unwritten: make(map[string]struct{})}
}

// Put implements [storage.Store]. It does not wait for the shared store.
func (m *Mirror) Put(ctx context.Context, s forecast.Snapshot) error {
	if err := m.local.Put(ctx, s); err != nil {
		return err //nolint:wrapcheck // the store's own words
	}
	m.mu.Lock()
	m.unwritten[s.Workload] = struct{}{}
	m.Metrics.pending.Set(float64(len(m.unwritten)))
	m.mu.Unlock()
	select {
	case m.work <- struct{}{}:
	default: // Run is told already
	}
	return nil
}

// GetLatest implements [storage.Store].
func (m *Mirror) GetLatest(ctx context.Context, workload string) (forecast.Snapshot, bool, error) {
	return m.local.GetLatest(ctx, workload) //nolint:wrapcheck // the store's own words
}

// Run exchanges snapshots with the shared store until ctx ends, then tries
// once more to write what is unwritten.
func (m *Mirror) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		m.tell(ctx, m.exchange(ctx))
		m.rest(ctx)
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWords)
	defer cancel()
	_ = m.push(last) // nobody is left to be told, and the next start makes it again
	return nil
}

// rest waits until there is something to exchange.
func (m *Mirror) rest(ctx context.Context) {
	work, pause := m.work, time.Until(m.look)
	if m.fails > 0 {
		work, pause = nil, jittered(min(shortestPause<<min(m.fails-1, 10), longestPause))
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-work:
	case <-timer.C:
	}
}

// jittered is d or a little less, so that many that began together part.
func jittered(d time.Duration) time.Duration {
	return time.Duration((0.8 + 0.2*rand.Float64()) * float64(d))
}

// exchange brings first, where it is time: what others have put may be newer
// than what is to be written.
func (m *Mirror) exchange(ctx context.Context) error {
	if !time.Now().Before(m.look) {
		if err := m.pull(ctx); err != nil {
			return err
		}
		m.look = time.Now().Add(jittered(m.Poll))
	}
	return m.push(ctx)
}

// pull brings what others put.
func (m *Mirror) pull(ctx context.Context) error {
	due := m.due()
	if len(due) == 0 {
		return nil
	}
	found, err := m.Shared.Newer(ctx, due)
	now := m.Now()
	for _, s := range found {
		if s.GeneratedAt.After(now) {
			m.Metrics.future.Inc()
			continue
		}
		s.Received, s.AgeAtReceipt = now, now.Sub(s.GeneratedAt)
		if err := m.local.Put(ctx, s); err != nil {
			return err //nolint:wrapcheck // the store's own words
		}
		m.Metrics.taken.Inc()
	}
	return err //nolint:wrapcheck // it names the store and the workload
}

// due are the workloads whose snapshot here is not the newest there can be,
// and when that was generated.
func (m *Mirror) due() map[string]time.Time {
	now, due := m.Now(), make(map[string]time.Time)
	for _, name := range m.Workloads {
		if generated, next := m.local.Dates(name); !now.Before(next) {
			due[name] = generated
		}
	}
	return due
}

// push writes what is unwritten. What fails stays so.
func (m *Mirror) push(ctx context.Context) error {
	m.mu.Lock()
	names := m.unwritten
	m.unwritten = make(map[string]struct{})
	m.mu.Unlock()
	var snapshots []forecast.Snapshot
	for name := range names {
		if s, ok, _ := m.local.GetLatest(ctx, name); ok {
			snapshots = append(snapshots, s)
		}
	}
	var failure error
	if len(snapshots) > 0 {
		failure = m.keep(snapshots, m.Shared.PutAll(ctx, snapshots))
	}
	m.mu.Lock()
	m.Metrics.pending.Set(float64(len(m.unwritten)))
	m.mu.Unlock()
	return failure
}

// keep remembers the snapshots that were not written, and is the first reason.
func (m *Mirror) keep(snapshots []forecast.Snapshot, errs []error) (first error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, err := range errs {
		if err == nil {
			continue
		}
		m.unwritten[snapshots[i].Workload] = struct{}{}
		if first == nil {
			first = err
		}
	}
	return first
}

// tell shows whether the shared store is of use, and logs when that changes
// and once a minute while it is not.
func (m *Mirror) tell(ctx context.Context, err error) {
	switch {
	case ctx.Err() != nil:
	case err == nil:
		m.Metrics.up.Set(1)
		if m.fails > 0 || m.told.IsZero() {
			m.Log.InfoContext(ctx, "the shared store answers")
			m.told = time.Now()
		}
		m.fails = 0
	default:
		m.Metrics.up.Set(0)
		m.fails++
		if m.fails == 1 || time.Since(m.told) >= silence {
			m.Log.WarnContext(ctx, "the shared store cannot be used, forecasts go on without it", "err", err)
			m.told = time.Now()
		}
	}
}
