package main

import (
	"fmt"
	"slices"

	"github.com/kedastral/kedastral/shared/env"
	"github.com/kedastral/kedastral/shared/forecast"
	"github.com/kedastral/kedastral/shared/shard"
)

// ShardConfig is every variable about computing a part of the workloads only.
type ShardConfig struct {
	ShardCount int    `env:"SHARD_COUNT, default=0" doc:"Shards that the workloads are spread over, each computed by two of them. 0: this process computes all."`
	PodName    string `env:"POD_NAME" doc:"Name of this StatefulSet pod, whose last part, -N, is the shard that this process is. Unset: HOSTNAME."`
	Hostname   string `env:"HOSTNAME" doc:"Set by Kubernetes to the name of the pod."`
}

// misplaced are what is wrong with it.
func (c ShardConfig) misplaced() error {
	if err := env.Between("SHARD_COUNT", c.ShardCount, 0, shard.Most); err != nil || c.ShardCount == 0 {
		return err
	}
	name, pod := c.pod()
	ordinal, err := shard.Ordinal(pod)
	switch {
	case err != nil:
		return env.Fault{Name: name, Value: pod, Rule: "must end in -N, the shard that this process is, for SHARD_COUNT"}
	case ordinal >= c.ShardCount:
		return env.Fault{Name: name, Value: pod, Rule: fmt.Sprintf("must end in a number below SHARD_COUNT=%d", c.ShardCount)}
	}
	return nil
}

func (c ShardConfig) pod() (variable, name string) {
	if c.PodName != "" {
		return "POD_NAME", c.PodName
	}
	return "HOSTNAME", c.Hostname
}

// sharded leaves the workloads of this shard in the configuration, and says of
// each of the others where it is computed. Without shards that is nil.
func (s *settings) sharded() (func(workload string) error, error) {
	if s.ShardCount == 0 {
		return nil, nil //nolint:nilnil // nil is what an engine takes that computes everything
	}
	_, pod := s.pod()
	me, err := shard.Ordinal(pod)
	if err != nil {
		return nil, err
	}
	all, shards := s.Workloads, s.ShardCount
	s.Workloads = slices.DeleteFunc(slices.Clone(all), func(name string) bool { return !shard.Computes(name, me, shards) })
	s.workloads = slices.DeleteFunc(s.workloads, func(w workload) bool { return !shard.Computes(w.name, me, shards) })
	return func(workload string) error {
		if !slices.Contains(all, workload) {
			return nil
		}
		computing := shard.Rank(workload, shards)[:min(shard.Copies, shards)]
		return fmt.Errorf("%w: %s: by the shards %v of %d; this is %d", forecast.ErrElsewhere, workload, computing, shards, me)
	}, nil
}
