//go:build e2e

package cluster

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/kedastral/kedastral/e2e/cluster/plane"
)

// KEDA, with its own TLS client, keeps its answers while a scaler of two is
// killed, frozen, rolled, or given new certificates.
func TestScalerInTurmoil(t *testing.T) {
	t.Parallel()
	scaler, err := here.serve(t.Context(), "team-c", "kedastral-scaler")
	if err != nil {
		t.Fatal(err)
	}
	w := workload{Namespace: "team-c", Name: "calm", Secured: true, Fallback: "{failureThreshold: 2, replicas: 9}"}
	here.oracle.say(w.oracle(), 5)
	w = w.create(t)
	w.reaches(t, 5, time.Minute)
	seen := newTable("after", "told", "ready after")
	defer seen.log(t)
	told := 5
	change := func(what string, within time.Duration) {
		t.Helper()
		told = 11 - told // 6, 5, 6, …
		here.oracle.say(w.oracle(), told)
		seen.row(what, told, w.reaches(t, told, within))
	}
	change("nothing", time.Minute)

	if err := here.certify(t.Context(), "team-c"); err != nil {
		t.Fatal(err)
	}
	if err := scaler.remount(t.Context()); err != nil {
		t.Fatal(err)
	}
	change("certificates of both sides renewed by the same authority", 2*time.Minute)

	if here.local == nil {
		t.Skip("killing, freezing and rolling single pods is done to processes; on a cluster use kubectl")
	}
	scaler.kill(0)
	change("one of two killed, still in DNS", time.Minute)
	if err := scaler.revive(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	change("a new one in its place", time.Minute)
	if err := scaler.roll(t.Context()); err != nil {
		t.Fatal(err)
	}
	change("both rolled", 2*time.Minute)

	frozen(t, scaler, w, 11-told, seen)
	told = 11 - told
	here.oracle.say(w.oracle(), told)
	w.reaches(t, told, time.Minute)
	gone(t, scaler, w, told, seen)
	for _, p := range scaler.pods {
		if err := plane.Await(t.Context(), time.Minute, func(context.Context) error {
			if here.metric(t, scaler.url(p), "kedastral_scaler_grpc_request_duration_seconds_count") == 0 {
				return fmt.Errorf("%s is never asked: KEDA does not take turns", p.process.Name)
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
	}
}

// frozen stops one of two for as long as its liveness probe (period 5 s, three
// failures) lets it live, and shows what KEDA does meanwhile: it waits for an
// answer without a deadline.
func frozen(t *testing.T, scaler *service, w workload, told int, seen *table) {
	t.Helper()
	scaler.freeze(0)
	froze := time.Now()
	here.oracle.say(w.oracle(), told)
	reached := "not reached"
	for time.Since(froze) < 15*time.Second {
		is, err := w.now(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if is.Spec == told && reached == "not reached" {
			reached = fmt.Sprintf("%.1f s", time.Since(froze).Seconds())
		}
		time.Sleep(200 * time.Millisecond)
	}
	seen.row("one of two frozen, 15 s", told, reached)
	scaler.kill(0)
	killed := time.Now()
	w.reaches(t, told, time.Minute)
	seen.row("then killed by its probe", told, time.Since(killed))
	if err := scaler.revive(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
}

// gone kills both: nothing is lowered, and, as long as KEDA has nobody to ask for
// the metric's name, its fallback does not act either.
func gone(t *testing.T, scaler *service, w workload, told int, seen *table) {
	t.Helper()
	for i := range scaler.pods {
		scaler.kill(i)
	}
	killed := time.Now()
	w.stays(t, told, 20*time.Second)
	is, err := w.condition(t.Context(), "Fallback")
	if err != nil {
		t.Fatal(err)
	}
	seen.row("both killed, 20 s; Fallback "+is, told, "stays")
	if !strings.HasPrefix(is, "False") {
		t.Errorf("Fallback is %s: KEDA now falls back without a scaler; KEDA's issue 8056 is mended and the docs are out of date", is)
	}
	if err := scaler.revive(t.Context(), 0, 1); err != nil {
		t.Fatal(err)
	}
	here.oracle.say(w.oracle(), 11-told)
	w.reaches(t, 11-told, time.Minute)
	seen.row("both back", 11-told, fmt.Sprintf("%.1f s after they were killed", time.Since(killed).Seconds()))
}
