package access

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// Metrics count reviews of tokens. A nil *Metrics counts nothing.
type Metrics struct {
	reviews *prometheus.CounterVec
}

const (
	resultAccepted = "accepted"
	resultRejected = "rejected"
	resultFailed   = "failed"
)

// NewMetrics registers the metrics.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{promauto.With(reg).NewCounterVec(prometheus.CounterOpts{
		Name: "kedastral_forecaster_token_reviews_total",
		Help: "Tokens that the Kubernetes API was asked about, by what came of it: accepted, rejected or failed.",
	}, []string{"result"})}
	for _, result := range []string{resultAccepted, resultRejected, resultFailed} {
		m.reviews.WithLabelValues(result)
	}
	return m
}

func (m *Metrics) reviewed(result string) {
	if m != nil {
		m.reviews.WithLabelValues(result).Inc()
	}
}
