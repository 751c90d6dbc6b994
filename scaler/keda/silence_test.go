package keda_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/kedastral/kedastral/scaler/cache"
	"github.com/kedastral/kedastral/scaler/keda"
	"github.com/kedastral/kedastral/shared/forecast"
)

// A ScaledObject that was paused for long is answered from a new forecast when
// it is asked for again, within the time that a first question has; one whose
// forecast is still of use, at once.
func TestAPausedScaledObjectComesBack(t *testing.T) {
	for name, tt := range map[string]struct {
		staleAfter time.Duration
		answer     int // the plan's for when it comes back, or the one that is held
		waits      time.Duration
	}{
		"too old by then": {10 * time.Minute, 3, 100 * time.Millisecond},
		"held":            {2 * time.Hour, 9, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var count atomic.Int32
				count.Store(9)
				source := forecast.ReaderFunc(func(_ context.Context, workload string) (forecast.Snapshot, error) {
					time.Sleep(100 * time.Millisecond)
					counts := make([]int, 120)
					for i := range counts {
						counts[i] = int(count.Load())
					}
					s := plan(workload, time.Now().Add(-100*time.Millisecond).Truncate(time.Minute), counts...)
					s.Received = time.Now()
					return s, nil
				})
				reg := prometheus.NewRegistry()
				c, err := cache.New(source, cache.NewMetrics(reg), cache.Options{
					Size: 10, Interval: 15 * time.Second, Retry: 5 * time.Second, Wait: 200 * time.Millisecond, Idle: 10 * time.Minute, Concurrency: 2,
					Usable: func(s forecast.Snapshot) bool { return keda.Usable(s, time.Now(), tt.staleAfter) },
				})
				if err != nil {
					t.Fatal(err)
				}
				ctx, stop := context.WithCancel(context.Background())
				done := make(chan error, 1)
				go func() { done <- c.Run(ctx) }()
				defer func() {
					stop()
					if err := <-done; err != nil {
						t.Errorf("Run() = %v", err)
					}
				}()
				b := set(t, func(o *keda.Options) { o.StaleAfter, o.Now = tt.staleAfter, time.Now })
				s, err := keda.New(c, prometheus.NewRegistry(), b.Options)
				if err != nil {
					t.Fatal(err)
				}
				b.Server = s
				if got, err := b.ask(t, ref("web")); err != nil || got != 9 {
					t.Fatalf("GetMetrics() = %d, %v; want 9", got, err)
				}
				count.Store(3)
				time.Sleep(45*time.Minute + 300*time.Millisecond)
				asked := time.Now()
				if got, err := b.ask(t, ref("web")); err != nil || got != tt.answer || time.Since(asked) != tt.waits {
					t.Errorf("GetMetrics() after a pause = %d, %v after %v; want %d after %v", got, err, time.Since(asked), tt.answer, tt.waits)
				}
			})
		})
	}
}
