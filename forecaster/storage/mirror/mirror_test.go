package mirror_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/kedastral/kedastral/forecaster/storage"
	"github.com/kedastral/kedastral/forecaster/storage/mirror"
	"github.com/kedastral/kedastral/forecaster/storage/storetest"
	"github.com/kedastral/kedastral/shared/forecast"
)

// shared is a store behind that a test can break.
type shared struct {
	mu     sync.Mutex
	held   map[string]forecast.Snapshot
	broken error
	hung   bool
	puts   int
	asked  []string
}

func newShared() *shared { return &shared{held: make(map[string]forecast.Snapshot)} }

// ready waits while it hangs, and says what is broken.
func (s *shared) ready(ctx context.Context) error {
	s.mu.Lock()
	hung, broken := s.hung, s.broken
	s.mu.Unlock()
	if hung {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
			return context.DeadlineExceeded
		}
	}
	return broken
}

func (s *shared) PutAll(ctx context.Context, all []forecast.Snapshot) []error {
	errs, err := make([]error, len(all)), s.ready(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.puts++
	for i, one := range all {
		if errs[i] = err; err == nil && !one.GeneratedAt.Before(s.held[one.Workload].GeneratedAt) {
			s.held[one.Workload] = one
		}
	}
	return errs
}

func (s *shared) Newer(ctx context.Context, than map[string]time.Time) (found []forecast.Snapshot, err error) {
	if err := s.ready(ctx); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, at := range than {
		s.asked = append(s.asked, name)
		if one, ok := s.held[name]; ok && one.GeneratedAt.After(at) {
			one.Received, one.AgeAtReceipt = time.Time{}, 0
			found = append(found, one)
		}
	}
	return found, nil
}

func (s *shared) set(change func(*shared)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s)
}

func (s *shared) generated(workload string) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.held[workload].GeneratedAt
}

func (s *shared) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.held)
}

func (s *shared) tries() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.puts
}

// run makes a mirror of some workloads and runs it until the test ends.
func run(t *testing.T, behind *shared, workloads ...string) (*mirror.Mirror, *prometheus.Registry, *bytes.Buffer) {
	t.Helper()
	reg, log := prometheus.NewPedanticRegistry(), &bytes.Buffer{}
	m := mirror.New(mirror.Options{
		Shared: behind, Workloads: workloads, Now: time.Now, Poll: 5 * time.Second,
		Log: slog.New(slog.NewTextHandler(log, nil)), Metrics: mirror.NewMetrics(reg),
	})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- m.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("Run = %v", err)
		}
	})
	synctest.Wait()
	return m, reg, log
}

func TestStore(t *testing.T) {
	storetest.Run(t, func(*testing.T) storage.Store {
		return mirror.New(mirror.Options{Shared: newShared(), Now: time.Now, Poll: time.Second})
	})
}

// minute is a snapshot of now's minute and of so many before.
func minute(ago int) forecast.Snapshot {
	s := storetest.Sample("shop/web", time.Now().UTC().Truncate(time.Minute).Add(-time.Duration(ago)*time.Minute), 3)
	s.Received = time.Now()
	return s
}

func TestCarriesBothWays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		behind := newShared()
		mine, _, _ := run(t, behind, "shop/web")
		other, _, _ := run(t, behind, "shop/web")
		put(t, mine, minute(1))
		synctest.Wait()
		if got := behind.generated("shop/web"); !got.Equal(minute(1).GeneratedAt) {
			t.Errorf("behind is %v at once after Put; want what was put", got)
		}
		time.Sleep(6 * time.Second)
		synctest.Wait()
		got, ok, err := other.GetLatest(t.Context(), "shop/web")
		if err != nil || !ok || !got.GeneratedAt.Equal(minute(1).GeneratedAt) {
			t.Errorf("the other has %v, %t, %v after its next look; want what was put", got.GeneratedAt, ok, err)
		}
		if age := got.Age(time.Now()); age != time.Since(got.GeneratedAt) {
			t.Errorf("its age there is %v; want the true one, %v", age, time.Since(got.GeneratedAt))
		}
	})
}

// TestNoLookWithoutNeed: while a workload's snapshot here is current, the
// shared store is not asked about it.
func TestNoLookWithoutNeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		behind := newShared()
		m, _, _ := run(t, behind, "shop/web", "shop/other")
		time.Sleep(time.Minute - time.Since(time.Now().Truncate(time.Minute)))
		late := minute(0)
		late.DelaySeconds = 45 // so the next one, generated after a minute, is published then
		put(t, m, late)
		behind.set(func(s *shared) { s.asked = nil })
		time.Sleep(104 * time.Second)
		behind.set(func(s *shared) {
			if text := strings.Join(s.asked, " "); strings.Contains(text, "web") || !strings.Contains(text, "other") {
				t.Errorf("asked for %q; want shop/other alone", text)
			}
		})
		time.Sleep(10 * time.Second)
		behind.set(func(s *shared) {
			if !slices.Contains(s.asked, "shop/web") {
				t.Error("shop/web is not asked for when its next snapshot is due")
			}
		})
	})
}

// TestHungOrBroken: Put and GetLatest take no time, what was put last is
// written when the store is back, and the log says so once a minute.
func TestHungOrBroken(t *testing.T) {
	for name, breakIt := range map[string]func(*shared){
		"hung":   func(s *shared) { s.hung = true },
		"broken": func(s *shared) { s.broken = errors.New("NOAUTH: set REDIS_PASSWORD_FILE") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				behind := newShared()
				m, reg, log := run(t, behind, "shop/web")
				behind.set(breakIt)
				var began time.Time
				for range 10 {
					began = time.Now()
					put(t, m, minute(0))
					if got, ok, err := m.GetLatest(t.Context(), "shop/web"); err != nil || !ok || !got.GeneratedAt.Equal(minute(0).GeneratedAt) {
						t.Errorf("GetLatest = %v, %t, %v; want what was put", got.GeneratedAt, ok, err)
					}
					if took := time.Since(began); took != 0 {
						t.Errorf("Put and GetLatest took %v; want no waiting", took)
					}
					time.Sleep(time.Minute)
				}
				wantMetrics(t, reg, 0, 1)
				if n := strings.Count(log.String(), "cannot be used"); n < 9 || n > 11 {
					t.Errorf("%d complaints in ten minutes; want one a minute:\n%s", n, log)
				}
				if n := behind.tries(); n > 10*60 {
					t.Errorf("tried %d times in ten minutes; want it left alone between", n)
				}
				behind.set(func(s *shared) { s.hung, s.broken = false, nil })
				back := time.Now()
				for behind.generated("shop/web").Before(began.Truncate(time.Minute)) && time.Since(back) < 5*time.Second {
					time.Sleep(100 * time.Millisecond)
				}
				if got := behind.generated("shop/web"); !got.Equal(began.Truncate(time.Minute)) {
					t.Errorf("behind is %v five seconds after its return; want the last that was put, %v", got, began)
				}
				synctest.Wait()
				wantMetrics(t, reg, 1, 0)
			})
		})
	}
}

func wantMetrics(t *testing.T, reg *prometheus.Registry, up, pending int) {
	t.Helper()
	want := fmt.Sprintf(`
# HELP kedastral_forecaster_store_pending Workloads whose newest snapshot is not in the shared store yet.
# TYPE kedastral_forecaster_store_pending gauge
kedastral_forecaster_store_pending %d
# HELP kedastral_forecaster_store_up 1 if the newest exchange with the shared store succeeded, 0 if not or there was none yet.
# TYPE kedastral_forecaster_store_up gauge
kedastral_forecaster_store_up %d
`, pending, up)
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "kedastral_forecaster_store_pending", "kedastral_forecaster_store_up"); err != nil {
		t.Error(err)
	}
}

// TestOneFailureOfMany: the others are written, and it is tried again.
func TestOneFailureOfMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		behind := newShared()
		partly := &refusing{shared: behind, refused: "shop/web-3"}
		m := mirror.New(mirror.Options{Shared: partly, Now: time.Now, Poll: time.Second})
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- m.Run(ctx) }()
		for i := range 5 {
			s := minute(1)
			s.Workload = fmt.Sprintf("shop/web-%d", i)
			put(t, m, s)
		}
		time.Sleep(time.Second)
		if n := behind.count(); n != 4 {
			t.Errorf("%d written; want the 4 that are not refused", n)
		}
		behind.set(func(*shared) { partly.refused = "" })
		time.Sleep(5 * time.Second)
		if n := behind.count(); n != 5 {
			t.Errorf("%d written; want all 5", n)
		}
		stop()
		if err := <-ended; err != nil {
			t.Errorf("Run = %v", err)
		}
	})
}

type refusing struct {
	*shared
	refused string
}

func (r *refusing) PutAll(ctx context.Context, all []forecast.Snapshot) []error {
	errs := make([]error, len(all))
	for i, s := range all {
		r.mu.Lock()
		refused := s.Workload == r.refused
		r.mu.Unlock()
		if refused {
			errs[i] = errors.New("refused")
		} else {
			r.shared.PutAll(ctx, all[i:i+1])
		}
	}
	return errs
}

// TestFutureStaysThere: what is from this clock's future is not taken.
func TestFutureStaysThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		behind := newShared()
		behind.held["shop/web"] = minute(-60)
		m, reg, _ := run(t, behind, "shop/web")
		if got, ok, err := m.GetLatest(t.Context(), "shop/web"); ok || err != nil {
			t.Errorf("GetLatest = %v, %t, %v; want nothing of the future", got.GeneratedAt, ok, err)
		}
		const want = `
# HELP kedastral_forecaster_store_future_total Snapshots left in the shared store because they are from the future by this machine's clock.
# TYPE kedastral_forecaster_store_future_total counter
kedastral_forecaster_store_future_total 1
`
		if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "kedastral_forecaster_store_future_total"); err != nil {
			t.Error(err)
		}
	})
}

// TestWritesAtTheEnd: what was put a moment before the end is written.
func TestWritesAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		behind := newShared()
		m := mirror.New(mirror.Options{Shared: behind, Now: time.Now, Poll: time.Second})
		put(t, m, minute(1))
		ctx, stop := context.WithCancel(t.Context())
		stop()
		if err := m.Run(ctx); err != nil {
			t.Errorf("Run = %v", err)
		}
		if behind.generated("shop/web").IsZero() {
			t.Error("not written at the end")
		}
	})
}

func TestMetricsLint(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	mirror.NewMetrics(reg)
	if problems, err := testutil.GatherAndLint(reg); err != nil || len(problems) > 0 {
		t.Errorf("GatherAndLint = %v, %v", problems, err)
	}
}

func put(t *testing.T, m *mirror.Mirror, s forecast.Snapshot) {
	t.Helper()
	if err := m.Put(t.Context(), s); err != nil {
		t.Fatalf("Put = %v", err)
	}
}
