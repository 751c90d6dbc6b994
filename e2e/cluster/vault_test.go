//go:build e2e

package cluster

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/kedastral/kedastral/e2e/cluster/plane"
)

// A forecaster and a scaler that know one another by certificate: the count
// reaches the Deployment, nobody else is answered, and a new authority is taken up
// under use.
func TestForecasterAndScalerByCertificate(t *testing.T) {
	t.Parallel()
	if err := here.stage(); err != nil {
		t.Fatal(err)
	}
	forecaster, err := here.serve(t.Context(), "vault", "kedastral-forecaster")
	if err != nil {
		t.Fatal(err)
	}
	scaler, err := here.serve(t.Context(), "vault", "kedastral-scaler")
	if err != nil {
		t.Fatal(err)
	}
	w := workload{Namespace: "vault", Name: "kept"}.create(t)
	if here.local == nil {
		t.Logf("at %d replicas; certificates are renewed where the test mounts them", w.grows(t))
		return
	}
	seen := newTable("stage", "scaler sees a forecast made after it, after")
	seen.row("first", w.hearsAnew(t, scaler))
	t.Logf("at %d replicas", w.grows(t))
	for _, p := range forecaster.pods {
		for _, scheme := range []string{"http://", "https://"} {
			url := scheme + strings.TrimPrefix(forecaster.url(p), "http://") + "/forecast/current?workload=vault/kept"
			if answer, err := http.Get(url); err == nil && answer.StatusCode == http.StatusOK {
				t.Errorf("%s, without a certificate: %s; must be refused", url, answer.Status)
			}
		}
	}
	next, err := plane.NewAuthority("kedastral-e2e-vault")
	if err != nil {
		t.Fatal(err)
	}
	for _, stage := range []struct {
		what        string
		authorities []*plane.Authority
	}{
		{"both authorities trusted, the old one signs", []*plane.Authority{here.keys, next}},
		{"both authorities trusted, the new one signs", []*plane.Authority{next, here.keys}},
		{"the new authority alone, and the forecaster rolled", []*plane.Authority{next}},
	} {
		if err := here.certify(t.Context(), "vault", stage.authorities...); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(forecaster.remount(t.Context()), scaler.remount(t.Context())); err != nil {
			t.Fatal(err)
		}
		if len(stage.authorities) == 1 {
			if err := forecaster.roll(t.Context()); err != nil { // every connection is made anew
				t.Fatal(err)
			}
		}
		seen.row(stage.what, w.hearsAnew(t, scaler))
	}
	seen.log(t)
}

// grows waits until the forecast has raised the workload from its one pod.
func (w workload) grows(t *testing.T) (n int) {
	t.Helper()
	await(t, func(ctx context.Context) error {
		is, err := w.now(ctx)
		if n = is.Spec; err == nil && n < 5 {
			err = fmt.Errorf("%s: %d replicas; want what the load of shop/web takes", w.Name, n)
		}
		return err
	})
	return n
}

// hearsAnew waits until the scaler has a forecast that was made from now on.
func (w workload) hearsAnew(t *testing.T, scaler *service) time.Duration {
	t.Helper()
	began := time.Now()
	await(t, func(context.Context) error {
		is, err := scaler.trigger(w)
		if err == nil && !is.GeneratedAt.After(began) {
			err = fmt.Errorf("%s: the scaler's forecast is %s, made at %v; want one made after %v", w.Name, is.State, is.GeneratedAt, began)
		}
		return err
	})
	return time.Since(began)
}
