package mirror

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// Metrics tell how the shared store is doing.
type Metrics struct {
	up, pending   prometheus.Gauge
	taken, future prometheus.Counter
}

// NewMetrics registers the metrics; with nil they are kept to themselves.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	const prefix = "kedastral_forecaster_store_"
	with := promauto.With(reg)
	return &Metrics{
		up:      with.NewGauge(prometheus.GaugeOpts{Name: prefix + "up", Help: "1 if the newest exchange with the shared store succeeded, 0 if not or there was none yet."}),
		pending: with.NewGauge(prometheus.GaugeOpts{Name: prefix + "pending", Help: "Workloads whose newest snapshot is not in the shared store yet."}),
		taken:   with.NewCounter(prometheus.CounterOpts{Name: prefix + "taken_total", Help: "Snapshots taken from the shared store because they were newer than what was held."}),
		future:  with.NewCounter(prometheus.CounterOpts{Name: prefix + "future_total", Help: "Snapshots left in the shared store because they are from the future by this machine's clock."}),
	}
}
