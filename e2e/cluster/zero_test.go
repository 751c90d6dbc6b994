//go:build e2e

package cluster

import (
	"testing"
	"time"
)

// A workload at zero wakes before its demand, by the lead time, and goes back to
// zero when the forecast sees none.
func TestScaleToZeroAndBack(t *testing.T) {
	t.Parallel()
	for _, kind := range []struct {
		name string
		push bool
	}{{"external", false}, {"external-push", true}} {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			const lead = 15 * time.Second
			w := workload{Namespace: "team-a", Name: "zero-" + kind.name, Push: kind.push, Zero: true, Metadata: `leadTime: 15s`}
			wakes := time.Now().Add(40 * time.Second)
			sleeps := wakes.Add(15 * time.Second)
			here.oracle.dictate(w.oracle(), plan{demand: func(at time.Time) int {
				if at.Before(wakes) || !at.Before(sleeps) {
					return 0
				}
				return 5
			}})
			w = w.create(t)
			seen := newTable("what", "at, seconds from the demand")
			since := func() float64 { return time.Since(wakes).Seconds() }

			w.reaches(t, 0, 30*time.Second)
			seen.row("at zero", since())
			w.reaches(t, 5, 40*time.Second)
			woke := since()
			seen.row("5 ready", woke)
			w.stays(t, 5, time.Until(sleeps))
			seen.row("still 5", since())
			w.reaches(t, 0, 40*time.Second)
			seen.row("back at zero", since())
			seen.log(t)
			if woke > -lead.Seconds()+8 {
				t.Errorf("5 were ready %.1f s before the demand; the lead time is %v", -woke, lead)
			}
		})
	}
}
