package cache_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kedastral/kedastral/shared/forecast"
)

// counted answers as good does, after a while, and counts.
func counted(fetches *atomic.Int32, takes time.Duration) forecast.ReaderFunc {
	return func(ctx context.Context, w string) (forecast.Snapshot, error) {
		fetches.Add(1)
		time.Sleep(takes)
		return good(ctx, w)
	}
}

// young is whether a snapshot is of use for ten minutes.
func young(s forecast.Snapshot) bool { return time.Since(s.GeneratedAt) <= 10*time.Minute }

// Who comes back after a long silence is answered with a new forecast and not
// told that the last one is too old, all who ask meanwhile by the same fetch.
func TestAfterALongSilenceTheFirstQuestionWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var fetches atomic.Int32
		o := options()
		o.Usable = young
		c, _ := start(t, counted(&fetches, 100*time.Millisecond), o)
		if _, err := c.Latest(t.Context(), "shop/web"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour + 300*time.Millisecond)
		before := fetches.Load()
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				asked := time.Now()
				s, err := c.Latest(t.Context(), "shop/web")
				if err != nil || !young(s) || time.Since(asked) != 100*time.Millisecond {
					t.Errorf("Latest() = a snapshot %v old, %v after %v; want a new one after 100ms", time.Since(s.GeneratedAt), err, time.Since(asked))
				}
			})
		}
		all.Wait()
		if n := fetches.Load() - before; n != 1 {
			t.Errorf("%d fetches for 20 questions; want one", n)
		}
		asked := time.Now()
		time.Sleep(time.Minute)
		if s, err := c.Latest(t.Context(), "shop/web"); err != nil || s.GeneratedAt.Before(asked) {
			t.Errorf("a minute later: a snapshot of %v, %v; want it to be refreshed again", s.GeneratedAt, err)
		}
	})
}

// What is of use is answered with at once, and refreshed behind the answer.
func TestAfterALongSilenceAUsableForecastDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var fetches atomic.Int32
		o := options()
		o.Usable = func(forecast.Snapshot) bool { return true }
		c, _ := start(t, counted(&fetches, 100*time.Millisecond), o)
		if _, err := c.Latest(t.Context(), "shop/web"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour + 300*time.Millisecond)
		asked := time.Now()
		if s, err := c.Latest(t.Context(), "shop/web"); err != nil || young(s) || !time.Now().Equal(asked) {
			t.Errorf("Latest() = a snapshot %v old, %v after %v; want what was held, at once", time.Since(s.GeneratedAt), err, time.Since(asked))
		}
		time.Sleep(150 * time.Millisecond)
		if s, _ := c.Latest(t.Context(), "shop/web"); !young(s) {
			t.Errorf("150ms later the snapshot is %v old; want it fetched at once", time.Since(s.GeneratedAt))
		}
	})
}

// A source that hangs costs only the first question, for as long as a cold one.
func TestAfterALongSilenceAHungSourceCostsOneQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var from source
		from.set(good)
		o := options()
		o.Usable = young
		c, _ := start(t, &from, o)
		if _, err := c.Latest(t.Context(), "shop/web"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		from.set(hung)
		for i, wait := range []time.Duration{250 * time.Millisecond, 0, 0} {
			asked := time.Now()
			s, err := c.Latest(t.Context(), "shop/web")
			if err != nil || young(s) || time.Since(asked) != wait {
				t.Errorf("question %d: a snapshot %v old, %v after %v; want the one held after %v", i, time.Since(s.GeneratedAt), err, time.Since(asked), wait)
			}
		}
	})
}
