// Package history remembers what was published, for people: which forecasts
// were made earlier, which replicas were asked for and when the mode changed.
//
// The one thing to know: it remembers only, nothing acts on it, and it is
// empty after a restart. The observed load is not kept here a second time: the
// engine holds the window its models see, and a [Report] lays both over one
// axis in time.
//
// The other decisions of this room:
//
//   - Of each snapshot it keeps what the forecast said for a few leads ahead
//     (the median and one upper quantile) and what a scaler of that lead time
//     would have asked for; not all of its steps, most of which the next
//     snapshot repeats.
//   - A workload's past is a ring on an even grid, so that no time is stored
//     and a tick that did not happen is a gap. The ring takes at most 64 KiB,
//     and all rings together 256 MiB; where that is too little for every tick
//     of HISTORY, ticks are left out evenly and the whole span stays.
//   - Loads are kept as float32: seven digits are more than a pixel shows.
package history

import (
	"context"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/kedastral/kedastral/forecaster/series"
	"github.com/kedastral/kedastral/forecaster/storage"
	"github.com/kedastral/kedastral/shared/forecast"
)

const (
	perWorkload = 64 << 10  // bytes of one ring at most
	allTogether = 256 << 20 // bytes of all rings at most
	maxEvents   = 64        // changes of mode remembered a workload
)

// Recorder remembers the past of every workload. It is safe for concurrent
// use.
type Recorder struct {
	keep  time.Duration
	bytes int // of one workload's ring

	mu     sync.RWMutex
	tracks map[string]*track
}

// New makes a recorder that remembers the time keep of so many workloads. With
// keep 0 it remembers the newest snapshot's plan and the changes of mode only.
func New(keep time.Duration, workloads int) *Recorder {
	return &Recorder{keep: keep, bytes: min(perWorkload, allTogether/max(1, workloads)), tracks: make(map[string]*track, workloads)}
}

// Through is store with every snapshot that it took recorded.
func (r *Recorder) Through(store storage.Store) storage.Store { return through{store, r} }

type through struct {
	storage.Store
	to *Recorder
}

func (t through) Put(ctx context.Context, s forecast.Snapshot) error {
	if err := t.Store.Put(ctx, s); err != nil {
		return err //nolint:wrapcheck // the store's own words; this is only a witness
	}
	t.to.Record(s)
	return nil
}

// Record remembers a valid snapshot. One that does not replace the newest known
// of its workload is left out, as the store does; one that was dated by a clock
// that was set back takes the place of all that is still to come by it.
func (r *Recorder) Record(s forecast.Snapshot) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t, known := r.tracks[s.Workload]
	if !known {
		t = newTrack(s, r.keep, r.bytes)
		r.tracks[s.Workload] = t
	}
	if !s.Replaces(forecast.Snapshot{GeneratedAt: t.newest.GeneratedAt}) {
		return
	}
	t.events = slices.DeleteFunc(t.events, func(e Event) bool { return e.At.After(s.GeneratedAt) })
	t.noteMode(s)
	t.newest = newestOf(s)
	t.ring.record(s)
}

// Newest is what the newest snapshot of the workload says of its future.
func (r *Recorder) Newest(workload string) (Newest, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	t, known := r.tracks[workload]
	if !known {
		return Newest{}, false
	}
	return t.newest, true
}

// Event is a change of what plans are made from.
type Event struct {
	At     time.Time     `json:"at"`
	Mode   forecast.Mode `json:"mode"`
	Reason string        `json:"reason,omitempty"`
}

// track is one workload's past.
type track struct {
	newest Newest
	events []Event
	ring   ring
}

func newTrack(s forecast.Snapshot, keep time.Duration, bytes int) *track {
	return &track{ring: newRing(s, keep, bytes)}
}

func (t *track) noteMode(s forecast.Snapshot) {
	if n := len(t.events); n > 0 && t.events[n-1].Mode == s.Mode {
		return
	}
	if len(t.events) == maxEvents {
		t.events = slices.Delete(t.events, 0, 1)
	}
	t.events = append(t.events, Event{At: s.GeneratedAt, Mode: s.Mode, Reason: s.Reason})
}

// Newest is the newest snapshot, cut down to what a list of many shows. What
// it points to is shared and must not be changed.
type Newest struct {
	GeneratedAt time.Time
	Interval    time.Duration
	Delay       time.Duration // from GeneratedAt until it is published
	Step        time.Duration
	Replicas    []int32   // the plan to act on
	Median      []float32 // the forecast
	Coverage    *forecast.Coverage
}

func newestOf(s forecast.Snapshot) Newest {
	n := Newest{
		GeneratedAt: s.GeneratedAt, Interval: s.Interval(), Delay: s.Delay(), Step: s.Step(),
		Replicas: make([]int32, len(s.DesiredReplicas)), Median: make([]float32, len(s.Values)),
	}
	for i, count := range s.DesiredReplicas {
		n.Replicas[i] = int32(min(count, math.MaxInt32)) //nolint:gosec // bounded in the line itself
	}
	for i, v := range s.Values {
		n.Median[i] = float32(v)
	}
	level, _ := upper(s)
	if s.Skill != nil {
		for _, c := range s.Skill.Coverage {
			if c.Level == level {
				n.Coverage = &c
			}
		}
	}
	return n
}

// At is the largest count within [now, now+ahead), the count of now for ahead
// 0. It is not ok once the plan has nothing more to say.
func (n Newest) At(now time.Time, ahead time.Duration) (replicas int, ok bool) {
	most, ok := forecast.Highest(n.Replicas, n.Step, max(0, now.Sub(n.GeneratedAt)), ahead)
	return int(most), ok
}

// upper is the quantile that is shown as the forecast's upper end: 0.95 where
// there is one, or the highest. Without quantiles it is none, level 0.
func upper(s forecast.Snapshot) (level float64, values []float64) {
	for _, q := range s.Quantiles {
		if level = q.Level; level == 0.95 {
			return level, q.Values
		}
	}
	if n := len(s.Quantiles); n > 0 {
		return s.Quantiles[n-1].Level, s.Quantiles[n-1].Values
	}
	return 0, nil
}

// Forecast is the median as a frame.
func (n Newest) Forecast() series.DataFrame {
	frame := series.DataFrame{Start: n.GeneratedAt, Step: n.Step, Values: make([]float64, len(n.Median))}
	for i, v := range n.Median {
		frame.Values[i] = float64(v)
	}
	return frame
}
