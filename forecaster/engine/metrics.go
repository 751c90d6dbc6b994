package engine

import (
	"errors"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/kedastral/kedastral/forecaster/adapters"
	"github.com/kedastral/kedastral/forecaster/capacity"
	"github.com/kedastral/kedastral/shared/forecast"
)

// Metrics are what an engine counts. The label workload holds only names from
// the configuration, which bounds every series here.
type Metrics struct {
	reg       prometheus.Registerer
	predicted *prometheus.GaugeVec
	observed  *prometheus.GaugeVec
	replicas  *prometheus.GaugeVec
	peak      *prometheus.GaugeVec
	generated *prometheus.GaugeVec
	interval  *prometheus.GaugeVec
	delay     *prometheus.GaugeVec
	data      *prometheus.GaugeVec
	skill     *prometheus.GaugeVec
	coverage  *prometheus.GaugeVec
	mode      *prometheus.GaugeVec
	sourceUp  *prometheus.GaugeVec
	warning   *prometheus.GaugeVec
	stages    *prometheus.HistogramVec
	errors    *prometheus.CounterVec
	skips     *prometheus.CounterVec
	fits      *prometheus.CounterVec
	fallbacks *prometheus.CounterVec
}

const prefix = "kedastral_forecaster_"

// NewMetrics registers the engine's metrics; with nil they are kept to
// themselves.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return promauto.With(reg).NewGaugeVec(prometheus.GaugeOpts{Name: prefix + name, Help: help}, append([]string{"workload"}, labels...))
	}
	return &Metrics{
		reg:       reg,
		predicted: gauge("predicted_value", "Load forecast for the first step of the latest snapshot, by quantile level.", "level"),
		observed:  gauge("observed_value", "Newest observed load, in the unit of the workload's metric."),
		replicas:  gauge("desired_replicas", "Replicas published for the first step of the latest snapshot."),
		peak:      gauge("desired_replicas_peak", "Most replicas published for any step of the latest snapshot."),
		generated: gauge("snapshot_generated_timestamp_seconds", "Unix time the latest snapshot starts at."),
		interval:  gauge("snapshot_interval_seconds", "Time between two snapshots of the workload, as configured."),
		delay:     gauge("snapshot_delay_seconds", "How long after its start each snapshot of the workload is published, once its data has settled, as configured."),
		data:      gauge("data_timestamp_seconds", "Unix time the newest observation behind the latest snapshot ended at."),
		skill:     gauge("skill", "Skill of the model over the recent past, 1 - error / error of a benchmark: last_value decides whether the forecast acts, better is the harder one.", "over"),
		coverage:  gauge("coverage_ratio", "Share of the recent past that stayed at or below the quantile forecast for it, by level.", "level"),
		mode:      gauge("mode", "1 for the mode the latest snapshot was planned in, 0 for the others.", "mode"),
		warning:   gauge("source_warning", "1 if the source says that something looks wrong with the metric, by kind.", "kind"),
		sourceUp:  gauge("source_up", "1 if the newest read of the workload's history succeeded, 0 if not."),
		stages: promauto.With(reg).NewHistogramVec(prometheus.HistogramOpts{
			Name:    prefix + "stage_duration_seconds",
			Help:    "How long one stage of a tick ran: collect, train, predict or plan.",
			Buckets: prometheus.ExponentialBuckets(10e-6, 4, 11), // 10 µs to 10 s
		}, []string{"stage"}),
		errors: promauto.With(reg).NewCounterVec(prometheus.CounterOpts{
			Name: prefix + "errors_total",
			Help: "Failed stages of ticks, by the room they failed in and the kind of reason.",
		}, []string{"workload", "room", "reason"}),
		skips: promauto.With(reg).NewCounterVec(prometheus.CounterOpts{
			Name: prefix + "ticks_skipped_total",
			Help: "Ticks that were not run because the one before them was still running or waiting.",
		}, []string{"workload"}),
		fits: promauto.With(reg).NewCounterVec(prometheus.CounterOpts{
			Name: prefix + "fits_total",
			Help: "Fits of the model, by why: schedule, or residuals where the loads had left the band forecast for them.",
		}, []string{"workload", "why"}),
		fallbacks: promauto.With(reg).NewCounterVec(prometheus.CounterOpts{
			Name: prefix + "model_fallbacks_total",
			Help: "Forecasts that another model made in the configured one's stead, as auto does for byom while its service fails and the last value for a model that cannot forecast.",
		}, []string{"workload"}),
	}
}

func (m *Metrics) took(s stage, d time.Duration) {
	m.stages.WithLabelValues(string(s)).Observe(d.Seconds())
}

func (m *Metrics) fitted(workload, why string) { m.fits.WithLabelValues(workload, why).Inc() }

func (m *Metrics) fellBack(workload string, times float64) {
	m.fallbacks.WithLabelValues(workload).Add(times)
}

func (m *Metrics) skipped(workload string, ticks int) {
	m.skips.WithLabelValues(workload).Add(float64(ticks))
}

func (m *Metrics) collected(workload string, ok bool) {
	up := 0.0
	if ok {
		up = 1
	}
	m.sourceUp.WithLabelValues(workload).Set(up)
}

// warned shows which kinds of warnings the source has about a metric.
func (m *Metrics) warned(workload string, kinds map[string]bool) {
	for _, kind := range []string{adapters.WarnAverage, adapters.WarnClockSkew, adapters.WarnCounter, adapters.WarnNegative, adapters.WarnReplicas} {
		on := 0.0
		if kinds[kind] {
			on = 1
		}
		m.warning.WithLabelValues(workload, kind).Set(on)
	}
}

// unread takes back what is told of the source: nobody here asks it now.
func (m *Metrics) unread(workload string) {
	m.sourceUp.DeleteLabelValues(workload)
	m.warning.DeletePartialMatch(prometheus.Labels{"workload": workload})
}

// failed counts every fault that is part of err.
func (m *Metrics) failed(workload string, err error) {
	var f *fault
	switch joined, many := err.(interface{ Unwrap() []error }); {
	case err == nil:
	case many:
		for _, one := range joined.Unwrap() {
			m.failed(workload, one)
		}
	case errors.As(err, &f):
		m.errors.WithLabelValues(workload, string(f.stage), reason(f)).Inc()
	default:
		m.errors.WithLabelValues(workload, "engine", reason(err)).Inc()
	}
}

// published shows the newest snapshot.
func (m *Metrics) published(s forecast.Snapshot) {
	w := s.Workload
	if len(s.Quantiles) == 0 { // made from the load observed now
		m.predicted.DeletePartialMatch(prometheus.Labels{"workload": w})
	}
	for _, q := range s.Quantiles {
		m.predicted.WithLabelValues(w, level(q.Level)).Set(q.Values[0])
	}
	m.predicted.WithLabelValues(w, level(0.5)).Set(s.Values[0])
	m.observed.WithLabelValues(w).Set(s.Observed.Value)
	m.data.WithLabelValues(w).Set(float64(s.Observed.At.Unix()))
	m.generated.WithLabelValues(w).Set(float64(s.GeneratedAt.Unix()))
	m.interval.WithLabelValues(w).Set(s.Interval().Seconds())
	m.delay.WithLabelValues(w).Set(s.Delay().Seconds())
	m.replicas.WithLabelValues(w).Set(float64(s.DesiredReplicas[0]))
	m.peak.WithLabelValues(w).Set(float64(peak(s.DesiredReplicas)))
	for _, mode := range []forecast.Mode{forecast.Predictive, forecast.Reactive, forecast.Shadow} {
		on := 0.0
		if mode == s.Mode {
			on = 1
		}
		m.mode.WithLabelValues(w, string(mode)).Set(on)
	}
	if s.Skill == nil {
		m.skill.DeletePartialMatch(prometheus.Labels{"workload": w})
		m.coverage.DeletePartialMatch(prometheus.Labels{"workload": w})
		return
	}
	m.skill.WithLabelValues(w, "better").Set(s.Skill.Overall)
	m.skill.WithLabelValues(w, "last_value").Set(capacity.OverLastValue(s.Skill))
	for _, c := range s.Skill.Coverage {
		m.coverage.WithLabelValues(w, level(c.Level)).Set(c.Measured)
	}
}

// silenced takes back what a workload is no longer told: an old number must
// not stand. What says how old and how good the last one was stays.
func (m *Metrics) silenced(workload string) {
	for _, gone := range []*prometheus.GaugeVec{m.predicted, m.replicas, m.peak, m.mode} {
		gone.DeletePartialMatch(prometheus.Labels{"workload": workload})
	}
}

// count shows how many workloads are in each state, told when asked.
func (m *Metrics) count(in func() map[State]int) {
	for _, state := range []State{Warming, Forecasting, Following, Failing, Silent} {
		promauto.With(m.reg).NewGaugeFunc(prometheus.GaugeOpts{
			Name:        prefix + "workloads",
			Help:        "Workloads by state.",
			ConstLabels: prometheus.Labels{"state": string(state)},
		}, func() float64 { return float64(in()[state]) })
	}
}

func level(q float64) string { return strconv.FormatFloat(q, 'g', -1, 64) }

func peak(counts []int) int {
	most := 0
	for _, n := range counts {
		most = max(most, n)
	}
	return most
}
