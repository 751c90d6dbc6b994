package engine_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kedastral/kedastral/forecaster/engine"
	"github.com/kedastral/kedastral/forecaster/storage"
	"github.com/kedastral/kedastral/shared/forecast"
)

// both puts into one store and, where it is newer than what is there, into
// another: as a shared store behind the two does.
type both struct {
	storage.Store
	other storage.Store
}

func (b both) Put(ctx context.Context, s forecast.Snapshot) error {
	if held, ok, err := b.other.GetLatest(ctx, s.Workload); err == nil && (!ok || s.GeneratedAt.After(held.GeneratedAt)) {
		if err := b.other.Put(ctx, s); err != nil {
			return err
		}
	}
	return b.Store.Put(ctx, s)
}

// pair is a leader and a follower of one store; each has a source of its own,
// so that it can be told who reads.
func pair(t *testing.T, following *atomic.Bool, taken func(forecast.Snapshot)) (leader, follower *engine.Engine, theirs, ours *source) {
	t.Helper()
	o := options()
	a, b := workload("shop/web"), workload("shop/web")
	theirs, ours = a.Source.(*source), b.Source.(*source)
	ours.fail(errors.New("nobody may read"))
	mine := o.Store
	o.Store = both{storage.NewMemory(), mine}
	leader = begin(t, o, a)
	pass(time.Second)
	o.Store = mine
	o.Following, o.Taken = following.Load, taken
	follower = begin(t, o, b)
	return leader, follower, theirs, ours
}

// A follower reads nothing, is ready, and tells what the leader published as
// what it is.
func TestFollows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var following atomic.Bool
		var taken atomic.Int64
		following.Store(true)
		leader, follower, _, _ := pair(t, &following, func(forecast.Snapshot) { taken.Add(1) })
		pass(time.Minute)
		if err := follower.Ready(); err != nil {
			t.Errorf("Ready() = %v; want nil, for there is something to serve", err)
		}
		pass(30*time.Minute + 30*time.Second)
		want, got := latest(t, leader, "shop/web"), latest(t, follower, "shop/web")
		if !got.GeneratedAt.Equal(want.GeneratedAt) || got.Age(time.Now()) > 2*time.Minute {
			t.Errorf("the follower serves that of %v, the leader that of %v", got.GeneratedAt, want.GeneratedAt)
		}
		st := statusOf(t, follower, "shop/web")
		if st.State != engine.Following || !strings.Contains(st.Reason, "leads") || st.Replicas == nil || *st.Replicas != want.DesiredReplicas[0] || st.LastTick.Before(want.GeneratedAt.Add(-time.Minute)) {
			t.Errorf("its status is %+v", st)
		}
		x, err := follower.Explain("shop/web", 5*time.Minute)
		if err != nil || !strings.Contains(x.Summary, "another forecaster leads") || x.Plan != nil || len(x.Table) == 0 {
			t.Errorf("Explain = %+v, %v", x, err)
		}
		if n := taken.Load(); n < 30 {
			t.Errorf("told of %d snapshots in half an hour", n)
		}
		if err := follower.Healthy(); err != nil {
			t.Errorf("Healthy() = %v", err)
		}
	})
}

// Once no leader is known the follower reads from its next tick on.
func TestFollowsNoLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var following atomic.Bool
		following.Store(true)
		_, follower, theirs, ours := pair(t, &following, nil)
		pass(5 * time.Minute)
		ours.fail(nil)
		stick(theirs)
		following.Store(false)
		for range 20 {
			pass(time.Minute)
			if s := latest(t, follower, "shop/web"); s.Age(time.Now()) > 2*time.Minute || s.GeneratedAt.Sub(s.Observed.At) > time.Minute {
				t.Errorf("the newest is %v old and knows the load up to %v", s.Age(time.Now()), s.Observed.At)
			}
		}
		if st := statusOf(t, follower, "shop/web"); st.State != engine.Forecasting {
			t.Errorf("it is %s, %s; want %s", st.State, st.Reason, engine.Forecasting)
		}
		if x, err := follower.Explain("shop/web", 5*time.Minute); err != nil || x.Plan == nil {
			t.Errorf("Explain = %+v, %v; want a reckoning of its own", x, err)
		}
	})
}

// What a leader that holds on does not get on with is read here, too, every
// other tick at least.
func TestLeaderStuck(t *testing.T) {
	for name, end := range map[string]func(theirs *source){
		"hangs": stick, "cannot read": func(theirs *source) { theirs.fail(errors.New("refused")) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var following atomic.Bool
				following.Store(true)
				leader, follower, theirs, ours := pair(t, &following, nil)
				pass(5 * time.Minute)
				ours.fail(nil)
				end(theirs)
				for range 8 {
					pass(time.Minute)
					if s := latest(t, follower, "shop/web"); s.Age(time.Now()) > 2*time.Minute+30*time.Second {
						t.Errorf("the newest is %v old", s.Age(time.Now()))
					}
				}
				if ours.asked() < 3 {
					t.Errorf("the follower read %d times in 8 minutes", ours.asked())
				}
				if leader.Reading() || !follower.Reading() {
					t.Errorf("Reading() = %t of the leader, %t of the follower; want the follower alone", leader.Reading(), follower.Reading())
				}
			})
		})
	}
}

// stick has a source take longer than any tick may.
func stick(s *source) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wait = 24 * time.Hour
}

// A follower whose store is empty reads for itself.
func TestFollowsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := options()
		o.Following = func() bool { return true }
		e := begin(t, o, workload("shop/web"))
		pass(3 * time.Minute)
		if st := statusOf(t, e, "shop/web"); st.State != engine.Following && st.State != engine.Forecasting {
			t.Errorf("it is %s, %s", st.State, st.Reason)
		}
		if s := latest(t, e, "shop/web"); s.Age(time.Now()) > 2*time.Minute+30*time.Second {
			t.Errorf("the newest is %v old", s.Age(time.Now()))
		}
	})
}
