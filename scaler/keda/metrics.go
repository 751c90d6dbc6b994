package keda

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"google.golang.org/grpc/codes"
)

// metrics are what the calls themselves count. What is told of workloads is
// read from them when somebody looks: see workloads.
type metrics struct {
	duration  *prometheus.HistogramVec
	methods   map[string]method // by full name; no other is ever a label
	refusals  *prometheus.CounterVec
	streams   prometheus.Gauge
	panics    prometheus.Counter
	forgotten prometheus.Counter
}

// method is one call of the service and its series of calls that went well.
type method struct {
	name string
	ok   prometheus.Observer
}

func newMetrics(reg prometheus.Registerer) *metrics {
	with := promauto.With(reg)
	m := &metrics{
		duration: with.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: "kedastral", Subsystem: "scaler", Name: "grpc_request_duration_seconds",
			Help:    "Time to answer a call, by method and status code; streams are not calls.",
			Buckets: []float64{.00001, .0001, .001, .005, .025, .1, .25, 1},
		}, []string{"method", "code"}),
		refusals: with.NewCounterVec(prometheus.CounterOpts{
			Namespace: "kedastral", Subsystem: "scaler", Name: "refusals_total",
			Help: "Calls not answered from a forecast, by reason; a fallback counts too.",
		}, []string{"reason"}),
		streams: with.NewGauge(prometheus.GaugeOpts{
			Namespace: "kedastral", Subsystem: "scaler", Name: "grpc_streams",
			Help: "StreamIsActive streams open.",
		}),
		panics: with.NewCounter(prometheus.CounterOpts{
			Namespace: "kedastral", Subsystem: "scaler", Name: "panics_total",
			Help: "Calls that ended in a panic.",
		}),
		forgotten: with.NewCounter(prometheus.CounterOpts{
			Namespace: "kedastral", Subsystem: "scaler", Name: "trigger_evictions_total",
			Help: "Triggers forgotten, and what they were last told with them, because too many were in use.",
		}),
		methods: map[string]method{},
	}
	for full, name := range timed() {
		m.methods[full] = method{name, m.duration.WithLabelValues(name, codes.OK.String())}
	}
	return m
}

// refused counts a refusal.
func (m *metrics) refused(why *refusal) { m.refusals.WithLabelValues(why.reason).Inc() }

// observe times a call. A call that went well costs no label lookup.
func (m *metrics) observe(full string, code codes.Code, took time.Duration) {
	method, ok := m.methods[full]
	switch {
	case !ok:
	case code == codes.OK:
		method.ok.Observe(took.Seconds())
	default:
		m.duration.WithLabelValues(method.name, code.String()).Observe(took.Seconds())
	}
}

// workloads collects, at the moment of a scrape, the workloads that were asked
// for lately and have a snapshot: so names that nobody forecasts make no series,
// those gone from the cluster leave none behind, and a call pays for none.
type workloads struct{ *Server }

func described(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("kedastral_scaler_"+name, help, labels, nil)
}

// descriptions are told anew each time rather than kept in package variables.
func descriptions() (generated, replicas, state *prometheus.Desc) {
	return described("forecast_generated_timestamp_seconds",
			"Unix time from which the workload's forecast in use counts.", "workload"),
		described("replicas",
			"Replicas last told to KEDA for the workload; the most, if several triggers ask for it.", "workload"),
		described("workload_state",
			"1 for the state the workload's forecast is in now, 0 for the others.", "workload", "state")
}

// Describe names the series.
func (w workloads) Describe(ch chan<- *prometheus.Desc) {
	generated, replicas, state := descriptions()
	ch <- generated
	ch <- replicas
	ch <- state
}

// Collect makes one set of series a workload, however many triggers ask for it.
func (w workloads) Collect(ch chan<- prometheus.Metric) {
	byWorkload := map[string]Status{}
	for _, st := range w.Status() {
		if seen, ok := byWorkload[st.Workload]; ok {
			st.LastTold = max(st.LastTold, seen.LastTold)
		}
		if !st.GeneratedAt.IsZero() {
			byWorkload[st.Workload] = st
		}
	}
	generated, replicas, state := descriptions()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	for name, st := range byWorkload {
		gauge(generated, float64(st.GeneratedAt.Unix()), name)
		gauge(replicas, float64(st.LastTold), name)
		for _, s := range []State{Fresh, Held, Stale} {
			on := 0.0
			if st.State == s.String() {
				on = 1
			}
			gauge(state, on, name, s.String())
		}
	}
}
