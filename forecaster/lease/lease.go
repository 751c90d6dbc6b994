// Package lease has one of several forecasters read the source, and the others
// hand on what it publishes, so that the source is asked once and not by each.
//
// The one thing to know: it saves load and nothing depends on it. A forecaster
// follows only while it knows that another one leads, because it saw that one
// take or renew the Lease a moment ago. In every other case, an API server that
// does not answer included, it computes. There may be two leaders at a time, who
// publish the same bytes, and there is never none; so nothing has to be fenced.
//
// The other decisions of this room:
//
//   - What counts is when a renewal was seen, by this process's own clock, and
//     not the date in the Lease: clocks may disagree.
//   - The Lease is written by a merge patch of its resourceVersion, so of two
//     that take it at once one is refused, and labels that others gave it stay.
//   - It is given back at the end, so that a rollout costs no pause; and by one
//     that cannot do what it leads in, so that another may try.
package lease

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// How long the Lease is good for, and how often it is renewed or looked at.
const (
	Duration = 15 * time.Second
	period   = 3 * time.Second
	patience = 2 * time.Second // with one answer of the API server
	silence  = time.Minute     // between two complaints
)

// Record is a Lease.
type Record struct {
	Holder      string    // "" is nobody
	Version     string    // of the object; it differs after every change
	Acquired    time.Time // when the holder took it
	Renewed     time.Time // by the holder's clock
	Transitions int       // how often it changed hands
}

// The answers of a [Keeper] that are no trouble.
var (
	ErrNone  = errors.New("there is no such lease")
	ErrTaken = errors.New("another one changed the lease meanwhile")
)

// Keeper is where the Lease is kept.
type Keeper interface {
	// Get is the Lease, or ErrNone.
	Get(ctx context.Context) (Record, error)
	// Create makes it, or answers ErrTaken where there is one.
	Create(ctx context.Context, r Record) (Record, error)
	// Update changes that of the Version, or answers ErrTaken.
	Update(ctx context.Context, r Record) (Record, error)
}

// Options are what a [Lease] is made of.
type Options struct {
	Keeper   Keeper
	Identity string      // of this process, unlike any other's
	Able     func() bool // whether this process can lead; nil is always
	Metrics  *Metrics
	Log      *slog.Logger
}

// Metrics tell who leads.
type Metrics struct{ reg prometheus.Registerer }

// NewMetrics registers them once there is a Lease; with nil they are kept to
// themselves.
func NewMetrics(reg prometheus.Registerer) *Metrics { return &Metrics{reg} }

func (m *Metrics) follow(following func() bool) {
	promauto.With(m.reg).NewGaugeFunc(prometheus.GaugeOpts{
		Name: "kedastral_forecaster_following",
		Help: "1 while another forecaster is known to hold the Lease, so that this one reads no source, 0 else.",
	}, func() float64 {
		if following() {
			return 1
		}
		return 0
	})
}

// Lease is this process's view of the Lease.
type Lease struct {
	Options
	looked chan struct{} // closed once it was looked at, or could not be

	mu   sync.Mutex
	held Record
	seen time.Time // when it was last seen to differ

	// Owned by Run:
	led, followed bool      // as the log was last told
	down          bool      // the API server did not answer last
	told          time.Time // when the log was last told so
}

// New makes the view of a Lease that nobody has looked at yet.
func New(o Options) *Lease {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Metrics == nil {
		o.Metrics = NewMetrics(nil)
	}
	l := &Lease{Options: o, looked: make(chan struct{})}
	o.Metrics.follow(l.Following)
	return l
}

// Following reports whether another forecaster is known to lead.
func (l *Lease) Following() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.held.Holder != "" && l.held.Holder != l.Identity && time.Since(l.seen) < Duration
}

// Leading reports whether this one is known to.
func (l *Lease) Leading() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.held.Holder == l.Identity && time.Since(l.seen) < Duration
}

// Wait returns when the Lease was looked at for the first time, which takes
// patience at most.
func (l *Lease) Wait(ctx context.Context) {
	select {
	case <-l.looked:
	case <-ctx.Done():
	}
}

// Run takes the Lease when it is free and renews it while it is ours, until ctx
// ends; then it gives it back.
func (l *Lease) Run(ctx context.Context) error {
	l.look(ctx)
	close(l.looked)
	for ctx.Err() == nil {
		timer := time.NewTimer(time.Duration((0.8 + 0.4*rand.Float64()) * float64(period)))
		select {
		case <-ctx.Done():
			timer.Stop()
		case <-timer.C:
			l.look(ctx)
		}
	}
	if l.Leading() {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
		defer cancel()
		if err := l.giveBack(last); err != nil {
			l.Log.WarnContext(last, "the lease could not be given back, it runs out by itself", "err", err)
		}
	}
	return nil
}

func (l *Lease) giveBack(ctx context.Context) error {
	r := l.last()
	r.Holder = ""
	return l.note(l.Keeper.Update(ctx, r))
}

func (l *Lease) last() Record {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.held
}

// look looks at the Lease once, and takes or renews it if it may.
func (l *Lease) look(ctx context.Context) {
	bounded, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := l.try(bounded)
	if ctx.Err() == nil {
		l.tell(ctx, err)
	}
}

func (l *Lease) try(ctx context.Context) error {
	now, able := time.Now(), l.Able == nil || l.Able()
	ours := Record{Holder: l.Identity, Acquired: now, Renewed: now}
	found, err := l.Keeper.Get(ctx)
	switch {
	case errors.Is(err, ErrNone) && !able:
		return nil
	case errors.Is(err, ErrNone):
		return l.note(l.Keeper.Create(ctx, ours))
	case err != nil:
		return err //nolint:wrapcheck // the keeper's own words
	}
	if err := l.note(found, nil); err != nil || l.Following() {
		return err
	}
	if !able {
		if found.Holder == l.Identity {
			return l.giveBack(ctx)
		}
		return nil
	}
	ours.Version, ours.Transitions = found.Version, found.Transitions
	if found.Holder == l.Identity {
		ours.Acquired = found.Acquired
	} else {
		ours.Transitions++
	}
	return l.note(l.Keeper.Update(ctx, ours))
}

// note remembers the Lease, and when it changed. That another one was quicker
// is no trouble: the next look finds out who.
func (l *Lease) note(r Record, err error) error {
	if errors.Is(err, ErrTaken) {
		return nil
	}
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if r.Version != l.held.Version {
		l.seen = time.Now()
	}
	l.held = r
	return nil
}

// tell logs who reads the source when that changes, and once a minute why it
// cannot be told.
func (l *Lease) tell(ctx context.Context, err error) {
	switch lead, follow := l.Leading(), l.Following(); {
	case lead && !l.led:
		l.Log.InfoContext(ctx, "this forecaster leads and reads the source")
		l.led, l.followed = true, false
	case follow && !l.followed:
		l.Log.InfoContext(ctx, "another forecaster leads, this one hands on what it publishes", "leader", l.last().Holder)
		l.led, l.followed = false, true
	case !lead && !follow && (l.led || l.followed):
		l.Log.WarnContext(ctx, "no leader is known, this forecaster reads the source")
		l.led, l.followed = false, false
	}
	switch {
	case err == nil && l.down:
		l.Log.InfoContext(ctx, "the lease can be used again")
		l.down = false
	case err != nil && (!l.down || time.Since(l.told) >= silence):
		l.Log.WarnContext(ctx, "the lease cannot be used, forecasts go on without it", "err", err)
		l.down, l.told = true, time.Now()
	}
}
