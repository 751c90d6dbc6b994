package prom

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/kedastral/kedastral/forecaster/adapters"
)

// Metrics tell how the questions to Prometheus fare.
type Metrics struct {
	requests *prometheus.CounterVec
	duration prometheus.Histogram
}

// NewMetrics registers the metrics of this room; nil registers nowhere.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	return &Metrics{
		requests: promauto.With(reg).NewCounterVec(prometheus.CounterOpts{
			Name: "kedastral_forecaster_prometheus_requests_total",
			Help: "Questions asked of Prometheus, by what they ended in; ok is an answer that was taken.",
		}, []string{"outcome"}),
		duration: promauto.With(reg).NewHistogram(prometheus.HistogramOpts{
			Name:    "kedastral_forecaster_prometheus_request_duration_seconds",
			Help:    "How long Prometheus took to answer, or until it was given up.",
			Buckets: prometheus.ExponentialBuckets(0.005, 2, 12), // 5 ms to 10 s
		}),
	}
}

func (m *Metrics) asked(took time.Duration, err error) {
	outcome := adapters.Reason(err)
	if err == nil {
		outcome = "ok"
	}
	m.requests.WithLabelValues(outcome).Inc()
	m.duration.Observe(took.Seconds())
}
