package engine

import (
	"context"
	"math"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/kedastral/kedastral/shared/env"
	"github.com/kedastral/kedastral/shared/forecast"
)

// Sampling says which parts of every forecast are metrics: one series a
// workload, level and lead, so their product bounds what a workload costs.
type Sampling struct {
	Levels []float64       // quantiles; 0.5 is the median
	Leads  []time.Duration // how far ahead of the moment they are asked for; 0 is now
}

// Collector tells the forecasts that are current when it is asked: for each
// workload that [Engine.Latest] answers for, the load forecast for the moment
// that is a lead from now. What has no current forecast, or none of that
// quantile or that far ahead, has no series: an old number must not stand.
func (e *Engine) Collector(s Sampling) prometheus.Collector {
	c := collector{e, s, prometheus.NewDesc("kedastral_forecast_value",
		"Load forecast for the moment that is lead from now, by quantile, while there is a current forecast.", []string{"workload", "quantile", "lead"}, nil), nil}
	for _, lead := range s.Leads {
		c.leads = append(c.leads, env.FormatDuration(lead))
	}
	return c
}

type collector struct {
	engine *Engine
	Sampling
	desc  *prometheus.Desc
	leads []string // as labels
}

// Describe implements [prometheus.Collector].
func (c collector) Describe(out chan<- *prometheus.Desc) { out <- c.desc }

// Collect implements [prometheus.Collector].
func (c collector) Collect(out chan<- prometheus.Metric) {
	now := c.engine.Clock.Now()
	for _, name := range c.engine.order {
		s, err := c.engine.Latest(context.Background(), name)
		if err != nil { // it says so in state, errors_total and the API
			continue
		}
		age := s.Age(now)
		for _, q := range c.Levels {
			values := valuesOf(s, q)
			for i, lead := range c.Leads {
				at := int64((age + lead) / s.Step())
				if at < int64(len(values)) {
					out <- prometheus.MustNewConstMetric(c.desc, prometheus.GaugeValue, values[at], name, level(q), c.leads[i])
				}
			}
		}
	}
}

// valuesOf is the quantile of a snapshot; nil where it has none of that level.
func valuesOf(s forecast.Snapshot, level float64) []float64 {
	for _, q := range s.Quantiles {
		if math.Abs(q.Level-level) < 1e-9 {
			return q.Values
		}
	}
	if level == 0.5 {
		return s.Values
	}
	return nil
}
