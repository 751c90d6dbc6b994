package keda

import (
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/kedastral/kedastral/scaler/cache"
	"github.com/kedastral/kedastral/shared/forecast"
)

// hour falls from 10 by one every six minutes; a newer one is due each minute.
func hour(at time.Time) forecast.Snapshot {
	s := forecast.Snapshot{Workload: "shop/web", GeneratedAt: at, IntervalSeconds: 60, StepSeconds: 360, HorizonSeconds: 3600}
	for n := 10; n > 0; n-- {
		s.DesiredReplicas = append(s.DesiredReplicas, n)
	}
	return s
}

func TestDecide(t *testing.T) {
	origin := time.Date(2026, 3, 29, 0, 0, 0, 0, time.UTC)
	const (
		stale = 30 * time.Minute
		lead  = 5 * time.Minute
	)
	for _, tt := range []struct {
		name           string
		age            time.Duration
		fallback, last int
		want           verdict
	}{
		{"new", 0, 0, 0, verdict{state: Fresh, replicas: 10, answered: true}},
		{"fresh follows the plan down", 119 * time.Second, 0, 50, verdict{state: Fresh, replicas: 10, answered: true}},
		{"held from twice the interval", 2 * time.Minute, 0, 0, verdict{state: Held, replicas: 10, answered: true}},
		{"held is never below what was told", 29 * time.Minute, 0, 12, verdict{state: Held, replicas: 12, answered: true}},
		{"held is never below what it would have told", 29 * time.Minute, 0, 0, verdict{state: Held, replicas: 10, answered: true}},
		{"held to the last instant", 30 * time.Minute, 0, 3, verdict{state: Held, replicas: 10, answered: true}},
		{"too old is an error", 30*time.Minute + 1, 0, 9, verdict{state: Stale, why: tooOld}},
		{"too old with a fallback", 30*time.Minute + 1, 4, 9, verdict{state: Stale, replicas: 4, why: tooOld, answered: true}},
		{"horizon over", time.Hour, 0, 9, verdict{state: Stale, why: expired}},
		{"from the future", -time.Hour, 0, 0, verdict{state: Fresh, replicas: 10, answered: true}},
	} {
		q := question{now: origin.Add(tt.age), staleAfter: stale, lead: lead, fallback: tt.fallback, last: tt.last}
		if got := decide(q, hour(origin), nil); got != tt.want {
			t.Errorf("%s: decide(age %v) = %+v; want %+v", tt.name, tt.age, got, tt.want)
		}
	}
}

// TestDecideStaleBeforeOverdue: a STALE_AFTER shorter than the forecaster needs
// is told apart from a forecaster that is late.
func TestDecideStaleBeforeOverdue(t *testing.T) {
	origin := time.Date(2026, 3, 29, 0, 0, 0, 0, time.UTC)
	s := hour(origin)
	s.IntervalSeconds = 900
	for _, tt := range []struct {
		age  time.Duration
		want *refusal
	}{
		{10*time.Minute + 1, impatient},
		{30*time.Minute - 1, impatient},
		{30 * time.Minute, tooOld}, // the next one is late, too
	} {
		q := question{now: origin.Add(tt.age), staleAfter: 10 * time.Minute}
		if got := decide(q, s, nil); got != (verdict{state: Stale, why: tt.want}) {
			t.Errorf("decide(age %v, due every 15m, stale after 10m) = %+v; want stale, %s", tt.age, got, tt.want.reason)
		}
	}
}

// TestDecideHeldNeverFalls: whatever the plan, the held count rises with it and
// never falls, also for a scaler that was told nothing before: one that was
// restarted answers as the one beside it that was not.
func TestDecideHeldNeverFalls(t *testing.T) {
	origin := time.Date(2026, 3, 29, 0, 0, 0, 0, time.UTC)
	for _, plan := range [][]int{
		{3, 3, 3, 9, 2, 2, 12, 1, 1, 1}, // rises within the lead time, falls, rises, falls
		{9, 9, 1, 1, 1, 1, 1, 1, 1, 1},
		{0, 0, 0, 0, 1, 0, 0, 0, 0, 0},
	} {
		s := hour(origin)
		s.StepSeconds, s.HorizonSeconds, s.DesiredReplicas = 60, 600, plan
		for _, ahead := range []time.Duration{0, time.Minute, 150 * time.Second, math.MaxInt64} {
			last := 0
			for age := 119 * time.Second; age < 10*time.Minute; age += time.Second {
				q := question{now: origin.Add(age), staleAfter: time.Hour, lead: ahead}
				restarted := decide(q, s, nil)
				q.last = last
				running := decide(q, s, nil)
				if age >= 2*time.Minute && (running.state != Held || running.replicas < last || restarted != running) {
					t.Fatalf("plan %v, lead %v, age %v: %+v after %d; %+v when restarted; want held, no less, and the same",
						plan, ahead, age, running, last, restarted)
				}
				last = running.replicas
			}
		}
	}
}

// TestDecideHorizonBeforeStaleAfter: a forecast that ends before STALE_AFTER is
// over when it ends.
func TestDecideHorizonBeforeStaleAfter(t *testing.T) {
	origin := time.Date(2026, 3, 29, 0, 0, 0, 0, time.UTC)
	q := question{now: origin.Add(time.Hour), staleAfter: 2 * time.Hour, last: 7}
	if got := decide(q, hour(origin), nil); got != (verdict{state: Stale, why: expired}) {
		t.Errorf("decide(horizon over) = %+v; want stale, expired", got)
	}
}

func TestDecideWithoutSnapshot(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want *refusal
	}{
		{cache.ErrPending, pending},
		{forecast.ErrNotFound, notFound},
		{forecast.ErrMalformed, notFound},
		{forecast.ErrNotReady, notReady},
		{forecast.ErrInvalid, invalid},
		{forecast.ErrDenied, denied},
		{forecast.ErrBusy, throttled},
		{errors.Join(forecast.ErrInvalid, forecast.ErrMalformed), invalid},
		{errors.New("connection refused"), unreachable},
		{errors.Join(errors.New("connection refused"), forecast.ErrNotReady), notReady},
	} {
		err := fmt.Errorf("workload: %w", tt.err)
		if got := decide(question{last: 9}, forecast.Snapshot{}, err); got != (verdict{state: Stale, why: tt.want}) {
			t.Errorf("decide(%v) = %+v; want stale, %s", tt.err, got, tt.want.reason)
		}
		want := verdict{state: Stale, replicas: 3, why: tt.want, answered: true}
		if got := decide(question{last: 9, fallback: 3}, forecast.Snapshot{}, err); got != want {
			t.Errorf("decide(%v, fallback 3) = %+v; want it", tt.err, got)
		}
	}
}

func TestDecideNeverTellsAnImpossibleCount(t *testing.T) {
	now := time.Now()
	for _, n := range []int{-1, -1 << 62, 1 << 31, 1 << 62} {
		s := hour(now)
		s.DesiredReplicas = []int{n}
		if got := decide(question{now: now, staleAfter: time.Hour}, s, nil); got.why != invalid || got.answered {
			t.Errorf("decide(count %d) = %+v; want invalid", n, got)
		}
	}
	s := hour(now)
	s.StepSeconds = 0
	if got := decide(question{now: now, staleAfter: time.Hour}, s, nil); got.why != invalid || got.answered {
		t.Errorf("decide(step 0) = %+v; want invalid", got)
	}
}

// TestStreamsEndBeforeTheyAreCutOff walks every moment at which a stream can
// open and every moment at which grpc can ask its connection to close.
func TestStreamsEndBeforeTheyAreCutOff(t *testing.T) {
	accepted := time.Now()
	for opened := time.Duration(0); opened <= maxAge*11/10; opened += time.Second {
		end := opened + lifeOf(bornAddr{at: accepted}, accepted.Add(opened))
		for asked := max(opened, maxAge*9/10); asked <= maxAge*11/10; asked += time.Second {
			if end >= asked+ageGrace {
				t.Fatalf("opened at %v, ends at %v; its connection may be cut off at %v", opened, end, asked+ageGrace)
			}
		}
	}
}
