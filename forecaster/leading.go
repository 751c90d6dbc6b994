package main

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/kedastral/kedastral/forecaster/lease"
	"github.com/kedastral/kedastral/shared/env"
	"github.com/kedastral/kedastral/shared/forecast"
)

// LeaseConfig is every variable about leaving the source to another forecaster.
type LeaseConfig struct {
	LeaseName      string `env:"LEASE_NAME" doc:"Name of a Kubernetes Lease. Of the forecasters that share a store, the one that holds it reads the source; the others hand on what it publishes, and read for themselves while nobody is known to hold it. Needs STORE=redis. Unset: each reads."`
	LeaseNamespace string `env:"LEASE_NAMESPACE" doc:"Namespace of the Lease, where the forecasters' service account may get, create and patch it."`
}

// checkLease is what is wrong with it. Only serve needs it: the other commands
// read for themselves.
func (c config) checkLease() error {
	faults := []error{env.Together("LEASE_NAME", c.LeaseName, "LEASE_NAMESPACE", c.LeaseNamespace)}
	if c.LeaseName == "" || c.LeaseNamespace == "" {
		return errors.Join(faults...)
	}
	if _, _, err := forecast.ParseWorkload(c.LeaseNamespace + "/" + c.LeaseName); err != nil {
		faults = append(faults, env.Fault{Name: "LEASE_NAME", Value: c.LeaseName, Rule: "must be a name as Kubernetes allows them, as must LEASE_NAMESPACE=" + c.LeaseNamespace})
	}
	if c.Store != inRedis {
		faults = append(faults, env.Fault{Name: "STORE", Value: c.Store, Rule: "must be redis with LEASE_NAME: who follows hands on what the leader puts there"})
	}
	if c.ShardCount > 0 {
		faults = append(faults, env.Fault{Name: "LEASE_NAME", Value: c.LeaseName, Rule: "must not be set together with SHARD_COUNT: no two shards compute the same"})
	}
	if _, err := c.kubernetes(); err != nil {
		faults = append(faults, err)
	}
	return errors.Join(faults...)
}

// newLease is this process's view of the Lease, nil where there is none. It
// does not connect.
func newLease(c config, able func() bool, reg prometheus.Registerer, log *slog.Logger) (*lease.Lease, error) {
	if c.LeaseName == "" {
		return nil, nil //nolint:nilnil // nil is no lease
	}
	server, err := c.apiServer(log)
	if err != nil {
		return nil, err
	}
	keeper := lease.Kubernetes{Server: server, Namespace: c.LeaseNamespace, Name: c.LeaseName}
	return lease.New(lease.Options{Keeper: keeper, Identity: c.identity(), Able: able, Metrics: lease.NewMetrics(reg), Log: log.With("lease", c.LeaseNamespace+"/"+c.LeaseName)}), nil
}

// identity is the pod's name and a number, so that a container that was started
// again is not taken for the one before.
func (c config) identity() string {
	number := make([]byte, 4)
	_, _ = rand.Read(number) // never fails, by its contract
	_, pod := c.pod()
	return pod + "_" + hex.EncodeToString(number)
}
