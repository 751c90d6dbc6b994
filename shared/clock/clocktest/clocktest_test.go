package clocktest_test

import (
	"testing"
	"time"

	"github.com/kedastral/kedastral/shared/clock/clocktest"
)

// A set clock differs on the wall and not in what has passed, or every test
// that uses one proves nothing.
func TestShiftMovesTheWallAlone(t *testing.T) {
	for what, now := range map[string]time.Time{"a reading": time.Now(), "a date": time.Date(2026, 1, 1, 0, 0, 0, 7, time.UTC)} {
		for _, by := range []time.Duration{time.Hour, -time.Hour, 48 * time.Hour, -time.Second, 0} {
			set := clocktest.Shift(now, by)
			if wall := set.Round(0).Sub(now.Round(0)); wall != by {
				t.Errorf("%s, Shift(%v) moved the wall by %v", what, by, wall)
			}
			later := clocktest.Shift(now.Add(time.Minute), 2*by)
			if passed := later.Sub(set); passed != time.Minute {
				t.Errorf("%s, Shift(%v): %v passed by monotonic time; want the minute", what, by, passed)
			}
		}
	}
}

func TestClockIsSet(t *testing.T) {
	var c clocktest.Clock
	c.Set(-time.Hour)
	c.Set(time.Minute)
	if off := time.Until(c.Now().Round(0)); off > -58*time.Minute || off < -60*time.Minute {
		t.Errorf("the clock is %v off; want 59m behind", off)
	}
	if err := c.Sleep(t.Context(), time.Millisecond); err != nil {
		t.Errorf("Sleep = %v", err)
	}
}
