//go:build e2e

package cluster

import (
	"testing"
	"time"
)

// stale is how the scaler says that it does not know.
const stale = "forecast older than STALE_AFTER"

// Without a forecaster the last forecast holds; then the scaler says that it does
// not know, and nothing is lowered on ignorance. It mends itself.
func TestForecasterGone(t *testing.T) {
	t.Parallel()
	w := workload{Namespace: "team-a", Name: "orphan"}
	here.oracle.say(w.oracle(), 10)
	w = w.create(t)
	w.reaches(t, 10, time.Minute)
	seen := newTable("forecaster gone since", "replicas", "what KEDA says")
	gone := time.Now()
	here.oracle.vanish(w.oracle())

	w.stays(t, 10, staleAfter-3*time.Second)
	seen.row(time.Since(gone), 10, w.hasCondition(t, "Ready", "True", 10*time.Second))
	event := w.hasEvent(t, stale, time.Minute)
	seen.row(time.Since(gone), 10, event)
	seen.row(time.Since(gone), 10, "HPA ScalingActive: "+w.scalingActive(t, "False", time.Minute))
	w.stays(t, 10, 5*time.Second)
	is, err := w.condition(t.Context(), "Ready")
	if err != nil {
		t.Fatal(err)
	}
	seen.row(time.Since(gone), 10, "Ready "+is)

	here.oracle.say(w.oracle(), 6)
	back := time.Now()
	w.reaches(t, 6, time.Minute)
	seen.row("back for "+time.Since(back).Round(100*time.Millisecond).String(), 6, w.scalingActive(t, "True", 10*time.Second))
	seen.log(t)
}

// A held forecast is no reason to go down: what it says of a later minute was
// said too long ago.
func TestHeldForecastDoesNotLower(t *testing.T) {
	t.Parallel()
	w := workload{Namespace: "team-a", Name: "held", Metadata: "leadTime: 0s"}
	here.oracle.say(w.oracle(), 10)
	w = w.create(t)
	w.reaches(t, 10, time.Minute)
	falls := time.Now().Add(3*time.Second + freshFor)
	here.oracle.dictate(w.oracle(), plan{demand: func(at time.Time) int {
		if at.Before(falls) {
			return 10
		}
		return 3
	}})
	time.Sleep(3 * time.Second) // until the scaler has fetched it
	here.oracle.vanish(w.oracle())
	w.stays(t, 10, staleAfter+5*time.Second)
	here.oracle.say(w.oracle(), 3)
	t.Logf("the plan fell from 10 to 3 while it was held: stayed at 10; fetched anew: 3 after %.1f s", w.reaches(t, 3, time.Minute).Seconds())
}

// A reactive trigger beside ours still raises the count while we do not know,
// and does not lower it.
func TestReactiveTriggerActsWhileForecastIsStale(t *testing.T) {
	t.Parallel()
	w := workload{Namespace: "team-a", Name: "beside", Triggers: reactive("team-a/beside", 10)}
	here.oracle.say(w.oracle(), 10)
	here.load.set(w.oracle(), steady(30))
	w = w.create(t)
	w.reaches(t, 10, time.Minute)
	here.oracle.vanish(w.oracle())
	w.hasEvent(t, stale, time.Minute)
	seen := newTable("forecast", "reactive says", "replicas")
	w.stays(t, 10, 5*time.Second)
	seen.row("stale", 3, 10)
	here.load.set(w.oracle(), steady(150))
	w.reaches(t, 15, time.Minute)
	seen.row("stale", 15, 15)
	here.load.set(w.oracle(), steady(30))
	w.stays(t, 15, 5*time.Second)
	seen.row("stale", 3, 15)
	here.oracle.say(w.oracle(), 5)
	w.reaches(t, 5, time.Minute)
	seen.row(5, 3, 5)
	seen.log(t)
}

// KEDA's fallback acts when it is configured: it raises, and with
// currentReplicasIfHigher it never lowers.
func TestFallback(t *testing.T) {
	t.Parallel()
	for _, kind := range []struct {
		name     string
		at, want int
	}{{"raises", 2, 8}, {"keeps", 20, 20}} {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			w := workload{
				Namespace: "team-a", Name: "fallback-" + kind.name,
				Fallback: "{failureThreshold: 3, replicas: 8, behavior: currentReplicasIfHigher}",
			}
			here.oracle.say(w.oracle(), kind.at)
			w = w.create(t)
			w.reaches(t, kind.at, time.Minute)
			here.oracle.vanish(w.oracle())
			gone := time.Now()
			seen := newTable("forecaster gone since", "replicas", "Fallback")
			is := w.hasCondition(t, "Fallback", "True", time.Minute)
			w.reaches(t, kind.want, time.Minute)
			seen.row(time.Since(gone), kind.want, is)
			w.stays(t, kind.want, 5*time.Second)

			here.oracle.say(w.oracle(), 3)
			w.reaches(t, 3, time.Minute)
			seen.row("back", 3, w.hasCondition(t, "Fallback", "False", 30*time.Second))
			seen.log(t)
		})
	}
}
