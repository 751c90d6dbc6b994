package main

import (
	"strings"
	"testing"
	"time"

	"github.com/kedastral/kedastral/shared/env"
)

// sampled are the lines of the metric that a process with these settings serves.
func sampled(t *testing.T, settings ...string) []string {
	t.Helper()
	v := env.Vars{
		"WORKLOADS": "shop/checkout", "SOURCE": "recorded", "RECORDED_FILE": recording(t),
		"DEFAULT_TARGET_PER_POD": "25", "DEFAULT_WINDOW": "1d", "DEFAULT_MODEL": "naive",
	}
	for i := 0; i+1 < len(settings); i += 2 {
		v[settings[i]] = settings[i+1]
	}
	_, body := get(t, start(t, v)+"/metrics")
	var found []string
	for line := range strings.Lines(body) {
		if strings.HasPrefix(line, "kedastral_forecast_value{") {
			name, _, _ := strings.Cut(line, " ")
			found = append(found, name)
		}
	}
	return found
}

func TestForecastMetricsSettingsHaveTheirEffect(t *testing.T) {
	label := func(lead, quantile string) string {
		return `kedastral_forecast_value{lead="` + lead + `",quantile="` + quantile + `",workload="shop/checkout"}`
	}
	for _, tt := range []struct {
		settings []string
		want     []string
	}{
		{nil, []string{label("30m", "0.5"), label("30m", "0.95"), label("5m", "0.5"), label("5m", "0.95")}},
		{[]string{"FORECAST_METRICS_QUANTILES", "0.9", "FORECAST_METRICS_LEADS", "0s,10m"}, []string{label("0s", "0.9"), label("10m", "0.9")}},
		{[]string{"FORECAST_METRICS_LIMIT", "0"}, nil},
	} {
		if got := sampled(t, tt.settings...); strings.Join(got, "\n") != strings.Join(tt.want, "\n") {
			t.Errorf("%v serves\n%s\nwant\n%s", tt.settings, strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
		}
	}
}

func TestForecastMetricsFaults(t *testing.T) {
	for _, tt := range []struct{ name, value, want string }{
		{"FORECAST_METRICS_LIMIT", "3", "must be at least 4"},
		{"FORECAST_METRICS_LIMIT", "-1", "must be between 0 and 1000"},
		{"FORECAST_METRICS_LEADS", "10m,5m", "must be ascending"},
		{"FORECAST_METRICS_LEADS", "-5m", "must be ascending durations, the first at least 0s"},
		{"FORECAST_METRICS_LEADS", "5m,2h", "must be below some workload's HORIZON, 1h at most"},
		{"FORECAST_METRICS_QUANTILES", "0.5,1.5", "between 0 and 1"},
		{"FORECAST_METRICS_QUANTILES", "0.5,0.83", "must be one of some workload's QUANTILES"},
	} {
		_, err := load(t.Context(), vars(tt.name, tt.value))
		if err == nil || !strings.Contains(err.Error(), tt.name) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s=%s: %v; want %q", tt.name, tt.value, err, tt.want)
		}
	}
	s, err := load(t.Context(), vars("DEFAULT_QUANTILES", "0.5,0.9", "DEFAULT_QUANTILE", "0.9", "DEFAULT_HORIZON", "10m"))
	if err != nil || len(s.sampling().Leads) != 2 || s.sampling().Leads[1] != 30*time.Minute {
		t.Errorf("defaults that no workload has: %v; want no fault", err)
	}
}
