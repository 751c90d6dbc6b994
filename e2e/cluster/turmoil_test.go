//go:build e2e

package cluster

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

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
	w.reaches(t, 5)
	seen := newTable("after", "told", "ready after")
	defer seen.log(t)
	told := 5
	change := func(what string) {
		t.Helper()
		told = 11 - told // 6, 5, 6, …
		here.oracle.say(w.oracle(), told)
		seen.row(what, told, w.reaches(t, told))
	}
	change("nothing")

	if err := here.certify(t.Context(), "team-c"); err != nil {
		t.Fatal(err)
	}
	if err := scaler.remount(t.Context()); err != nil {
		t.Fatal(err)
	}
	change("certificates of both sides renewed by the same authority")

	if here.local == nil {
		t.Skip("killing, freezing and rolling single pods is done to processes; on a cluster use kubectl")
	}
	scaler.kill(0)
	change("one of two killed, still in DNS")
	if err := scaler.revive(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	change("a new one in its place")
	if err := scaler.roll(t.Context()); err != nil {
		t.Fatal(err)
	}
	change("both rolled")

	renewed(t, scaler, change)
	frozen(t, scaler, w, 11-told, seen)
	told = 11 - told
	here.oracle.say(w.oracle(), told)
	w.reaches(t, told)
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

// renewed replaces the authority of all certificates while KEDA asks: first
// everyone trusts both, then the new one signs, then the old one is forgotten. A
// scaler takes the files up as it runs; KEDA reads its Secret again when a
// question fails, and asks once more.
func renewed(t *testing.T, scaler *service, change func(string)) {
	t.Helper()
	ctx, namespace := t.Context(), scaler.deploy.Namespace
	next, err := plane.NewAuthority("kedastral-e2e-next")
	if err != nil {
		t.Fatal(err)
	}
	client := func() (secret corev1.Secret) {
		t.Helper()
		if secret, err = here.secret(ctx, namespace, "kedastral-scaler-client"); err != nil {
			t.Fatal(err)
		}
		return secret
	}
	old := client()
	for _, stage := range []struct {
		what        string
		authorities []*plane.Authority
		oldIsGood   bool
	}{
		{"both authorities trusted, the old one signs", []*plane.Authority{here.keys, next}, true},
		{"both authorities trusted, the new one signs", []*plane.Authority{next, here.keys}, true},
		{"the new authority alone", []*plane.Authority{next}, false},
	} {
		if err := here.certify(ctx, namespace, stage.authorities...); err != nil {
			t.Fatal(err)
		}
		if err := scaler.remount(ctx); err != nil {
			t.Fatal(err)
		}
		for _, p := range scaler.pods {
			await(t, func(ctx context.Context) error { return scaler.admits(ctx, p, client()) })
			before := client() // trusts what is trusted now, and shows what it showed before
			before.Data["tls.crt"], before.Data["tls.key"] = old.Data["tls.crt"], old.Data["tls.key"]
			judge := scaler.refuses
			if stage.oldIsGood {
				judge = scaler.admits
			}
			await(t, func(ctx context.Context) error { return judge(ctx, p, before) })
		}
		change(stage.what + ", connections as they were")
		if err := scaler.roll(ctx); err != nil { // every connection is made anew
			t.Fatal(err)
		}
		change(stage.what + ", connections made anew")
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
	w.reaches(t, told)
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
	w.reaches(t, 11-told)
	seen.row("both back", 11-told, fmt.Sprintf("%.1f s after they were killed", time.Since(killed).Seconds()))
}
