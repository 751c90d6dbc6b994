package lease_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kedastral/kedastral/forecaster/lease"
)

// keeper is an API server with one Lease, that a test can break.
type keeper struct {
	mu      sync.Mutex
	record  *lease.Record
	version int
	broken  error
	hung    bool
	writes  int
}

func (k *keeper) answer(ctx context.Context) error {
	k.mu.Lock()
	hung, broken := k.hung, k.broken
	k.mu.Unlock()
	if hung {
		<-ctx.Done()
		return ctx.Err()
	}
	return broken
}

func (k *keeper) Get(ctx context.Context) (lease.Record, error) {
	if err := k.answer(ctx); err != nil {
		return lease.Record{}, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.record == nil {
		return lease.Record{}, lease.ErrNone
	}
	return *k.record, nil
}

func (k *keeper) Create(ctx context.Context, r lease.Record) (lease.Record, error) {
	return k.write(ctx, r, func() bool { return k.record == nil })
}

func (k *keeper) Update(ctx context.Context, r lease.Record) (lease.Record, error) {
	return k.write(ctx, r, func() bool { return k.record != nil && k.record.Version == r.Version })
}

func (k *keeper) write(ctx context.Context, r lease.Record, may func() bool) (lease.Record, error) {
	if err := k.answer(ctx); err != nil {
		return lease.Record{}, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if !may() {
		return lease.Record{}, lease.ErrTaken
	}
	k.version++
	k.writes++
	r.Version = strconv.Itoa(k.version)
	k.record = &r
	return r, nil
}

func (k *keeper) set(change func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	change()
}

func (k *keeper) holder() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.record == nil {
		return ""
	}
	return k.record.Holder
}

// begin runs a forecaster's view until stop, which returns when it has ended.
func begin(t *testing.T, k lease.Keeper, name string, log *bytes.Buffer) (l *lease.Lease, stop func()) {
	t.Helper()
	o := lease.Options{Keeper: k, Identity: name}
	if log != nil {
		o.Log = slog.New(slog.NewTextHandler(log, nil))
	}
	l = lease.New(o)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := l.Run(ctx); err != nil {
			t.Errorf("Run = %v", err)
		}
	}()
	stop = func() { cancel(); <-ended }
	t.Cleanup(stop)
	l.Wait(t.Context())
	return l, stop
}

func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// Of several that begin, one leads and stays so; the others follow it.
func TestOneLeads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &keeper{}
		var all []*lease.Lease
		for _, name := range []string{"a", "b", "c"} {
			l, _ := begin(t, k, name, nil)
			all = append(all, l)
		}
		pass(5 * time.Second) // those who saw another take it look again
		first := k.holder()
		for range 100 {
			pass(time.Second)
			leading := 0
			for _, l := range all {
				if l.Leading() == l.Following() {
					t.Fatalf("one leads %t and follows %t", l.Leading(), l.Following())
				}
				if l.Leading() {
					leading++
				}
			}
			if leading != 1 || k.holder() != first {
				t.Fatalf("%d lead, %q holds it; want 1, %q", leading, k.holder(), first)
			}
		}
	})
}

// A leader that ends gives the lease back; one that dies loses it when its
// time is over, and not before.
func TestSuccession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &keeper{}
		_, stop := begin(t, k, "a", nil)
		b, _ := begin(t, k, "b", nil)
		pass(30 * time.Second)
		if !b.Following() {
			t.Fatal("the second does not follow the first")
		}
		stop()
		if got := k.holder(); got != "" {
			t.Errorf("after its end the lease is of %q; want nobody's", got)
		}
		pass(5 * time.Second)
		if !b.Leading() || b.Following() {
			t.Error("the second does not lead once the first has given the lease back")
		}
		k.set(func() { k.version++; k.record.Version = strconv.Itoa(k.version); k.record.Holder = "dead" })
		pass(5 * time.Second)
		if !b.Following() {
			t.Error("it does not follow who took the lease")
		}
		pass(lease.Duration + 5*time.Second) // since it saw that, and its next look
		if b.Following() || !b.Leading() {
			t.Error("it still follows who has not renewed the lease for its duration")
		}
	})
}

// Without the API server nobody follows for longer than the lease is good for,
// the leader goes on, and the log says so once a minute.
func TestServerGone(t *testing.T) {
	for name, gone := range map[string]func(*keeper){
		"fails": func(k *keeper) { k.broken = errors.New("no route to host") }, "hangs": func(k *keeper) { k.hung = true },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k, log := &keeper{}, &bytes.Buffer{}
				a, _ := begin(t, k, "a", nil)
				b, stop := begin(t, k, "b", log)
				pass(10 * time.Second)
				k.set(func() { gone(k) })
				pass(lease.Duration + 3*time.Second)
				if a.Following() || b.Following() {
					t.Errorf("without the API server a follows %t, b follows %t; want neither", a.Following(), b.Following())
				}
				pass(2 * time.Minute)
				k.set(func() { k.broken, k.hung = nil, false })
				pass(10 * time.Second) // one that hung before takes its patience
				if a.Leading() == b.Leading() {
					t.Errorf("with the API server again a leads %t, b leads %t; want one", a.Leading(), b.Leading())
				}
				stop()
				if n := strings.Count(log.String(), "cannot be used"); n < 1 || n > 3 {
					t.Errorf("%d complaints in two minutes; want one a minute:\n%s", n, log)
				}
				for _, want := range []string{"leader=a", "no leader is known", "can be used again"} {
					if !strings.Contains(log.String(), want) {
						t.Errorf("the log lacks %q:\n%s", want, log)
					}
				}
			})
		})
	}
}

// A server that never answers holds nobody up for long at the start.
func TestStartsWithoutServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		l, _ := begin(t, &keeper{hung: true}, "a", nil)
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("Wait took %v", took)
		}
		if l.Following() || l.Leading() {
			t.Errorf("Following %t, Leading %t; want neither", l.Following(), l.Leading())
		}
	})
}

// One that cannot read gives the lease back and takes none until it can.
func TestUnable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, able := &keeper{}, atomic.Bool{}
		a := lease.New(lease.Options{Keeper: k, Identity: "a", Able: able.Load})
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		go func() { _ = a.Run(ctx) }()
		pass(time.Minute)
		if k.record != nil {
			t.Errorf("it took the lease: %+v", k.record)
		}
		able.Store(true)
		pass(5 * time.Second)
		if !a.Leading() {
			t.Fatal("it does not lead although it can")
		}
		b, end := begin(t, k, "b", nil)
		able.Store(false)
		pass(10 * time.Second)
		if k.holder() != "b" || !a.Following() || !b.Leading() {
			t.Errorf("the lease is of %q; want that of the one that can", k.holder())
		}
		end()
		pass(time.Minute)
		if k.holder() != "" || a.Following() {
			t.Errorf("the lease is of %q; want nobody's, for nobody can", k.holder())
		}
	})
}

// The lease tells others since when it is held and how often it changed hands.
func TestRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &keeper{}
		began := time.Now()
		_, stop := begin(t, k, "a", nil)
		pass(time.Minute)
		if r := *k.record; !r.Acquired.Equal(began) || time.Since(r.Renewed) > 5*time.Second || r.Transitions != 0 {
			t.Errorf("after a minute %+v; want it acquired at the start, and renewed", r)
		}
		stop()
		begin(t, k, "b", nil)
		if r := *k.record; r.Transitions != 1 || r.Holder != "b" || !r.Acquired.Equal(time.Now()) {
			t.Errorf("after a change %+v; want b, one transition, acquired now", r)
		}
	})
}
