package cache_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kedastral/kedastral/shared/clock/clocktest"
	"github.com/kedastral/kedastral/shared/forecast"
)

// Snapshots come as the client stamps them: when they were asked for, and
// dated no later than that. After this machine's clock is set back, newer ones
// are still newer.
func TestNewSnapshotsCountThoughTheClockIsSetBack(t *testing.T) {
	for _, by := range []time.Duration{-time.Hour, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			var here clocktest.Clock
			stamped := func(_ context.Context, w string) (forecast.Snapshot, error) {
				s := snapshot(w, time.Now().UTC().Truncate(time.Minute)) // by the forecaster's clock, which nobody sets
				s.Received, s.AgeAtReceipt = here.Now(), time.Since(s.GeneratedAt)
				if s.GeneratedAt.After(s.Received) {
					s.GeneratedAt = s.Received.UTC().Truncate(time.Minute)
				}
				return s, nil
			}
			c, _ := start(t, forecast.ReaderFunc(stamped), options())
			for range 4 {
				if s, err := c.Latest(t.Context(), "shop/web"); err != nil || s.Age(here.Now()) > 80*time.Second {
					t.Errorf("Latest() = %v old, %v; want a young one", s.Age(here.Now()), err)
				}
				time.Sleep(time.Minute)
			}
			here.Set(by)
			for range 30 {
				time.Sleep(20 * time.Second)
				if s, err := c.Latest(t.Context(), "shop/web"); err != nil || s.Age(here.Now()) > 80*time.Second {
					t.Fatalf("clock set by %v: Latest() = %v old, %v; want a young one", by, s.Age(here.Now()), err)
				}
			}
		})
	}
}
