//go:build e2e

package cluster

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/kedastral/kedastral/e2e/cluster/plane"
)

// stale is how the scaler says that it does not know.
const stale = "forecast older than STALE_AFTER"

// outage is how long the forecaster is gone, two minutes or E2E_OUTAGE.
func outage(t *testing.T) time.Duration {
	t.Helper()
	text := os.Getenv("E2E_OUTAGE")
	if text == "" {
		return 2 * time.Minute
	}
	long, err := time.ParseDuration(text)
	if err != nil || long < 2*staleAfter {
		t.Fatalf("E2E_OUTAGE=%s: must be a duration of at least %v", text, 2*staleAfter)
	}
	return long
}

// Without a forecaster the last forecast holds; then the scaler says that it does
// not know, and nothing is lowered on ignorance. It mends itself.
func TestForecasterGone(t *testing.T) {
	t.Parallel()
	long := outage(t)
	w := workload{Namespace: "team-a", Name: "orphan"}.between()
	here.oracle.say(w.oracle(), 10)
	w = w.create(t)
	w.reaches(t, 10)
	w.hasCondition(t, "Ready", "True")
	seen := newTable("forecaster gone since", "replicas", "what KEDA and the HPA say")
	here.oracle.vanish(w.oracle())
	gone := time.Now()

	said := map[string]string{}
	for time.Since(gone) < long {
		w.stays(t, 10, time.Second)
		for kind, is := range w.verdicts(t) {
			if said[kind] != is {
				seen.row(time.Since(gone), 10, kind+" "+is)
			}
			said[kind] = is
		}
	}
	for kind, is := range said {
		if !strings.HasPrefix(is, "False") {
			t.Errorf("%s is %q after %v without a forecaster; want False", kind, is, long)
		}
	}
	seen.row(time.Since(gone), 10, w.hasEvent(t, stale))
	w.answersAge(t, here.oracle.made(w.oracle()), gone, 10)

	here.oracle.say(w.oracle(), 6)
	back := time.Now()
	w.reaches(t, 6)
	seen.row("back for "+time.Since(back).Round(100*time.Millisecond).String(), 6, "ScalingActive "+w.scalingActive(t, "True"))
	seen.row("", 6, "Ready "+w.hasCondition(t, "Ready", "True"))
	seen.log(t)
}

// verdicts are the conditions by which KEDA and the HPA say whether they know
// what to do.
func (w workload) verdicts(t *testing.T) map[string]string {
	t.Helper()
	ready, err := w.condition(t.Context(), "Ready")
	if err != nil {
		t.Fatal(err)
	}
	active, err := w.hpaCondition(t.Context(), "ScalingActive")
	if err != nil {
		t.Fatal(err)
	}
	return map[string]string{"Ready": ready, "ScalingActive": active}
}

// answersAge checks what KEDA was told since the forecaster went: the count while
// the forecast made then was young enough, an error from there on. When KEDA asks
// is its own affair.
func (w workload) answersAge(t *testing.T, made, gone time.Time, n int) {
	t.Helper()
	if here.local == nil {
		return // nothing stands between
	}
	var held, refused int
	for _, c := range here.wire.heard(w, "GetMetrics") {
		switch age := c.asked.Sub(made); {
		case c.asked.Before(gone):
		case c.err == nil && c.value != float64(n):
			t.Errorf("told %v of a forecast %v old; want %d", c.value, age, n)
		case c.err == nil && age > staleAfter+blur:
			t.Errorf("told %v of a forecast %v old; want an error after %v", c.value, age, staleAfter)
		case c.err != nil && c.answered.Before(made.Add(staleAfter-blur)):
			t.Errorf("%v of a forecast %v old; want %d until %v", c.err, age, n, staleAfter)
		case c.err == nil:
			held++
		default:
			refused++
		}
	}
	if held == 0 || refused == 0 {
		t.Errorf("KEDA was told %d times while the forecast was held and refused %d times afterwards; want some of both", held, refused)
	}
	t.Logf("KEDA was told %d for %d questions, until the forecast was %v old, and refused %d questions afterwards", n, held, staleAfter, refused)
}

// A held forecast is no reason to go down: what it says of a later minute was
// said too long ago.
func TestHeldForecastDoesNotLower(t *testing.T) {
	t.Parallel()
	w := workload{Namespace: "team-a", Name: "held", Metadata: "leadTime: 0s"}.between()
	here.oracle.say(w.oracle(), 10)
	w = w.create(t)
	w.reaches(t, 10)
	for attempt := 1; ; attempt++ {
		asked := w.hold(t)
		if asked > 0 || here.local == nil {
			t.Logf("the plan fell from 10 to 3 while it was held; KEDA asked %d times from then on and was told 10", asked)
			break
		}
		if attempt == 5 {
			t.Fatalf("KEDA did not ask once in the %v in which the plan is held, five times in a row", staleAfter-fell-blur)
		}
		here.oracle.say(w.oracle(), 10)
		w.reaches(t, 10)
	}
	here.oracle.say(w.oracle(), 3)
	t.Logf("fetched anew: 3 after %.1f s", w.reaches(t, 3).Seconds())
}

// fell is how old the held plan is when it says less.
const fell = freshFor + 2*time.Second

// hold lets the scaler fetch a plan that falls once it is only held, and nothing
// after it, until it is too old; how often KEDA asked meanwhile is returned.
func (w workload) hold(t *testing.T) (asked int) {
	t.Helper()
	here.oracle.dictate(w.oracle(), plan{once: true, ahead: func(age time.Duration) int {
		if age < fell {
			return 10
		}
		return 3
	}})
	await(t, func(context.Context) error {
		if here.oracle.made(w.oracle()).IsZero() {
			return errors.New(w.Name + ": the scaler does not fetch the plan")
		}
		return nil
	})
	made := here.oracle.made(w.oracle())
	w.stays(t, 10, time.Until(made.Add(staleAfter+blur)))
	for _, c := range here.wire.heard(w, "GetMetrics") {
		if c.asked.Before(made.Add(fell+blur)) || c.answered.After(made.Add(staleAfter)) {
			continue
		}
		if c.err != nil && c.answered.After(made.Add(staleAfter-blur)) {
			continue // too old by what the scaler knows of its age
		}
		asked++
		if c.err != nil || c.value != 10 {
			t.Errorf("told %v, %v of a held plan that fell from 10 to 3; want 10", c.value, c.err)
		}
	}
	return asked
}

// A reactive trigger beside ours still raises the count while we do not know,
// and does not lower it.
func TestReactiveTriggerActsWhileForecastIsStale(t *testing.T) {
	t.Parallel()
	w := workload{Namespace: "team-a", Name: "beside", Triggers: reactive(t, "team-a/beside", 10)}
	here.oracle.say(w.oracle(), 10)
	here.load.set(w.oracle(), steady(30))
	w = w.create(t)
	w.reaches(t, 10)
	here.oracle.vanish(w.oracle())
	w.hasEvent(t, stale)
	seen := newTable("forecast", "reactive says", "replicas")
	w.stays(t, 10, 5*time.Second)
	seen.row("stale", 3, 10)
	here.load.set(w.oracle(), steady(150))
	w.reaches(t, 15)
	seen.row("stale", 15, 15)
	here.load.set(w.oracle(), steady(30))
	w.stays(t, 15, 5*time.Second)
	seen.row("stale", 3, 15)
	here.oracle.say(w.oracle(), 5)
	w.reaches(t, 5)
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
			w.reaches(t, kind.at)
			here.oracle.vanish(w.oracle())
			gone := time.Now()
			seen := newTable("forecaster gone since", "replicas", "Fallback")
			is := w.hasCondition(t, "Fallback", "True")
			w.reaches(t, kind.want)
			seen.row(time.Since(gone), kind.want, is)
			w.stays(t, kind.want, 5*time.Second)

			here.oracle.say(w.oracle(), 3)
			w.reaches(t, 3)
			seen.row("back", 3, w.unfallen(t))
			seen.log(t)
		})
	}
}

// unfallen is the condition Fallback once it is False, or as it is after half a
// minute: KEDA writes all conditions at once from several places, and may write
// the old one over the new and leave it, while the count is ours again.
func (w workload) unfallen(t *testing.T) (is string) {
	t.Helper()
	if err := plane.Await(t.Context(), 30*time.Second, func(ctx context.Context) (err error) {
		if is, err = w.condition(ctx, "Fallback"); err == nil && !strings.HasPrefix(is, "False") {
			err = errors.New("not yet")
		}
		return err
	}); err != nil {
		is += " (KEDA's last word, although our count is followed again)"
	}
	return is
}
