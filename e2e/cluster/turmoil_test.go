//go:build e2e

package cluster

import (
	"testing"
	"time"
)

// KEDA, with its own TLS client, keeps its answers while a scaler of two is
// killed, frozen, rolled, or given new certificates.
func TestScalerInTurmoil(t *testing.T) {
	t.Parallel()
	scaler, err := here.serve(t.Context(), "team-c", "kedastral-scaler")
	if err != nil {
		t.Fatal(err)
	}
	w := workload{Namespace: "team-c", Name: "calm", Secured: true}
	here.oracle.say(w.oracle(), 5)
	w = w.create(t)
	w.reaches(t, 5, time.Minute)
	seen := newTable("after", "told", "ready after")
	told := 5
	change := func(what string, within time.Duration) {
		t.Helper()
		told = 11 - told // 6, 5, 6, …
		here.oracle.say(w.oracle(), told)
		seen.row(what, told, w.reaches(t, told, within))
	}
	change("nothing", time.Minute)

	if err := here.certify(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := scaler.remount(t.Context()); err != nil {
		t.Fatal(err)
	}
	change("certificates of both sides renewed by the same authority", 2*time.Minute)

	if here.local == nil {
		seen.log(t)
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

	scaler.freeze(0)
	froze := time.Now()
	time.Sleep(15 * time.Second) // period 5 s, three failures: the liveness probe
	scaler.kill(0)
	if err := scaler.revive(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	change("one of two frozen for "+time.Since(froze).Round(time.Second).String()+", then killed by its probe", 2*time.Minute)
	seen.log(t)
}
