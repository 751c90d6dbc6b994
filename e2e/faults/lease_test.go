package faults_test

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/kedastral/kedastral/forecaster/lease"
	"github.com/kedastral/kedastral/forecaster/lease/leasetest"
	"github.com/kedastral/kedastral/shared/redistest"
)

// followers is how many forecasters say that they follow another one, and who
// does not.
func (w *world) followers() (n int, leader *service, err error) {
	for _, s := range w.forecasters {
		all, err := s.metrics(w.t.Context())
		if err != nil {
			return 0, nil, err
		}
		if sum(all, "kedastral_forecaster_following") == 1 {
			n++
		} else {
			leader = s
		}
	}
	return n, leader, nil
}

// follow is whether so many forecasters follow.
func (w *world) follow(want int) error {
	if n, _, err := w.followers(); err != nil || n != want {
		return fmt.Errorf("%d forecasters follow; want %d: %w", n, want, err)
	}
	return nil
}

// Of two forecasters with a Lease one reads the source. Whether it dies, or the
// Lease cannot be told of, answers stay what the newest forecast says.
func TestLease(t *testing.T) {
	t.Parallel()
	const interval = 6 * time.Second // the follower looks into the store every five
	redis, kubernetes := redistest.Start(t), leasetest.New(t)
	settings := shared(redis.Addr)
	maps.Copy(settings, map[string]string{
		"LEASE_NAME": "forecaster", "LEASE_NAMESPACE": "kedastral", "KUBERNETES_URL": kubernetes.URL, "KUBERNETES_CA_FILE": kubernetes.CAFile,
		"KUBERNETES_TOKEN_FILE": kubernetes.TokenFile, "DEFAULT_INTERVAL": interval.String(), "DEFAULT_HORIZON": "1m", "MAX_DATA_AGE": "40s",
	})
	const old = 30 * time.Second
	w := newWorld(t, plan{forecasters: 2, forecaster: settings, scaler: map[string]string{"STALE_AFTER": old.String()}})
	w.judge.staleAfter = old
	one := func() error { return w.follow(1) }
	eventually(t, 30*time.Second, "one of two follows", one)
	time.Sleep(interval) // a tick under way
	asked := w.source.asked.Load()
	w.row(t, fault{
		id: "H1", what: "two forecasters share a Lease, and one reads the source", made: "a Lease of the suite's own API server, a real Redis",
		lasts: 2 * interval, heals: 5 * time.Second, well: func(time.Time) error { return w.well() },
		during: func(f *finding) {
			if got, most := w.source.asked.Load()-asked, int64(len(w.workloads)*3); got > most || got == 0 {
				f.broke(expected, "the source was asked %d times in two intervals; want at most %d", got, most)
			}
			if err := one(); err != nil {
				f.broke(expected, "%v", err)
			}
		},
	})
	var leader *service
	w.row(t, fault{
		id: "H1a", what: "the forecaster that leads is killed", made: "SIGKILL, started again once the other one leads",
		strike: func() {
			_, found, err := w.followers()
			if leader = found; err != nil || found == nil {
				t.Fatalf("nobody leads: %v", err)
			}
			leader.kill()
		},
		lasts: lease.Duration + interval, mend: func() { leader.start(t) }, heals: 15 * time.Second,
		during: func(f *finding) {
			if err := w.since(time.Now().Add(-3 * interval)); err != nil {
				f.broke(expected, "the other forecaster makes no forecasts: %v", err)
			}
		},
		well: func(time.Time) error {
			if err := w.well(); err != nil {
				return err
			}
			return one()
		},
	})
	w.row(t, fault{
		id: "H1b", what: "the API server hangs, so that no leader is known", made: "in place of its answers",
		strike: kubernetes.Hang, mend: kubernetes.Answer, lasts: lease.Duration + 2*interval, heals: 15 * time.Second,
		during: func(f *finding) {
			if err := w.follow(0); err != nil {
				f.broke(expected, "%v", err)
			}
			if err := w.well(); err != nil {
				f.broke(expected, "%v", err)
			}
		},
		well: func(time.Time) error {
			if err := w.well(); err != nil {
				return err
			}
			return one()
		},
	})
}
