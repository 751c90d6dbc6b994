package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kedastral/kedastral/forecaster/lease/leasetest"
	"github.com/kedastral/kedastral/shared/env"
	"github.com/kedastral/kedastral/shared/redistest"
	"github.com/kedastral/kedastral/shared/telemetry/logtest"
)

func TestLeaseFaults(t *testing.T) {
	leading := func(more ...string) []string {
		return append([]string{"LEASE_NAME", "forecaster", "LEASE_NAMESPACE", "kedastral", "STORE", "redis", "REDIS_URL", "redis://r", "KUBERNETES_URL", "https://k"}, more...)
	}
	for _, tt := range []struct {
		set  []string
		want string
	}{
		{leading("LEASE_NAMESPACE", ""), "LEASE_NAMESPACE: must be set together with LEASE_NAME"},
		{leading("LEASE_NAME", ""), "LEASE_NAME: must be set together with LEASE_NAMESPACE"},
		{leading("LEASE_NAME", "a/b"), "LEASE_NAME=a/b: must be a name"},
		{leading("STORE", "memory", "REDIS_URL", ""), "STORE=memory: must be redis with LEASE_NAME"},
		{leading("SHARD_COUNT", "2", "POD_NAME", "f-0"), "LEASE_NAME=forecaster: must not be set together with SHARD_COUNT"},
		{leading("KUBERNETES_URL", ""), "KUBERNETES_URL: is required"},
		{leading("KUBERNETES_CA_FILE", "/none"), "TLS to the Kubernetes API"},
		{leading("KUBERNETES_CA_FILE", leasetest.New(t).CAFile, "KUBERNETES_TOKEN_FILE", "/none"), "KUBERNETES_TOKEN_FILE: reading a token"},
		{leading("LEASE_NAMES", "x"), "LEASE_NAMES: unknown variable"},
	} {
		if err := run(t.Context(), vars(tt.set...), io.Discard); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v: %v; want %q", tt.set, err, tt.want)
		}
	}
}

// counted is a source that counts its questions.
func counted(t *testing.T) (url string, asked *atomic.Int64) {
	t.Helper()
	asked = new(atomic.Int64)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { asked.Add(1); answerRange(w, r) }))
	t.Cleanup(server.Close)
	return server.URL, asked
}

// Of two forecasters with a Lease one reads the source and both serve; when it
// ends the other one reads.
func TestLeaseHasItsEffect(t *testing.T) {
	redis, kubernetes := redistest.Start(t), leasetest.New(t)
	theirs, first := counted(t)
	ours, second := counted(t)
	settings := func(source string) env.Vars {
		return light(source, "STORE", "redis", "REDIS_URL", "redis://"+redis.Addr, "KUBERNETES_URL", kubernetes.URL, "KUBERNETES_CA_FILE", kubernetes.CAFile,
			"KUBERNETES_TOKEN_FILE", kubernetes.TokenFile, "LEASE_NAME", "forecaster", "LEASE_NAMESPACE", "kedastral", "POD_NAME", "forecaster-x",
			"DEFAULT_STEP", "10s", "DEFAULT_WINDOW", "10m", "HTTP_ADDR", "127.0.0.1:0")
	}
	ctx, stop := context.WithCancel(t.Context())
	var log logtest.Log
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, settings(theirs), &log) }()
	holds(t, redis, &log, "kedastral:1:shop/checkout")
	if holder := kubernetes.Holder(); !regexp.MustCompile(`^forecaster-x_[0-9a-f]{8}$`).MatchString(holder) {
		t.Errorf("the lease is of %q; want the first forecaster's", holder)
	}

	address, _ := listening(t, settings(ours))
	serves := func() bool {
		status, _ := get(t, "http://"+address+"/forecast/current?workload=shop/checkout")
		return status == http.StatusOK
	}
	follows := func(want string) bool {
		_, metrics := get(t, "http://"+address+"/metrics")
		return strings.Contains(metrics, "kedastral_forecaster_following "+want)
	}
	wait(t, func() bool { return serves() && follows("1") })
	before, led := second.Load(), first.Load()
	for end := time.Now().Add(25 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if !serves() {
			t.Fatal("the follower has nothing to serve")
		}
	}
	if got := second.Load() - before; got > 0 {
		t.Errorf("the follower asked the source %d times; want none", got)
	}
	if first.Load() == led {
		t.Error("the leader asked nothing in two intervals")
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	wait(t, func() bool { return serves() && follows("0") && second.Load() > before })
}
