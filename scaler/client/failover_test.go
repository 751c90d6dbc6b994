package client_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
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

// TestAProxyIsNoForecaster: one that answers for a forecaster that it cannot
// reach does not make it look alive, and the forecaster's own 503 does.
func TestAProxyIsNoForecaster(t *testing.T) {
	for name, tt := range map[string]struct {
		answer http.HandlerFunc
		up     float64
	}{
		"proxy":      {status(http.StatusServiceUnavailable, "no healthy upstream"), 0},
		"forecaster": {problem(forecast.ErrNotReady), 1},
	} {
		c := dial(t, time.Second, tt.answer)
		if _, err := c.Latest(t.Context(), "shop/web"); err == nil || strings.Contains(err.Error(), "no forecast yet") != (tt.up == 1) {
			t.Errorf("%s: Latest() = %v; want its own 503 told apart", name, err)
		}
		families, err := c.reg.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			if f.GetName() == "kedastral_scaler_forecaster_up" && f.GetMetric()[0].GetGauge().GetValue() != tt.up {
				t.Errorf("%s: %v; want %v", name, f.GetMetric()[0], tt.up)
			}
		}
	}
}

// TestOverdueSnapshotsAreNoReasonToStop: a forecaster that answers but makes
// nothing new any more must not hide another that does.
func TestOverdueSnapshotsAreNoReasonToStop(t *testing.T) {
	aged := func(age *atomic.Int64, asked *atomic.Int32) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			asked.Add(1)
			old := time.Duration(age.Load()) * time.Second
			s := sample(r.FormValue("workload"))
			s.GeneratedAt = s.GeneratedAt.Add(-old.Truncate(time.Minute))
			serveSnapshot(w, r, s, old)
		}
	}
	var ages [2]atomic.Int64
	var asked [2]atomic.Int32
	c := dial(t, time.Second, aged(&ages[0], &asked[0]), aged(&ages[1], &asked[1]))
	for _, tt := range []struct {
		name  string
		ages  [2]int64 // of what each forecaster has; a newer one is due every 60 s
		want  time.Duration
		asked [2]int32
	}{
		{"the first is fresh", [2]int64{119, 0}, 119 * time.Second, [2]int32{1, 0}},
		{"the first is overdue", [2]int64{120, 30}, 30 * time.Second, [2]int32{1, 1}},
		{"the one that was fresh is asked first", [2]int64{500, 30}, 30 * time.Second, [2]int32{0, 1}},
		{"both are overdue", [2]int64{300, 400}, 300 * time.Second, [2]int32{1, 1}},
		{"as old", [2]int64{400, 400}, 400 * time.Second, [2]int32{1, 1}},
	} {
		for i := range ages {
			ages[i].Store(tt.ages[i])
			asked[i].Store(0)
		}
		s, err := c.Latest(t.Context(), "shop/web")
		if err != nil || s.AgeAtReceipt != tt.want {
			t.Errorf("%s: a snapshot %v old, %v; want the younger, %v old", tt.name, s.AgeAtReceipt, err, tt.want)
		}
		if got := [2]int32{asked[0].Load(), asked[1].Load()}; got != tt.asked {
			t.Errorf("%s: asked them %v times; want %v", tt.name, got, tt.asked)
		}
	}
}

// TestOverdueIsBetterThanNothing: where no other forecaster has a snapshot.
func TestOverdueIsBetterThanNothing(t *testing.T) {
	overdue := func(w http.ResponseWriter, r *http.Request) {
		serveSnapshot(w, r, sample(r.FormValue("workload")), 5*time.Minute)
	}
	for name, other := range map[string]http.HandlerFunc{
		"not ready": problem(forecast.ErrNotReady), "unknown": problem(forecast.ErrNotFound), "500": status(500, ""),
	} {
		c := dial(t, time.Second, overdue, other)
		for range 2 {
			if s, err := c.Latest(t.Context(), "shop/web"); err != nil || s.AgeAtReceipt != 5*time.Minute {
				t.Errorf("the other %s: a snapshot %v old, %v; want the overdue one", name, s.AgeAtReceipt, err)
			}
		}
	}
}
