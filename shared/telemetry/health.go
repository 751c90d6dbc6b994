package telemetry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Check is nil when all is well, or says what is not.
type Check func(ctx context.Context) error

// All is well when every check says so; what is not well is joined.
func All(checks ...Check) Check {
	return func(ctx context.Context) error {
		var errs []error
		for _, check := range checks {
			errs = append(errs, check(ctx))
		}
		return errors.Join(errs...)
	}
}

// Handler serves GET /healthz and /readyz (200, or 503 with the reason) and
// /metrics. A check that has no answer within a second has failed.
func Handler(metrics prometheus.Gatherer, alive, ready Check) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /healthz", answer(alive))
	mux.Handle("GET /readyz", answer(ready))
	mux.Handle("GET /metrics", promhttp.HandlerFor(metrics, promhttp.HandlerOpts{}))
	return mux
}

// health is the body of an answer to a probe.
type health struct {
	Status string `json:"status"` // ok or failing
	Reason string `json:"reason,omitempty"`
}

func answer(check Check) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		body := health{Status: "ok"}
		if err := within(r.Context(), time.Second, check); err != nil {
			body = health{"failing", err.Error()}
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		//nolint:errcheck,errchkjson // the client has gone; nobody is left to be told
		json.NewEncoder(w).Encode(body)
	}
}

// within runs the check but does not wait for one that ignores its context.
func within(ctx context.Context, limit time.Duration, check Check) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	done := make(chan error, 1)
	go func() {
		defer func() {
			if v := recover(); v != nil {
				done <- fmt.Errorf("check panicked: %v", v)
			}
		}()
		done <- check(ctx)
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("no answer within %v", limit)
	}
}

// Heartbeat tells whether a loop still turns. It is safe for concurrent use.
type Heartbeat struct {
	name  string
	limit time.Duration
	now   func() time.Time
	last  atomic.Pointer[time.Time]
}

// NewHeartbeat is a heartbeat that has just beaten and must do so again
// within limit, each time. The name is the loop's, for the reason given.
func NewHeartbeat(name string, limit time.Duration, now func() time.Time) *Heartbeat {
	h := &Heartbeat{name: name, limit: limit, now: now}
	h.Beat()
	return h
}

// Beat says that the loop turned.
func (h *Heartbeat) Beat() {
	t := h.now()
	h.last.Store(&t)
}

// Check is the Check that fails when the last beat is longer ago than the
// limit.
func (h *Heartbeat) Check(context.Context) error {
	if ago := h.now().Sub(*h.last.Load()); ago > h.limit {
		return fmt.Errorf("%s: last turned %v ago, must turn every %v", h.name, ago.Round(time.Second), h.limit)
	}
	return nil
}
