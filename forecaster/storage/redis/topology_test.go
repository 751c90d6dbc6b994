package redis_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/kedastral/kedastral/forecaster/storage/redis"
	"github.com/kedastral/kedastral/forecaster/storage/storetest"
	"github.com/kedastral/kedastral/shared/forecast"
	"github.com/kedastral/kedastral/shared/redistest"
)

// eventually tries until it succeeds, for as long as a failover may take on a
// busy machine.
func eventually(t *testing.T, what string, try func() error) time.Duration {
	t.Helper()
	began := time.Now()
	for {
		err := try()
		if err == nil {
			return time.Since(began)
		}
		if time.Since(began) > time.Minute {
			t.Fatalf("%s: %v", what, err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// TestSentinelFailover: the master dies, a Sentinel promotes the replica, and
// the store goes on with that without being told.
func TestSentinelFailover(t *testing.T) {
	t.Parallel()
	master := redistest.Start(t)
	replica := redistest.Start(t, "--replicaof", "127.0.0.1 "+master.Port())
	sentinel := redistest.Reserve(t)
	sentinel.Sentinel(fmt.Sprintf("sentinel monitor kedastral 127.0.0.1 %s 1\nsentinel down-after-milliseconds kedastral 1000\nsentinel failover-timeout kedastral 5000\n", master.Port()))
	s := open(t, master, func(o *redis.Options) {
		o.Address = redis.Address{Hosts: []string{sentinel.Addr}, Master: "kedastral"}
		o.Timeout = time.Second
	})
	put := func(minute, replicas int) error {
		return s.Put(t.Context(), storetest.Sample("shop/web", noon.Add(time.Duration(minute)*time.Minute), replicas))
	}
	eventually(t, "the master takes writes", func() error { return put(0, 1) })
	eventually(t, "the replica has it, and the Sentinel knows the replica", func() error {
		if got := replica.Do("EXISTS", "test:1:shop/web"); got != ":1" {
			return fmt.Errorf("EXISTS %s", got)
		}
		if got := strings.Join(sentinel.Ask("SENTINEL", "REPLICAS", "kedastral"), " "); !strings.Contains(got, replica.Port()) {
			return fmt.Errorf("SENTINEL REPLICAS %s", got)
		}
		return nil
	})
	master.Kill()
	took := eventually(t, "the promoted replica takes writes", func() error { return put(1, 2) })
	if got, ok, err := s.GetLatest(t.Context(), "shop/web"); err != nil || !ok || got.DesiredReplicas[0] != 2 {
		t.Errorf("GetLatest after the failover = %v, %t, %v; want what was put last", got.DesiredReplicas, ok, err)
	}
	t.Logf("writes go to the promoted replica %v after the master's death", took.Round(100*time.Millisecond))
}

// TestReadonlyMaster: a master that was made a replica refuses writes until it
// is promoted again, and nothing has to be restarted.
func TestReadonlyMaster(t *testing.T) {
	t.Parallel()
	other, server := redistest.Start(t), redistest.Start(t)
	s := open(t, server, func(o *redis.Options) { o.Timeout = time.Second })
	sample := storetest.Sample("shop/web", noon, 3)
	if err := s.Put(t.Context(), sample); err != nil {
		t.Fatal(err)
	}
	server.Do("REPLICAOF", "127.0.0.1", other.Port())
	if err := s.Put(t.Context(), sample); err == nil || !strings.Contains(err.Error(), "replica") && !strings.Contains(err.Error(), "LOADING") {
		t.Errorf("Put to a replica = %v; want that it is one", err)
	}
	server.Do("REPLICAOF", "NO", "ONE")
	eventually(t, "the master takes writes again", func() error { return s.Put(t.Context(), sample) })
}

// TestCluster: workloads are spread over nodes, one of which is all the store
// was told of, and a slot that moves is followed.
func TestCluster(t *testing.T) {
	t.Parallel()
	nodes := []*redistest.Server{redistest.Start(t, "--cluster-enabled", "yes"), redistest.Start(t, "--cluster-enabled", "yes")}
	nodes[0].Do("CLUSTER", "ADDSLOTSRANGE", "0", "8191")
	nodes[1].Do("CLUSTER", "ADDSLOTSRANGE", "8192", "16383")
	nodes[0].Do("CLUSTER", "SET-CONFIG-EPOCH", "1")
	nodes[1].Do("CLUSTER", "SET-CONFIG-EPOCH", "2")
	nodes[0].Do("CLUSTER", "MEET", "127.0.0.1", nodes[1].Port())
	eventually(t, "the cluster is whole", func() error {
		for _, n := range nodes {
			if got := strings.Join(n.Ask("CLUSTER", "INFO"), " "); !strings.Contains(got, "cluster_state:ok") || !strings.Contains(got, "cluster_known_nodes:2") {
				return fmt.Errorf("CLUSTER INFO %s", got)
			}
		}
		return nil
	})
	s := open(t, nodes[0], func(o *redis.Options) { o.Address.Cluster = true })
	var all []forecast.Snapshot
	than := map[string]time.Time{}
	for i := range 100 {
		all = append(all, storetest.Sample(fmt.Sprintf("shop/web-%d", i), noon, i))
		than[all[i].Workload] = time.Time{}
	}
	whole := func() error {
		for i, err := range s.PutAll(t.Context(), all) {
			if err != nil {
				return fmt.Errorf("snapshot %d: %w", i, err)
			}
		}
		found, err := s.Newer(t.Context(), than)
		if err == nil && len(found) != len(all) {
			err = fmt.Errorf("%d found; want %d", len(found), len(all))
		}
		return err
	}
	eventually(t, "all are put and found", whole)
	for i, n := range nodes {
		if got := n.Do("DBSIZE"); got == ":0" || got == ":100" {
			t.Errorf("node %d holds %s; want a part", i, got)
		}
	}
	// Node 1 dies: its half is gone, and told.
	nodes[1].Hang()
	eventually(t, "half a cluster is an error", func() error {
		if err := whole(); err == nil {
			return errors.New("all were put and found")
		}
		return nil
	})
	nodes[1].Wake()
	eventually(t, "the cluster is whole again", whole)
}
