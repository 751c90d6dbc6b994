package cache

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// Metrics count what the cache could answer and what it had to let go.
type Metrics struct {
	hits, misses, evictions, superseded prometheus.Counter
	workloads                           prometheus.Gauge
}

// NewMetrics registers the cache's metrics.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	with := promauto.With(reg)
	counter := func(name, help string) prometheus.Counter {
		return with.NewCounter(prometheus.CounterOpts{
			Namespace: "kedastral", Subsystem: "scaler", Name: name, Help: help,
		})
	}
	return &Metrics{
		hits:       counter("cache_hits_total", "Questions answered with a snapshot from memory."),
		misses:     counter("cache_misses_total", "Questions for workloads without a snapshot in memory."),
		evictions:  counter("cache_evictions_total", "Snapshots pushed out because the cache was full."),
		superseded: counter("cache_superseded_total", "Fetched snapshots ignored because a newer one was held."),
		workloads: with.NewGauge(prometheus.GaugeOpts{
			Namespace: "kedastral", Subsystem: "scaler", Name: "cache_workloads",
			Help: "Workloads with a snapshot in memory.",
		}),
	}
}
