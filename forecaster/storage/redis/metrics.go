package redis

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// Metrics count what becomes of reads and writes.
type Metrics struct {
	writes, reads, rejects *prometheus.CounterVec
}

// NewMetrics registers the metrics; with nil they are kept to themselves.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	counter := func(name, help, label string) *prometheus.CounterVec {
		return promauto.With(reg).NewCounterVec(prometheus.CounterOpts{Name: "kedastral_forecaster_store_" + name, Help: help}, []string{label})
	}
	m := &Metrics{
		writes:  counter("writes_total", "Snapshots offered to the shared store: stored, superseded by a newer one there, or failed.", "outcome"),
		reads:   counter("reads_total", "Snapshots asked of the shared store: found, missing, or failed; failed counts exchanges.", "outcome"),
		rejects: counter("rejected_total", "Values in the shared store that were not used: foreign, of another schema, or corrupt.", "reason"),
	}
	for _, outcome := range []string{"stored", "superseded", "failed"} {
		m.writes.WithLabelValues(outcome)
	}
	for _, outcome := range []string{"found", "missing", "failed"} {
		m.reads.WithLabelValues(outcome)
	}
	for _, reason := range []string{foreign, schema, corrupt} {
		m.rejects.WithLabelValues(reason)
	}
	return m
}

func (m *Metrics) wrote(set int, err error) {
	outcome := "stored"
	switch {
	case err != nil:
		outcome = "failed"
	case set == 0:
		outcome = "superseded"
	}
	m.writes.WithLabelValues(outcome).Inc()
}

func (m *Metrics) found()                 { m.reads.WithLabelValues("found").Inc() }
func (m *Metrics) missed()                { m.reads.WithLabelValues("missing").Inc() }
func (m *Metrics) unread()                { m.reads.WithLabelValues("failed").Inc() }
func (m *Metrics) rejected(reason string) { m.rejects.WithLabelValues(reason).Inc() }
