package main

import (
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/kedastral/kedastral/scaler/cache"
	"github.com/kedastral/kedastral/scaler/client"
	"github.com/kedastral/kedastral/scaler/keda"
	"github.com/kedastral/kedastral/shared/docstest"
)

func TestConfigurationIsDocumented(t *testing.T) {
	docstest.Section(t, "../docs/configuration.md", "scaler", docstest.Variables("", config{}))
}

func TestMetricsAreDocumented(t *testing.T) {
	docstest.Section(t, "../docs/metrics.md", "scaler", docstest.Metrics(func(reg prometheus.Registerer) {
		cache.NewMetrics(reg)
		client.NewMetrics(reg)
		if _, err := keda.New(nil, reg, keda.Options{
			Namespace: "shop", StaleAfter: time.Minute, Size: 1, PushInterval: time.Second, Budget: time.Second, Now: time.Now, Log: slog.New(slog.DiscardHandler),
		}); err != nil {
			t.Error(err)
		}
	}))
}
