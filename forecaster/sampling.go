package main

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/kedastral/kedastral/forecaster/engine"
	"github.com/kedastral/kedastral/forecaster/models"
	"github.com/kedastral/kedastral/shared/env"
)

// sampling is which part of every forecast is a metric.
func (c config) sampling() engine.Sampling {
	if c.ForecastMetricsLimit == 0 {
		return engine.Sampling{}
	}
	return engine.Sampling{Levels: c.ForecastMetricsQuantiles, Leads: c.ForecastMetricsLeads}
}

// checkSampling is about the sampling by itself.
func (c config) checkSampling() error {
	var errs []error
	if err := (models.Options{Levels: c.ForecastMetricsQuantiles}).Validate(); err != nil {
		errs = append(errs, fault("FORECAST_METRICS_QUANTILES", c.ForecastMetricsQuantiles, "must be ascending, between 0 and 1: "+err.Error()))
	}
	for i, lead := range c.ForecastMetricsLeads {
		if lead < 0 || i > 0 && lead <= c.ForecastMetricsLeads[i-1] {
			errs = append(errs, fault("FORECAST_METRICS_LEADS", env.FormatDuration(lead), "must be ascending durations, the first at least 0s"))
			break
		}
	}
	if n := len(c.ForecastMetricsQuantiles) * len(c.ForecastMetricsLeads); c.ForecastMetricsLimit > 0 && n > c.ForecastMetricsLimit {
		errs = append(errs, fault("FORECAST_METRICS_LIMIT", c.ForecastMetricsLimit,
			fmt.Sprintf("must be at least %d, FORECAST_METRICS_QUANTILES times FORECAST_METRICS_LEADS, or 0 for no such metric", n)))
	}
	return errors.Join(errs...)
}

// checkSampled is a fault for what was asked for and no workload's forecast
// has. The defaults may go without.
func (s settings) checkSampled(vars env.Vars) error {
	var errs []error
	if _, set := vars.Lookup("FORECAST_METRICS_QUANTILES"); set && len(s.workloads) > 0 {
		for _, level := range s.ForecastMetricsQuantiles {
			if level != 0.5 && !slices.ContainsFunc(s.workloads, func(w workload) bool { return slices.Contains(w.levels(), level) }) {
				errs = append(errs, fault("FORECAST_METRICS_QUANTILES", level, "must be one of some workload's QUANTILES, or 0.5"))
			}
		}
	}
	if _, set := vars.Lookup("FORECAST_METRICS_LEADS"); set && len(s.workloads) > 0 {
		var longest time.Duration
		for _, w := range s.workloads {
			longest = max(longest, w.horizon())
		}
		for _, lead := range s.ForecastMetricsLeads {
			if lead >= longest {
				errs = append(errs, fault("FORECAST_METRICS_LEADS", env.FormatDuration(lead), "must be below some workload's HORIZON, "+env.FormatDuration(longest)+" at most"))
			}
		}
	}
	return errors.Join(errs...)
}
