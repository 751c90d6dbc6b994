package main

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/kedastral/kedastral/forecaster/adapters/prom"
	"github.com/kedastral/kedastral/forecaster/engine"
	"github.com/kedastral/kedastral/shared/docstest"
)

func TestConfigurationIsDocumented(t *testing.T) {
	docstest.Section(t, "../docs/configuration.md", "forecaster", docstest.Variables("", config{}))
	docstest.Section(t, "../docs/configuration.md", "workloads", docstest.Variables("…_", workload{}))
}

func TestMetricsAreDocumented(t *testing.T) {
	docstest.Section(t, "../docs/metrics.md", "forecaster", docstest.Metrics(func(reg prometheus.Registerer) {
		engine.NewMetrics(reg)
		prom.NewMetrics(reg)
	}))
}
