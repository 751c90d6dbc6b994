package client

import (
	"context"
	"errors"
	"net"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/kedastral/kedastral/shared/forecast"
)

// Metrics measure how the forecasters answer.
type Metrics struct {
	duration prometheus.Histogram
	errors   *prometheus.CounterVec
	up       *prometheus.GaugeVec
	future   prometheus.Counter
}

// NewMetrics registers the client's metrics.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	with := promauto.With(reg)
	return &Metrics{
		duration: with.NewHistogram(prometheus.HistogramOpts{
			Namespace: "kedastral", Subsystem: "scaler", Name: "fetch_duration_seconds",
			Help:    "Time to ask one forecaster for one snapshot, whatever it answered.",
			Buckets: []float64{.001, .005, .025, .1, .5, 1, 2, 5},
		}),
		errors: with.NewCounterVec(prometheus.CounterOpts{
			Namespace: "kedastral", Subsystem: "scaler", Name: "fetch_errors_total",
			Help: "Questions to a forecaster that brought no snapshot, by reason.",
		}, []string{"reason"}),
		up: with.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: "kedastral", Subsystem: "scaler", Name: "forecaster_up",
			Help: "1 if the forecaster answered when it was last asked, 0 if it did not or was not asked yet.",
		}, []string{"forecaster"}),
		future: with.NewCounter(prometheus.CounterOpts{
			Namespace: "kedastral", Subsystem: "scaler", Name: "future_snapshots_total",
			Help: "Snapshots generated in the future by this machine's clock: the clocks disagree.",
		}),
	}
}

func (m *Metrics) failed(reason string) { m.errors.WithLabelValues(reason).Inc() }

const reasonLeftAlone = "left_alone"

// reason is the label of an error: one of a few.
func reason(err error) string {
	var down *unreachable
	var slow net.Error
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &slow) && slow.Timeout():
		return "timeout"
	case errors.Is(err, forecast.ErrNotFound):
		return "not_found"
	case errors.Is(err, forecast.ErrElsewhere):
		return "elsewhere"
	case errors.Is(err, forecast.ErrNotReady):
		return "not_ready"
	case errors.Is(err, forecast.ErrInvalid):
		return "invalid"
	case errors.Is(err, forecast.ErrDenied):
		return "denied"
	case errors.As(err, &down) && down.throttled:
		return "throttled"
	case errors.As(err, &down):
		return "unreachable"
	case errors.Is(err, errRedirect):
		return "redirect"
	default:
		return "status"
	}
}
