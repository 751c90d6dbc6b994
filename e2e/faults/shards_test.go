package faults_test

import (
	"maps"
	"net"
	"strconv"
	"testing"
	"time"
)

// shardAddress is where a shard is: addresses that differ in the ordinal alone.
func shardAddress(ordinal int, port string) string {
	return net.JoinHostPort("127.0.1."+strconv.Itoa(ordinal), port)
}

// shards tells a forecaster which of so many it is.
func shards(ordinal, of int) map[string]string {
	return map[string]string{"SHARD_COUNT": strconv.Itoa(of), "POD_NAME": "forecaster-" + strconv.Itoa(ordinal)}
}

// sharded makes forecasters that are shards, and one that does not run yet,
// each behind a relay.
func (w *world) sharded(t *testing.T, p plan) {
	t.Helper()
	for i := range p.shards + 1 {
		f := w.makeForecaster(t, p)
		r := newRelay(t, "http://"+f.http)
		moved(t, r, shardAddress(i, p.port))
		w.relays = append(w.relays, r)
		maps.Copy(f.env, shards(i, p.shards))
		if i == p.shards {
			w.spare = f
			break
		}
		w.begin(t, f)
		w.forecasters = append(w.forecasters, f)
	}
}

// Two shards become three and two again, one process after the other, under
// load, and no answer is missed or wrong.
func TestShardCount(t *testing.T) {
	t.Parallel()
	_, port, err := net.SplitHostPort(freePort(t))
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, plan{
		workloads: 12, shards: 2, port: port, scalers: 2, rate: 400,
		scaler: map[string]string{"SHARD_COUNT": "2", "FORECASTER_URL": "http://127.0.1.{ordinal}:" + port},
	})
	w.load.retries.Store(true)
	grow := func(to int) {
		for i, f := range w.forecasters[:2] {
			f.stop(t, 15*time.Second)
			maps.Copy(f.env, shards(i, to))
			f.start(t)
			eventually(t, 30*time.Second, "the forecaster is ready", answers("http://"+f.http+"/readyz"))
		}
		for _, s := range w.scalers {
			s.stop(t, 15*time.Second)
			w.watch.forget() // the next process knows nothing
			s.env["SHARD_COUNT"] = strconv.Itoa(to)
			s.start(t)
			eventually(t, 15*time.Second, "the scaler is ready", answers("http://"+s.http+"/readyz"))
			time.Sleep(2500 * time.Millisecond) // until its callers are back
		}
	}
	w.row(t, fault{
		id: "H2", what: "two shards become three, one process after the other", made: "SHARD_COUNT, SIGTERM, started again; callers ask again once, as KEDA does",
		beside: func(*finding) {
			maps.Copy(w.spare.env, shards(2, 3))
			w.begin(t, w.spare)
			w.forecasters = append(w.forecasters, w.spare)
			grow(3)
		},
		lasts: time.Second, heals: 8 * time.Second, again: true,
		after: func(f *finding) {
			var counts []int
			total := 0
			for _, s := range w.forecasters {
				n := w.computes(f, s)
				counts, total = append(counts, n), total+n
			}
			if total != 2*len(w.workloads) || counts[2] == 0 || counts[2] == len(w.workloads) {
				f.broke(expected, "the shards compute %v of %d workloads; want each by two", counts, len(w.workloads))
			}
		},
	})
	w.row(t, fault{
		id: "H2a", what: "three shards become two, one process after the other", made: "SHARD_COUNT, SIGTERM, started again, the third ended last",
		beside: func(*finding) {
			grow(2)
			w.forecasters[2].stop(t, 15*time.Second)
			w.forecasters = w.forecasters[:2]
		},
		lasts: time.Second, heals: 8 * time.Second, again: true,
	})
}

// computes is how many workloads a forecaster lists.
func (w *world) computes(f *finding, s *service) int {
	all, err := s.metrics(w.t.Context())
	if err != nil {
		f.broke(expected, "%v", err)
	}
	return int(sum(all, "kedastral_forecaster_workloads"))
}
