package engine_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kedastral/kedastral/forecaster/storage/storetest"
)

// TestServesWhatTheStoreHolds: a process that starts with snapshots in its
// store serves them with their true age until its own come, and is ready for
// it once nobody else renews them.
func TestServesWhatTheStoreHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := options()
		const slow = 3 * time.Minute // a warm start of many workloads
		o.TickTimeout = 2 * slow
		w := workload("shop/web")
		w.Source = &source{load: flat(400), step: time.Minute, wait: slow}
		time.Sleep(time.Hour)
		left := storetest.Sample("shop/web", time.Now().UTC().Truncate(time.Minute).Add(-30*time.Second).Truncate(time.Minute), 7)
		left.Received, left.AgeAtReceipt = time.Now(), time.Since(left.GeneratedAt)
		if err := o.Store.Put(t.Context(), left); err != nil {
			t.Fatal(err)
		}
		e := begin(t, o, w)
		pass(time.Second)
		got := latest(t, e, "shop/web")
		if got.DesiredReplicas[0] != 7 || got.Age(time.Now()) != time.Since(left.GeneratedAt) {
			t.Errorf("Latest = %v replicas, %v old; want the 7 of the store, %v old", got.DesiredReplicas[0], got.Age(time.Now()), time.Since(left.GeneratedAt))
		}
		if err := e.Ready(); err == nil {
			t.Error("Ready() = nil while another forecaster may still be renewing what the store holds")
		}
		if st := statusOf(t, e, "shop/web"); !strings.Contains(st.Reason, "in the store") {
			t.Errorf("its status says %q; want what is served", st.Reason)
		}
		pass(2 * time.Minute)
		if err := e.Ready(); err != nil {
			t.Errorf("Ready() = %v two intervals later; want nil, for nobody else serves", err)
		}
		pass(2 * time.Minute)
		if got := latest(t, e, "shop/web"); got.DesiredReplicas[0] != 4 {
			t.Errorf("Latest after the warm start = %v; want its own", got.DesiredReplicas)
		}
	})
}

// TestInheritedAndSourceDown: nothing can be forecast, but what the store
// holds is served while it is young enough.
func TestInheritedAndSourceDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, w, never := options(), workload("shop/web"), workload("shop/never")
		w.Source = &source{err: errors.New("down"), step: time.Minute}
		never.Source = w.Source
		time.Sleep(time.Hour)
		left := storetest.Sample("shop/web", time.Now().UTC().Truncate(time.Minute).Add(-5*time.Minute), 7)
		if err := o.Store.Put(t.Context(), left); err != nil {
			t.Fatal(err)
		}
		e := begin(t, o, w, never)
		pass(30 * time.Second)
		if err := e.Ready(); err != nil {
			t.Errorf("Ready() = %v; want nil, for there is something to serve", err)
		}
		if got := latest(t, e, "shop/web"); got.DesiredReplicas[0] != 7 {
			t.Errorf("Latest = %v; want the store's", got.DesiredReplicas)
		}
		pass(10 * time.Minute)
		if _, err := e.Latest(t.Context(), "shop/web"); err == nil {
			t.Error("Latest still serves what is older than MAX_DATA_AGE")
		}
	})
}
