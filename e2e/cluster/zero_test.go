//go:build e2e

package cluster

import (
	"context"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/kedastral/kedastral/e2e/cluster/plane"
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
			const lead = 30 * time.Second
			w := workload{Namespace: "team-a", Name: "zero-" + kind.name, Push: kind.push, Zero: true, Metadata: `leadTime: 30s`}
			wakes := time.Now().Add(70 * time.Second)
			sleeps := wakes.Add(15 * time.Second)
			here.oracle.dictate(w.oracle(), plan{demand: func(at time.Time) int {
				if at.Before(wakes) || !at.Before(sleeps) {
					return 0
				}
				return 5
			}})
			w = w.create(t)
			seen := newTable("what", "seconds from the demand")
			since := func() float64 { return math.Round(time.Since(wakes).Seconds()*10) / 10 }

			w.reaches(t, 0, time.Minute)
			seen.row("at zero", since())
			w.wakes(t, time.Minute)
			stirred := since()
			seen.row("no longer at zero", stirred)
			w.reaches(t, 5, time.Minute)
			woke := since()
			seen.row("5 ready", woke)
			w.stays(t, 5, time.Until(sleeps))
			seen.row("still 5", since())
			w.reaches(t, 0, time.Minute)
			seen.row("back at zero", since())
			seen.log(t)
			// KEDA asks every two seconds; what is pushed needs no asking. The rest of
			// the margin is for a machine that is busy with other things.
			if stirred > -lead.Seconds()/2 || stirred < -lead.Seconds()-3 {
				t.Errorf("woke %.1f s before the demand; the lead time is %v", -stirred, lead)
			}
			if woke > 0 {
				t.Errorf("5 were ready %.1f s after the demand came", woke)
			}
		})
	}
}

// wakes waits until the Deployment wants a pod.
func (w workload) wakes(t *testing.T, within time.Duration) {
	t.Helper()
	if err := plane.Await(t.Context(), within, func(ctx context.Context) error {
		is, err := w.now(ctx)
		if err == nil && is.Spec == 0 {
			err = errors.New(w.Name + " is still at zero")
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}
