package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/kedastral/kedastral/shared/forecast"
)

// TestShardsShareTheWorkloads: every workload is computed by two of the shards,
// and each shard says of the others' where they are.
func TestShardsShareTheWorkloads(t *testing.T) {
	const shards = 4
	v := vars("WORKLOAD_SHOP_CHECKOUT_QUERY", "", "WORKLOAD_SHOP_CHECKOUT_MAX_REPLICAS", "", "SHARD_COUNT", strconv.Itoa(shards))
	var names []string
	for i := range 100 {
		names = append(names, fmt.Sprintf("shop/w-%d", i))
	}
	v["WORKLOADS"] = strings.Join(names, ",")
	computed := map[string]int{}
	for ordinal := range shards {
		variable := []string{"POD_NAME", "HOSTNAME"}[ordinal%2]
		mine := maps.Clone(v)
		mine[variable] = fmt.Sprintf("kedastral-forecaster-%d", ordinal)
		s, err := load(t.Context(), mine)
		if err != nil {
			t.Fatal(err)
		}
		elsewhere, err := s.sharded()
		if err != nil || len(s.workloads) != len(s.Workloads) {
			t.Fatalf("shard %d: %v; %d and %d workloads", ordinal, err, len(s.workloads), len(s.Workloads))
		}
		for i, w := range s.workloads {
			if w.name != s.Workloads[i] {
				t.Errorf("shard %d: workload %d is %s and %s", ordinal, i, w.name, s.Workloads[i])
			}
			computed[w.name]++
		}
		for _, name := range names {
			if err := elsewhere(name); !slices.Contains(s.Workloads, name) && !errors.Is(err, forecast.ErrElsewhere) {
				t.Errorf("shard %d says of %s, which others compute: %v", ordinal, name, err)
			}
		}
		if err := elsewhere("shop/unknown"); err != nil {
			t.Errorf("shard %d says of an unknown workload %v; want nothing", ordinal, err)
		}
	}
	for _, name := range names {
		if computed[name] != 2 {
			t.Errorf("%s is computed by %d shards; want its owner and one backup", name, computed[name])
		}
	}
}

func TestShardFaults(t *testing.T) {
	for _, tt := range []struct {
		set  []string
		want string
	}{
		{[]string{"SHARD_COUNT", "3"}, "HOSTNAME: must end in -N"},
		{[]string{"SHARD_COUNT", "3", "HOSTNAME", "forecaster-7d9f-x2x4z"}, "HOSTNAME=forecaster-7d9f-x2x4z: must end in -N"},
		{[]string{"SHARD_COUNT", "3", "POD_NAME", "forecaster-3"}, "POD_NAME=forecaster-3: must end in a number below SHARD_COUNT=3"},
		{[]string{"SHARD_COUNT", "-1"}, "SHARD_COUNT=-1"},
		{[]string{"SHARD_COUNT", "1001"}, "SHARD_COUNT=1001"},
	} {
		if _, err := load(t.Context(), vars(tt.set...)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v: %v; want a fault that says %q", tt.set, err, tt.want)
		}
	}
	if s, err := load(t.Context(), vars("HOSTNAME", "laptop")); err != nil {
		t.Errorf("a host's name without shards: %v", err)
	} else if elsewhere, err := s.sharded(); elsewhere != nil || err != nil || len(s.workloads) != 2 {
		t.Errorf("without SHARD_COUNT: %v, %d workloads; want all", err, len(s.workloads))
	}
}
