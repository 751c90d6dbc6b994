package client_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kedastral/kedastral/shared/forecast"
)

func TestFailover(t *testing.T) {
	var first, second atomic.Int32
	down := func(http.ResponseWriter, *http.Request) { first.Add(1); panic(http.ErrAbortHandler) }
	c := dial(t, time.Second, down, func(w http.ResponseWriter, r *http.Request) { second.Add(1); good(w, r) })
	for i := range 20 {
		if _, err := c.Latest(t.Context(), fmt.Sprintf("shop/w-%d", i)); err != nil {
			t.Fatalf("question %d: %v; want the second forecaster's answer", i, err)
		}
	}
	if first.Load() > 2 || second.Load() != 20 { // net/http itself asks again once
		t.Errorf("asked the first %d times and the second %d; want once and 20", first.Load(), second.Load())
	}
}

// TestFailoverOnAnswers: one that does not know the workload, or answers
// nonsense, is no reason not to ask the next.
func TestFailoverOnAnswers(t *testing.T) {
	for name, bad := range map[string]http.HandlerFunc{
		"unknown": problem(forecast.ErrNotFound), "not ready": problem(forecast.ErrNotReady), "nonsense": status(200, "{}"), "500": status(500, ""),
	} {
		c := dial(t, time.Second, bad, good)
		if s, err := c.Latest(t.Context(), "shop/web"); err != nil || s.Workload != "shop/web" {
			t.Errorf("%s: Latest() = %v; want the second forecaster's answer", name, err)
		}
	}
	c := dial(t, time.Second, problem(forecast.ErrNotReady), problem(forecast.ErrNotFound))
	if _, err := c.Latest(t.Context(), "shop/web"); !errors.Is(err, forecast.ErrNotReady) || !errors.Is(err, forecast.ErrNotFound) {
		t.Errorf("Latest() = %v; want what both said", err)
	}
}

// TestHungForecasterCostsItsTimeoutOnce: the second question does not wait for
// it, and it is asked again when the pause is over.
func TestHungForecasterCostsItsTimeoutOnce(t *testing.T) {
	var hung atomic.Bool
	hung.Store(true)
	c := dial(t, 200*time.Millisecond, func(w http.ResponseWriter, r *http.Request) {
		if hung.Load() {
			<-r.Context().Done()
			return
		}
		good(w, r)
	})
	for i, most := range []time.Duration{500 * time.Millisecond, 50 * time.Millisecond, 50 * time.Millisecond} {
		began := time.Now()
		if _, err := c.Latest(t.Context(), "shop/web"); err == nil || time.Since(began) > most {
			t.Errorf("question %d: %v after %v; want an error within %v", i, err, time.Since(began), most)
		}
	}
	hung.Store(false)
	deadline := time.Now().Add(3 * time.Second)
	for {
		if _, err := c.Latest(t.Context(), "shop/web"); err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("not asked again within 3s of its return")
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// TestCallersLeavingBlameNobody: the forecaster is asked again at once.
func TestCallersLeavingBlameNobody(t *testing.T) {
	var slow atomic.Bool
	slow.Store(true)
	c := dial(t, time.Second, func(w http.ResponseWriter, r *http.Request) {
		if slow.Load() {
			<-r.Context().Done()
			return
		}
		good(w, r)
	})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := c.Latest(ctx, "shop/web"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Latest() = %v; want DeadlineExceeded", err)
	}
	slow.Store(false)
	if _, err := c.Latest(t.Context(), "shop/web"); err != nil {
		t.Errorf("Latest() = %v; want a snapshot", err)
	}
}
