package lease_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/kedastral/kedastral/forecaster/kubernetes/kubernetestest"
	"github.com/kedastral/kedastral/forecaster/lease"
	"github.com/kedastral/kedastral/forecaster/lease/leasetest"
)

// No test leaves a goroutine behind.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func kept(t *testing.T, server *kubernetestest.Server) lease.Kubernetes {
	t.Helper()
	return lease.Kubernetes{Server: server.Ask(t), Namespace: "kedastral", Name: "forecaster"}
}

func TestKubernetes(t *testing.T) {
	server := leasetest.New(t)
	k := kept(t, server.Server)
	if _, err := k.Get(t.Context()); !errors.Is(err, lease.ErrNone) {
		t.Errorf("Get of none = %v", err)
	}
	at := time.Date(2026, 11, 28, 12, 0, 0, 123456000, time.FixedZone("", 3600))
	made, err := k.Create(t.Context(), lease.Record{Holder: "a", Acquired: at, Renewed: at})
	if err != nil || made.Holder != "a" || made.Version == "" || !made.Acquired.Equal(at) {
		t.Fatalf("Create = %+v, %v", made, err)
	}
	if _, err := k.Create(t.Context(), made); !errors.Is(err, lease.ErrTaken) {
		t.Errorf("a second Create = %v; want %v", err, lease.ErrTaken)
	}
	server.Label("owner", "us")
	changed, err := k.Update(t.Context(), lease.Record{Holder: "b", Version: made.Version, Acquired: at, Renewed: at, Transitions: 1})
	if err != nil || changed.Holder != "b" || changed.Version == made.Version || changed.Transitions != 1 {
		t.Errorf("Update = %+v, %v", changed, err)
	}
	if server.Labels()["owner"] != "us" {
		t.Error("an update takes labels away")
	}
	if _, err := k.Update(t.Context(), made); !errors.Is(err, lease.ErrTaken) {
		t.Errorf("Update of an old version = %v; want %v", err, lease.ErrTaken)
	}
	if got, err := k.Get(t.Context()); err != nil || got != changed {
		t.Errorf("Get = %+v, %v; want %+v", got, err, changed)
	}
}

// Whatever the server says, no token is repeated, and what a person can mend is
// said.
func TestKubernetesFails(t *testing.T) {
	server := leasetest.New(t)
	for status, want := range map[int]string{
		http.StatusUnauthorized: "own token", http.StatusForbidden: "get, create and patch of leases", http.StatusTooManyRequests: "429",
		http.StatusInternalServerError: "500", http.StatusFound: "302",
	} {
		server.Fail(status)
		_, err := kept(t, server.Server).Get(t.Context())
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "S3cret") {
			t.Errorf("status %d: %v; want %q and no token", status, err, want)
		}
	}
	server.Hang()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := kept(t, server.Server).Get(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("hung: %v; want %v", err, context.DeadlineExceeded)
	}
}

// An answer that is none makes nobody follow.
func TestAnswersThatSayNothing(t *testing.T) {
	for _, answer := range []string{
		``, `{}`, `<html>`, `[]`, `{"kind":"Status"}`, `{"kind":"Lease","spec":{"holderIdentity":"x"}}`,
		`{"kind":"Lease","metadata":{"resourceVersion":"1"},"spec":{"renewTime":"soon"}}`,
		strings.Repeat(" ", 2<<20) + `{"kind":"Lease","metadata":{"resourceVersion":"1"},"spec":{"holderIdentity":"x"}}`,
	} {
		k := kept(t, kubernetestest.New(t, "S3cret", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(answer)) }))
		if r, err := k.Get(t.Context()); err == nil {
			t.Errorf("%.80s: Get = %+v; want an error", answer, r)
		}
	}
}
