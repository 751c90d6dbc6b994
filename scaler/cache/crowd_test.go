package cache_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kedastral/kedastral/scaler/cache"
	"github.com/kedastral/kedastral/shared/forecast"
)

func TestIdleWorkloadsAreLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var fetches atomic.Int32
		counting := func(ctx context.Context, w string) (forecast.Snapshot, error) {
			fetches.Add(1)
			return good(ctx, w)
		}
		c, _ := start(t, forecast.ReaderFunc(counting), options())
		if _, err := c.Latest(t.Context(), "shop/web"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(11 * time.Minute)
		before := fetches.Load()
		time.Sleep(time.Hour)
		if n := fetches.Load() - before; n != 0 {
			t.Errorf("%d fetches for a workload nobody asked for; want 0", n)
		}
		if _, err := c.Latest(t.Context(), "shop/web"); err != nil {
			t.Errorf("Latest() after a pause = %v; want what is held", err)
		}
		time.Sleep(2 * time.Second)
		if s, _ := c.Latest(t.Context(), "shop/web"); time.Since(s.GeneratedAt) > 2*time.Second {
			t.Errorf("%v after being asked again the snapshot is %v old", 2*time.Second, time.Since(s.GeneratedAt))
		}
	})
}

// TestUnknownNamesPushNothingOut asks for far more unknown workloads than the
// cache holds, next to one that is known.
func TestUnknownNamesPushNothingOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var fetches atomic.Int32
		one := func(ctx context.Context, w string) (forecast.Snapshot, error) {
			if w == "shop/web" {
				return good(ctx, w)
			}
			fetches.Add(1)
			return forecast.Snapshot{}, fmt.Errorf("workload %q: %w", w, forecast.ErrNotFound)
		}
		c, reg := start(t, forecast.ReaderFunc(one), options())
		if _, err := c.Latest(t.Context(), "shop/web"); err != nil {
			t.Fatal(err)
		}
		for i := range 10_000 {
			if _, err := c.Latest(t.Context(), fmt.Sprintf("shop/bogus-%d", i)); !errors.Is(err, forecast.ErrNotFound) {
				t.Fatalf("Latest(bogus %d) = %v; want ErrNotFound", i, err)
			}
		}
		if _, err := c.Peek("shop/web"); err != nil {
			t.Errorf("Peek(the known one) = %v; want its snapshot", err)
		}
		if n := value(t, reg, "kedastral_scaler_cache_evictions_total"); n != 0 {
			t.Errorf("%v evictions; want 0", n)
		}
		fetches.Store(0)
		for range 10 {
			time.Sleep(time.Second)
			_, _ = c.Latest(t.Context(), "shop/bogus-9999")
		}
		if n := fetches.Load(); n > 100 {
			t.Errorf("%d fetches in 10s for unknown workloads; want at most one each for the 100 remembered", n)
		}
	})
}

// TestUnknownNamesAreForgotten has many names asked for once, and one again and
// again, that nobody forecasts.
func TestUnknownNamesAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var fetches, again atomic.Int32
		nobody := func(_ context.Context, w string) (forecast.Snapshot, error) {
			fetches.Add(1)
			if w == "shop/again" {
				again.Add(1)
			}
			return forecast.Snapshot{}, fmt.Errorf("workload %q: %w", w, forecast.ErrNotFound)
		}
		c, _ := start(t, forecast.ReaderFunc(nobody), options())
		for i := range 50 {
			_, _ = c.Latest(t.Context(), fmt.Sprintf("shop/bogus-%d", i))
		}
		for range 60 { // four intervals
			_, _ = c.Latest(t.Context(), "shop/again")
			time.Sleep(time.Second)
		}
		if n := fetches.Load() - again.Load(); n != 50 {
			t.Errorf("%d fetches for 50 names that were asked for once; want 50", n)
		}
		if n := again.Load(); n < 4 || n > 6 {
			t.Errorf("%d fetches in four intervals for a name that is asked for all the time; want 5", n)
		}
		if _, err := c.Peek("shop/bogus-0"); !errors.Is(err, cache.ErrPending) {
			t.Errorf("Peek(a name asked for once) = %v; want ErrPending, as for one that never was", err)
		}
	})
}

func TestEvictionsAreCountedAndTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var logged bytes.Buffer
		o := options()
		o.Size, o.Log = 2, slog.New(slog.NewTextHandler(&logged, nil))
		c, reg := start(t, forecast.ReaderFunc(good), o)
		for range 20 {
			for _, w := range []string{"a/a", "a/b", "a/c", "a/d"} {
				if s, err := c.Latest(t.Context(), w); err != nil || s.Workload != w {
					t.Fatalf("Latest(%q) = %q, %v; want its own snapshot though the cache is too small", w, s.Workload, err)
				}
			}
			time.Sleep(time.Second)
		}
		if n := value(t, reg, "kedastral_scaler_cache_evictions_total"); n < 10 {
			t.Errorf("%v evictions counted; want at least 10", n)
		}
		if n := strings.Count(logged.String(), "CACHE_SIZE"); n != 1 {
			t.Errorf("told %d times in 20s; want once:\n%s", n, logged.String())
		}
	})
}

// TestHerd is a restarted KEDA with ten thousand workloads and a cold cache:
// one fetch each, never more at a time than allowed, all answered in seconds.
func TestHerd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const workloads = 10_000
		var busy, most, total atomic.Int32
		slow := func(ctx context.Context, w string) (forecast.Snapshot, error) {
			total.Add(1)
			most.Store(max(most.Load(), busy.Add(1)))
			defer busy.Add(-1)
			time.Sleep(2 * time.Millisecond)
			return good(ctx, w)
		}
		o := options()
		o.Size, o.Concurrency = workloads, 16
		c, _ := start(t, forecast.ReaderFunc(slow), o)
		var callers sync.WaitGroup
		for i := range workloads {
			callers.Go(func() {
				w, asked := fmt.Sprintf("shop/w-%d", i), time.Now()
				for {
					s, err := c.Latest(t.Context(), w)
					if err == nil && s.Workload == w {
						break
					}
					time.Sleep(100 * time.Millisecond)
				}
				if waited := time.Since(asked); waited > 3*time.Second {
					t.Errorf("%s answered after %v; want within 3s", w, waited)
				}
			})
		}
		callers.Wait()
		if total.Load() != workloads || most.Load() > 16 {
			t.Errorf("%d fetches, %d at a time; want %d, at most 16", total.Load(), most.Load(), workloads)
		}
	})
}

// TestRefreshesSpread asks for many workloads at the same instant: later their
// refreshes must not fall on the same instant.
func TestRefreshesSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		at := map[time.Duration]int{}
		begin := time.Now()
		noting := func(ctx context.Context, w string) (forecast.Snapshot, error) {
			mu.Lock()
			defer mu.Unlock()
			at[time.Since(begin)]++
			return good(ctx, w)
		}
		c, _ := start(t, forecast.ReaderFunc(noting), options())
		for i := range 100 {
			_, _ = c.Latest(t.Context(), fmt.Sprintf("shop/w-%d", i))
		}
		time.Sleep(5 * time.Minute)
		mu.Lock()
		defer mu.Unlock()
		for since, n := range at {
			if since > 2*time.Minute && n > 30 {
				t.Errorf("%d of 100 workloads fetched %v after the start; want them spread", n, since)
			}
		}
	})
}
