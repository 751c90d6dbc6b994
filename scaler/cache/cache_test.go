package cache_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/kedastral/kedastral/scaler/cache"
	"github.com/kedastral/kedastral/shared/forecast"
)

var errDown = errors.New("forecaster is down")

func options() cache.Options {
	return cache.Options{
		Size: 100, Interval: 15 * time.Second, Retry: 5 * time.Second,
		Wait: 250 * time.Millisecond, Idle: 10 * time.Minute, Concurrency: 8,
		Usable: func(forecast.Snapshot) bool { return true },
	}
}

// start runs a cache over source until the test's bubble ends.
func start(t *testing.T, source forecast.Reader, o cache.Options) (*cache.Cache, *prometheus.Registry) {
	t.Helper()
	reg := prometheus.NewRegistry()
	c, err := cache.New(source, cache.NewMetrics(reg), o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := c.Run(ctx); err != nil {
			t.Errorf("Run() = %v; want nil", err)
		}
	}()
	t.Cleanup(func() { stop(); <-done })
	return c, reg
}

func snapshot(workload string, at time.Time) forecast.Snapshot {
	return forecast.Snapshot{Workload: workload, GeneratedAt: at, StepSeconds: 60, DesiredReplicas: []int{3}}
}

// good answers every question at once with a snapshot of now.
func good(_ context.Context, workload string) (forecast.Snapshot, error) {
	return snapshot(workload, time.Now()), nil
}

// hung never answers.
func hung(ctx context.Context, _ string) (forecast.Snapshot, error) {
	<-ctx.Done()
	return forecast.Snapshot{}, ctx.Err()
}

// source is what stands behind the cache, replaceable while it runs.
type source struct {
	atomic.Pointer[forecast.ReaderFunc]
}

func (s *source) set(f forecast.ReaderFunc) { s.Store(&f) }

func (s *source) Latest(ctx context.Context, workload string) (forecast.Snapshot, error) {
	return (*s.Load())(ctx, workload)
}

func TestFirstQuestionWaitsForItsFetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := func(ctx context.Context, w string) (forecast.Snapshot, error) {
			time.Sleep(100 * time.Millisecond)
			return good(ctx, w)
		}
		c, _ := start(t, forecast.ReaderFunc(slow), options())
		asked := time.Now()
		s, err := c.Latest(t.Context(), "shop/web")
		if err != nil || s.Workload != "shop/web" || time.Since(asked) != 100*time.Millisecond {
			t.Errorf("Latest() = %q, %v after %v; want shop/web after 100ms", s.Workload, err, time.Since(asked))
		}
	})
}

func TestHungSourceCostsOnlyTheFirstQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := start(t, forecast.ReaderFunc(hung), options())
		for i, wait := range []time.Duration{250 * time.Millisecond, 0, 0} {
			asked := time.Now()
			_, err := c.Latest(t.Context(), "shop/web")
			if !errors.Is(err, cache.ErrPending) || time.Since(asked) != wait {
				t.Errorf("question %d: %v after %v; want ErrPending after %v", i, err, time.Since(asked), wait)
			}
		}
	})
}

func TestFirstQuestionEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := start(t, forecast.ReaderFunc(hung), options())
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		asked := time.Now()
		_, err := c.Latest(ctx, "shop/web")
		if !errors.Is(err, cache.ErrPending) || time.Since(asked) != 10*time.Millisecond {
			t.Errorf("Latest() = %v after %v; want ErrPending after 10ms", err, time.Since(asked))
		}
	})
}

func TestOneFetchForManyQuestions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var fetches atomic.Int32
		slow := func(ctx context.Context, w string) (forecast.Snapshot, error) {
			fetches.Add(1)
			time.Sleep(50 * time.Millisecond)
			return good(ctx, w)
		}
		c, _ := start(t, forecast.ReaderFunc(slow), options())
		var callers sync.WaitGroup
		for range 200 {
			callers.Go(func() {
				if _, err := c.Latest(t.Context(), "shop/web"); err != nil {
					t.Errorf("Latest() = %v; want the one fetch's snapshot", err)
				}
			})
		}
		callers.Wait()
		if n := fetches.Load(); n != 1 {
			t.Errorf("%d fetches for 200 questions at once; want 1", n)
		}
	})
}

func TestLastGoodSnapshotStands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s source
		s.set(good)
		c, _ := start(t, &s, options())
		want, err := c.Latest(t.Context(), "shop/web")
		if err != nil {
			t.Fatal(err)
		}
		for _, bad := range []forecast.ReaderFunc{
			hung,
			func(context.Context, string) (forecast.Snapshot, error) { return forecast.Snapshot{}, errDown },
			func(context.Context, string) (forecast.Snapshot, error) {
				return forecast.Snapshot{}, forecast.ErrNotFound
			},
		} {
			s.set(bad)
			time.Sleep(time.Minute)
			asked := time.Now()
			got, err := c.Latest(t.Context(), "shop/web")
			if err != nil || !got.GeneratedAt.Equal(want.GeneratedAt) || time.Since(asked) != 0 {
				t.Errorf("Latest() = generated %v, %v after %v; want %v at once",
					got.GeneratedAt, err, time.Since(asked), want.GeneratedAt)
			}
		}
	})
}

func TestRefreshedBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := start(t, forecast.ReaderFunc(good), options())
		for range 20 {
			asked := time.Now()
			s, err := c.Latest(t.Context(), "shop/web")
			if age := time.Since(s.GeneratedAt); err != nil || age > 18*time.Second || time.Since(asked) != 0 {
				t.Fatalf("Latest() = %v old, %v; want less than a jittered interval and a tick", age, err)
			}
			time.Sleep(7 * time.Second)
		}
	})
}

// TestAClockSetBack: from some moment on the forecasts are dated an hour
// earlier. The one held stands while it is young; then the younger ones count.
func TestAClockSetBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var shift atomic.Int64
		dated := func(_ context.Context, w string) (forecast.Snapshot, error) {
			now := time.Now()
			s := snapshot(w, now.Truncate(time.Minute).Add(time.Duration(shift.Load())))
			s.IntervalSeconds, s.Received, s.AgeAtReceipt = 60, now, now.Sub(now.Truncate(time.Minute))
			return s, nil
		}
		c, _ := start(t, forecast.ReaderFunc(dated), options())
		oldest := time.Duration(0)
		for i := range 600 {
			if i == 60 {
				shift.Store(int64(-time.Hour))
			}
			s, err := c.Latest(t.Context(), "shop/web")
			if err != nil {
				t.Fatal(err)
			}
			oldest = max(oldest, s.Age(time.Now()))
			if i == 90 && s.GeneratedAt.Before(time.Now().Add(-10*time.Minute)) { // the one held may be from the first minute
				t.Error("half a minute after the clock was set back its date already counts; want the one held while it is young")
			}
			time.Sleep(time.Second)
		}
		if oldest < 2*time.Minute-time.Second || oldest > 2*time.Minute+30*time.Second {
			t.Errorf("the oldest answer was %v old; want overtaken within a fetch of twice the interval", oldest)
		}
	})
}

func TestGeneratedAtNeverGoesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n atomic.Int64
		begin := time.Now()
		ages := []int{5, 3, 4, 9, 1, 2, 0, 8}
		alternating := func(_ context.Context, w string) (forecast.Snapshot, error) {
			i := int(n.Add(1)-1) % len(ages)
			return snapshot(w, begin.Add(time.Duration(ages[i])*time.Minute)), nil
		}
		c, reg := start(t, forecast.ReaderFunc(alternating), options())
		var newest time.Time
		for range 100 {
			s, err := c.Latest(t.Context(), "shop/web")
			if err != nil || s.GeneratedAt.Before(newest) {
				t.Fatalf("Latest() = generated %v, %v; want no earlier than %v", s.GeneratedAt, err, newest)
			}
			newest = s.GeneratedAt
			time.Sleep(2 * time.Second)
		}
		if want := begin.Add(9 * time.Minute); !newest.Equal(want) {
			t.Errorf("ended with the snapshot of %v; want the newest, %v", newest, want)
		}
		if value(t, reg, "kedastral_scaler_cache_superseded_total") == 0 {
			t.Error("older snapshots were not counted")
		}
	})
}

func TestNewRefusesWhatCannotWork(t *testing.T) {
	_, err := cache.New(forecast.ReaderFunc(good), nil, cache.Options{Interval: -1})
	for _, name := range []string{"size", "interval", "retry", "wait", "idle", "concurrency"} {
		if err == nil || !strings.Contains(err.Error(), name+"=") {
			t.Errorf("New(nothing set) = %v; want %s named", err, name)
		}
	}
}

func TestMetricsLint(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	cache.NewMetrics(reg)
	if problems, err := testutil.GatherAndLint(reg); err != nil || len(problems) > 0 {
		t.Errorf("lint: %v, %v", problems, err)
	}
}

func TestHitAllocatesNothing(t *testing.T) {
	c, err := cache.New(forecast.ReaderFunc(good), cache.NewMetrics(prometheus.NewRegistry()), options())
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = c.Run(ctx) }()
	if _, err := c.Latest(ctx, "shop/web"); err != nil {
		t.Fatal(err)
	}
	stop()
	<-done
	if n := testing.AllocsPerRun(1000, func() { _, _ = c.Latest(ctx, "shop/web") }); n != 0 {
		t.Errorf("%v allocations for an answer from memory; want 0", n)
	}
}

// value is the sum of the named metric's samples.
func value(t *testing.T, reg *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetCounter().GetValue()
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}
