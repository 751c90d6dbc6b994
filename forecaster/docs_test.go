package main

import (
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/kedastral/kedastral/forecaster/access"
	"github.com/kedastral/kedastral/forecaster/adapters/prom"
	"github.com/kedastral/kedastral/forecaster/api"
	"github.com/kedastral/kedastral/forecaster/engine"
	"github.com/kedastral/kedastral/forecaster/lease"
	"github.com/kedastral/kedastral/forecaster/storage"
	"github.com/kedastral/kedastral/forecaster/storage/mirror"
	"github.com/kedastral/kedastral/forecaster/storage/redis"
	"github.com/kedastral/kedastral/shared/docstest"
)

func TestConfigurationIsDocumented(t *testing.T) {
	docstest.Section(t, "../docs/configuration.md", "forecaster", docstest.Variables("", config{}))
	docstest.Section(t, "../docs/configuration.md", "workloads", docstest.Variables("…_", workload{}))
}

func TestMetricsAreDocumented(t *testing.T) {
	docstest.Section(t, "../docs/metrics.md", "forecaster", docstest.Metrics(func(reg prometheus.Registerer) {
		e, err := engine.New(nil, engine.Options{
			Store: storage.NewMemory(), Log: slog.New(slog.DiscardHandler), Metrics: engine.NewMetrics(reg),
			Concurrency: 1, MaxDataAge: time.Minute, TickTimeout: time.Minute,
		})
		if err != nil {
			t.Fatal(err)
		}
		reg.MustRegister(e.Collector(config{}.sampling()))
		prom.NewMetrics(reg)
		access.NewMetrics(reg)
		mirror.NewMetrics(reg)
		redis.NewMetrics(reg)
		lease.New(lease.Options{Metrics: lease.NewMetrics(reg)})
		api.New(api.Options{Metrics: reg, Probes: http.NotFoundHandler()})
	}))
}
