package engine_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kedastral/kedastral/forecaster/engine"
	"github.com/kedastral/kedastral/shared/clock/clocktest"
	"github.com/kedastral/kedastral/shared/forecast"
)

// set runs a workload whose source and engine live by one clock, and sets it
// by that much after five minutes.
func set(t *testing.T, by time.Duration) (*engine.Engine, *clocktest.Clock, *source) {
	t.Helper()
	var c clocktest.Clock
	w := workload("shop/web")
	from := w.Source.(*source)
	from.now = c.Now
	o := options()
	o.Clock = &c
	e := begin(t, o, w)
	pass(5 * time.Minute)
	c.Set(by)
	return e, &c, from
}

// A clock that is set back does not stop the ticks until it has caught up, and
// what was published under the old time does not stand in the way of the new.
func TestClockSetBack(t *testing.T) {
	for _, by := range []time.Duration{-time.Hour, -25 * time.Hour, -2 * time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			e, c, _ := set(t, by)
			pass(2*time.Minute + 30*time.Second)
			s := latest(t, e, "shop/web")
			if s.GeneratedAt.After(c.Now()) || s.Age(c.Now()) > 2*time.Minute {
				t.Errorf("set by %v: 2m30s later, at %v, the newest is of %v, %v old; want one of the new time", by, c.Now().UTC(), s.GeneratedAt, s.Age(c.Now()))
			}
			pass(5 * time.Minute)
			if again := latest(t, e, "shop/web"); again.GeneratedAt.Sub(s.GeneratedAt) != 5*time.Minute {
				t.Errorf("set by %v: five minutes on, from %v to %v; want a tick a minute", by, s.GeneratedAt, again.GeneratedAt)
			}
			if err := e.Healthy(); err != nil {
				t.Errorf("set by %v: Healthy() = %v", by, err)
			}
		})
	}
}

// A clock that is set forward skips what it jumped over.
func TestClockSetForward(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, c, _ := set(t, time.Hour)
		pass(2 * time.Minute)
		if s := latest(t, e, "shop/web"); s.Age(c.Now()) > 2*time.Minute {
			t.Errorf("at %v the newest is of %v", c.Now().UTC(), s.GeneratedAt)
		}
		if st := statusOf(t, e, "shop/web"); st.Skipped < 58 || st.Skipped > 61 {
			t.Errorf("%d ticks skipped; want the hour's", st.Skipped)
		}
	})
}

// What cannot be renewed ages by the time that passes, whatever the clock says.
func TestClockSetBackMakesNothingYoung(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, c, from := set(t, -20*time.Second) // not so far that any is from the future
		from.fail(errors.New("gone"))
		pass(time.Second)
		if held := latest(t, e, "shop/web"); held.Age(c.Now()) < time.Minute {
			t.Errorf("from %v, at %v: %v old; want what has passed", held.GeneratedAt, c.Now().UTC(), held.Age(c.Now()))
		}
		pass(20 * time.Minute)
		if s, err := e.Latest(t.Context(), "shop/web"); !errors.Is(err, forecast.ErrNotReady) {
			t.Errorf("Latest without a source for longer than MAX_DATA_AGE = %v old, %v; want %v", s.Age(c.Now()), err, forecast.ErrNotReady)
		}
	})
}
