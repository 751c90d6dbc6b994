package auto

import (
	"testing"
	"time"
)

// What was missed beside nothing is no measure of what may be missed at the usual
// level: in units of a hundredth of it a load that comes back is a catastrophe.
func TestSpreadStopsShrinking(t *testing.T) {
	for _, tt := range []struct {
		power, least, usual, twice float64
	}{{0, 1, 1, 1}, {1, 0.3, 1, 2}, {-1, 1 / 0.3, 1, 0.5}} {
		s := spread{power: tt.power}
		for _, at := range []struct{ level, want float64 }{{0, tt.least}, {0.01, tt.least}, {1, tt.usual}, {2, tt.twice}} {
			if got := s.width(at.level, 0, 1); got != at.want {
				t.Errorf("power %v: width(%v) = %v; want %v", tt.power, at.level, got, at.want)
			}
		}
	}
}

// The widths of the clock are drawn to one where little was seen, and kept within
// bounds where one minute bursts and the others never do.
func TestClock(t *testing.T) {
	const hour = 60
	burst := func(i int) float64 {
		if i%hour == 10 && i/hour%2 == 0 {
			return 1000
		}
		return 100 + float64(i%7)
	}
	w := laid(t, time.Minute, repeat(72*hour, burst)...)
	got := w.clock()
	if len(got) != hour {
		t.Fatalf("%d widths; want one for every step of an hour", len(got))
	}
	for i, width := range got {
		if want := i == 10; (width > 4) != want || width < clockLeast || width > clockMost {
			t.Errorf("width of minute %d: %v; want more than 4 for the tenth alone, and all within %v to %v", i, width, clockLeast, clockMost)
		}
	}
	if got := laid(t, time.Minute, repeat(47*hour, burst)...).clock(); got != nil {
		t.Errorf("two days not yet seen: %v; want none", got)
	}
	if got := laid(t, time.Minute, repeat(72*hour, func(int) float64 { return 5 })...).clock(); got != nil {
		t.Errorf("a constant: %v; want none", got)
	}
}
