package engine_test

import (
	"errors"
	"math"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kedastral/kedastral/forecaster/engine"
	"github.com/kedastral/kedastral/forecaster/storage"
	"github.com/kedastral/kedastral/shared/forecast"
)

var errOutage = errors.New("connection refused")

// fresh are the options of a process that has just started.
func fresh(o engine.Options) engine.Options {
	o.Store = storage.NewMemory()
	return o
}

// check holds the engine to a scenario's claim.
func (s *scenario) check(t *testing.T, e *engine.Engine, c claim, at time.Duration, restart func() *engine.Engine) {
	t.Helper()
	switch c.words[0] {
	case "replicas":
		low := number(t, c.words[1])
		high := low
		if len(c.words) > 3 && c.words[2] == "to" {
			high = number(t, c.words[3])
		}
		if got := ahead(latest(t, e, "shop/web"), s.lead); got < low || got > high {
			x, err := e.Explain("shop/web", 5*time.Minute)
			t.Errorf("%s: %d replicas within %v\n%q %v", c.line, got, s.lead, x.Words, err)
		}
	case "mode":
		if got := latest(t, e, "shop/web"); string(got.Mode) != c.words[1] {
			t.Errorf("%s: mode %s, skill %+v", c.line, got.Mode, got.Skill)
		}
	case "not":
		if got, err := e.Latest(t.Context(), "shop/web"); !errors.Is(err, forecast.ErrNotReady) {
			t.Errorf("%s: %v, %v; want %v", c.line, got.GeneratedAt, err, forecast.ErrNotReady)
		}
	case "never":
		got := latest(t, e, "shop/web")
		need := int(math.Ceil(got.Observed.Value / s.workload.Rules.TargetPerPod))
		for i, n := range got.DesiredReplicas {
			if n < need {
				t.Errorf("%s: at %v step %d has %d replicas, the load of %.1f needs %d", c.line, at, i, n, got.Observed.Value, need)
			}
		}
	case "a":
		second := restart()
		synctest.Wait()
		if before, after := bytesOf(t, latest(t, e, "shop/web")), bytesOf(t, latest(t, second, "shop/web")); before != after {
			t.Errorf("%s: before\n%s\nafter\n%s", c.line, before, after)
		}
	default:
		t.Fatalf("%s: no such claim", c.line)
	}
}

// ahead is what a scaler asks for at the snapshot's start.
func ahead(s forecast.Snapshot, lead time.Duration) int {
	most := 0
	for i := 0; i < len(s.DesiredReplicas) && time.Duration(i)*s.Step() < lead; i++ {
		most = max(most, s.DesiredReplicas[i])
	}
	return most
}

func number(t *testing.T, word string) int {
	t.Helper()
	n, err := strconv.Atoi(word)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
