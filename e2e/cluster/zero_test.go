//go:build e2e

package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"
)

// A workload at zero wakes before its demand, by the lead time, and goes back to
// zero when the forecast sees none.
func TestScaleToZeroAndBack(t *testing.T) {
	t.Parallel()
	for _, kind := range []struct {
		name, asks string
		push       bool
	}{{"external", "IsActive", false}, {"external-push", "StreamIsActive", true}} {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			const lead = time.Minute
			w := workload{Namespace: "team-a", Name: "zero-" + kind.name, Push: kind.push, Zero: true, Metadata: "leadTime: " + lead.String()}.between()
			here.oracle.say(w.oracle(), 0)
			w = w.create(t)
			w.reaches(t, 0)

			demand := time.Now().Add(lead + 10*time.Second).Truncate(step)
			ends := demand.Add(10 * time.Second)
			here.oracle.dictate(w.oracle(), plan{demand: func(at time.Time) int {
				if at.Before(demand) || !at.Before(ends) {
					return 0
				}
				return 5
			}})
			seen := newTable("what", "seconds from the demand")
			since := func(at time.Time) string { return fmt.Sprintf("%+.1f", at.Sub(demand).Seconds()) }
			stirred := w.wakes(t)
			seen.row("no longer at zero", since(stirred))
			w.reaches(t, 5)
			seen.row("5 ready", since(time.Now()))
			if now := time.Now(); now.After(demand) {
				t.Errorf("5 were ready %v after the demand came", now.Sub(demand))
			}
			w.stays(t, 5, time.Until(ends)-blur)
			seen.row("still 5", since(time.Now()))
			w.reaches(t, 0)
			seen.row("back at zero", since(time.Now()))
			if here.local != nil {
				first := w.wokenAt(t, kind.asks, demand.Add(-lead), ends)
				seen.row("told to wake, at KEDA's first question that was due", since(first))
				if stirred.Before(first) {
					t.Errorf("woke %v before anybody said so", first.Sub(stirred))
				}
			}
			seen.log(t)
		})
	}
}

// wokenAt is when KEDA was first told that the workload is active. When it asks
// is its own affair; each answer must be right at the time it was given, which the
// scaler knows to within the blur, at both ends. Before it knows anything it says so.
func (w workload) wokenAt(t *testing.T, method string, due, ends time.Time) (first time.Time) {
	t.Helper()
	heard := here.wire.heard(w, method)
	sound := slices.IndexFunc(heard, func(c call) bool { return c.err == nil })
	for _, c := range heard[max(sound, 0):] {
		switch active := c.value > 0; {
		case c.err != nil:
			t.Errorf("%s %v after the wake-up was due: %v", method, c.asked.Sub(due), c.err)
		case active && c.answered.Before(due.Add(-blur)):
			t.Errorf("%s told to wake %v too early", method, due.Sub(c.answered))
		case !active && c.asked.After(due.Add(blur)) && c.answered.Before(ends.Add(-blur)):
			t.Errorf("%s told to sleep %v after the wake-up was due", method, c.asked.Sub(due))
		case active && first.IsZero():
			first = c.answered
		}
	}
	if first.IsZero() {
		t.Errorf("%s: nobody told KEDA to wake it by %s", w.Name, method)
	}
	return first
}

// wakes waits until the Deployment wants a pod, and says when that was seen.
func (w workload) wakes(t *testing.T) time.Time {
	t.Helper()
	await(t, func(ctx context.Context) error {
		is, err := w.now(ctx)
		if err == nil && is.Spec == 0 {
			err = errors.New(w.Name + " is still at zero")
		}
		return err
	})
	return time.Now()
}
