package main

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/kedastral/kedastral/shared/env"
)

// vars are the fewest that make a configuration, and more of them.
func vars(more ...string) env.Vars {
	v := env.Vars{
		"WORKLOADS":                           "shop/checkout,shop/search",
		"FORECASTER_AUTH":                     "none",
		"PROMETHEUS_URL":                      "http://prometheus:9090",
		"DEFAULT_QUERY":                       "sum(rate(requests_total[1m]))",
		"DEFAULT_TARGET_PER_POD":              "100",
		"WORKLOAD_SHOP_CHECKOUT_QUERY":        `sum(rate(requests_total{app="checkout"}[1m]))`,
		"WORKLOAD_SHOP_CHECKOUT_MAX_REPLICAS": "20",
	}
	for i := 0; i+1 < len(more); i += 2 {
		v[more[i]] = more[i+1]
	}
	return v
}

func TestLoad(t *testing.T) {
	s, err := load(t.Context(), vars("WORKLOAD_SHOP_SEARCH_STEP", "15m", "DEFAULT_WINDOW", "2w", "WORKLOAD_SHOP_SEARCH_QUANTILE", "0.97",
		"MAX_DATA_AGE", "1h", "LOG_LEVEL", ""))
	if err != nil {
		t.Fatal(err)
	}
	checkout, search := s.workloads[0], s.workloads[1]
	if checkout.MaxReplicas != 20 || search.MaxReplicas != 100 || checkout.Window != 14*24*time.Hour {
		t.Errorf("MAX_REPLICAS %d and %d, WINDOW %v; want 20, 100, 2w", checkout.MaxReplicas, search.MaxReplicas, checkout.Window)
	}
	if checkout.interval() != time.Minute || checkout.horizon() != time.Hour || checkout.trainInterval() != 5*time.Minute {
		t.Errorf("at a step of 1m: interval %v, horizon %v, training every %v", checkout.interval(), checkout.horizon(), checkout.trainInterval())
	}
	if search.interval() != 15*time.Minute || search.horizon() != 3*time.Hour || search.trainInterval() != 15*time.Minute {
		t.Errorf("at a step of 15m: interval %v, horizon %v, training every %v", search.interval(), search.horizon(), search.trainInterval())
	}
	if want := []float64{0.1, 0.5, 0.75, 0.9, 0.95, 0.97, 0.99}; !slices.Equal(search.levels(), want) {
		t.Errorf("levels %v; want %v", search.levels(), want)
	}
	if s.LogLevel != "info" {
		t.Errorf("LOG_LEVEL=%q; a blank variable is an unset one", s.LogLevel)
	}
}

// Every fault names the variable, its value and the rule, and all are told.
func TestLoadTellsEveryFault(t *testing.T) {
	for _, tt := range []struct {
		set  []string
		want string
	}{
		{[]string{"WORKLOADS", ""}, "WORKLOADS: "},
		{[]string{"WORKLOADS", "shop"}, "WORKLOADS=shop: must be NAMESPACE/NAME"},
		{[]string{"WORKLOADS", "shop/checkout,shop/checkout"}, "WORKLOADS=shop/checkout: must be listed once"},
		{[]string{"WORKLOADS", "shop/check-out,shop/check.out"}, "reads the same variables"},
		{[]string{"SOURCE", "graphite"}, "SOURCE=graphite: must be one of prometheus, recorded"},
		{[]string{"PROMETHEUS_URL", ""}, "PROMETHEUS_URL: is required with SOURCE=prometheus"},
		{[]string{"PROMETHEUS_URL", "ftp://x"}, "PROMETHEUS_URL: scheme \"ftp\": must be http or https"},
		{[]string{"PROMETHEUS_URL", "prometheus:9090"}, "PROMETHEUS_URL: scheme"},
		{[]string{"PROMETHEUS_URL", "http://"}, "PROMETHEUS_URL: no host"},
		{[]string{"DEFAULT_QUERY", ""}, "WORKLOAD_SHOP_SEARCH_QUERY: is required"},
		{[]string{"DEFAULT_TARGET_PER_POD", ""}, "WORKLOAD_SHOP_SEARCH_TARGET_PER_POD: "},
		{[]string{"DEFAULT_TARGET_PER_POD", "-1"}, "DEFAULT_TARGET_PER_POD=-1: must be positive"},
		{[]string{"DEFAULT_TARGET_PER_POD", "NaN"}, "DEFAULT_TARGET_PER_POD=NaN: must be"},
		{[]string{"DEFAULT_TARGET_PER_POD", "+Inf"}, "DEFAULT_TARGET_PER_POD=+Inf: must be"},
		{[]string{"DEFAULT_HEADROOM", "Inf"}, "DEFAULT_HEADROOM=Inf: must be"},
		{[]string{"DEFAULT_UP_MAX_FACTOR_PER_STEP", "Inf"}, "DEFAULT_UP_MAX_FACTOR_PER_STEP=Inf: must be"},
		{[]string{"DEFAULT_MIN_REPLICAS", "30"}, "WORKLOAD_SHOP_CHECKOUT_MAX_REPLICAS=20: must be between 30"},
		{[]string{"DEFAULT_QUANTILE", "95"}, "DEFAULT_QUANTILE=95: must be"},
		{[]string{"DEFAULT_QUANTILES", "0.9,0.5"}, "DEFAULT_QUANTILES=0.9,0.5: must be ascending"},
		{[]string{"DEFAULT_HORIZON", "90s"}, "DEFAULT_HORIZON=90s: must be a multiple of STEP (1m)"},
		{[]string{"DEFAULT_HORIZON", "1m"}, "DEFAULT_HORIZON=1m: must be at least two intervals, 2m"},
		{[]string{"DEFAULT_INTERVAL", "40m", "MAX_DATA_AGE", "2h"}, "WORKLOAD_SHOP_CHECKOUT_HORIZON=1h: must be at least two intervals, 1h20m"},
		{[]string{"DEFAULT_QUANTILES", levelsOf(100)}, "must be at most 99"},
		{[]string{"DEFAULT_QUANTILES", levelsOf(99), "DEFAULT_QUANTILE", "0.9901"}, "must be at most 99"},
		{[]string{"DEFAULT_QUANTILES", levelsOf(60), "DEFAULT_HORIZON", "7d"}, "DEFAULT_HORIZON=7d: must be at most 2295 steps for 60 quantiles"},
		{[]string{"DEFAULT_WINDOW", "1m"}, "DEFAULT_WINDOW=1m: must be a multiple of STEP (1m), from 2"},
		{[]string{"DEFAULT_STEP", "-1m"}, "DEFAULT_STEP=-1m: must be a positive number"},
		{[]string{"DEFAULT_STEP", "1500ms"}, "DEFAULT_STEP=1500ms: must be a positive number of whole seconds"},
		{[]string{"DEFAULT_STEP", "60"}, "DEFAULT_STEP=60: "},
		{[]string{"DEFAULT_STEP", "1h"}, "MAX_DATA_AGE=15m: must be at least SCRAPE_INTERVAL and two intervals of shop/checkout, 2h0m15s"},
		{[]string{"MAX_DATA_AGE", "2m"}, "MAX_DATA_AGE=2m: must be at least SCRAPE_INTERVAL and two intervals of shop/checkout, 2m15s"},
		{[]string{"SCRAPE_INTERVAL", "20m"}, "MAX_DATA_AGE=15m: must be at least SCRAPE_INTERVAL and two intervals of shop/search, 22m"},
		{[]string{"SOURCE", "recorded", "RECORDED_FILE", "x.csv", "MAX_DATA_AGE", "1m"}, "MAX_DATA_AGE=1m: must be at least two intervals of shop/checkout, 2m"},
		{[]string{"DEFAULT_MODEL", "prophet"}, "DEFAULT_MODEL=prophet: must be one of"},
		{[]string{"DEFAULT_TIMEZONE", "Berlin"}, "DEFAULT_TIMEZONE=Berlin: must be an IANA"},
		{[]string{"DEFAULT_HOLIDAYS", "XX"}, "DEFAULT_HOLIDAYS=XX: country"},
		{[]string{"DEFAULT_EVENTS", "tomorrow x2"}, "DEFAULT_EVENTS=tomorrow x2: event"},
		{[]string{"DEFAULT_AGGREGATE", "avg"}, "DEFAULT_AGGREGATE=avg: must be one of"},
		{[]string{"CONCURRENCY", "0"}, "CONCURRENCY=0: must be between 1"},
		{[]string{"LOG_LEVEL", "loud"}, "LOG_LEVEL=loud: must be one of"},
		{[]string{"TLS_CERT_FILE", "/tls.crt"}, "TLS_KEY_FILE: must be set together with TLS_CERT_FILE"},
		{[]string{"TLS_CLIENT_CA_FILE", "/ca.crt"}, "TLS_CLIENT_CA_FILE=/ca.crt: needs TLS_CERT_FILE"},
		{[]string{"PROMETHEUS_PASSWORD", "a", "PROMETHEUS_PASSWORD_FILE", "/b"}, "PROMETHEUS_PASSWORD_FILE=/b: must not be set together"},
		{[]string{"DEFAULT_HEADROM", "1.2"}, "DEFAULT_HEADROM: unknown variable; did you mean DEFAULT_HEADROOM?"},
		{[]string{"FORECAST_METRICS_LEAD_TIMES", "5m"}, "FORECAST_METRICS_LEAD_TIMES: unknown variable"},
		{[]string{"WORKLOAD_SHOP_CHEKOUT_QUERY", "up"}, "WORKLOAD_SHOP_CHEKOUT_QUERY: unknown variable"},
		{[]string{"SOURCE", "recorded"}, "RECORDED_FILE: is required with SOURCE=recorded"},
	} {
		_, err := load(t.Context(), vars(tt.set...))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v: %v; want %q", tt.set, err, tt.want)
			continue
		}
		var coded interface{ ExitCode() int }
		if !errors.As(err, &coded) || coded.ExitCode() != 2 {
			t.Errorf("%v: the exit code is not 2", tt.set)
		}
	}
	_, err := load(t.Context(), vars("CONCURRENCY", "0", "DEFAULT_HEADROM", "1", "WORKLOAD_SHOP_SEARCH_QUANTILE", "2", "PROMETHEUS_BEARER_TOKEN", "hunter2",
		"PROMETHEUS_BEARER_TOKEN_FILE", "/token"))
	for _, name := range []string{"CONCURRENCY", "DEFAULT_HEADROM", "WORKLOAD_SHOP_SEARCH_QUANTILE", "PROMETHEUS_BEARER_TOKEN_FILE"} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("faults told: %v; want %s among them", err, name)
		}
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Error("a secret is shown")
	}
}

func TestDispatch(t *testing.T) {
	var out strings.Builder
	if err := dispatch(t.Context(), []string{"help"}, vars(), &out, &out); err != nil || !strings.Contains(out.String(), "PROMETHEUS_URL") || !strings.Contains(out.String(), "…_QUERY") {
		t.Errorf("forecaster help: %v\n%s", err, &out)
	}
	for _, want := range []string{"forecaster explain ", "CONCURRENCY=8\n", "Must be between 1 and 1024.", "…_HEADROOM=1\n", "Must be at least 1."} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("forecaster help lacks %q", want)
		}
	}
	out.Reset()
	if err := dispatch(t.Context(), []string{"-version"}, vars(), &out, &out); err != nil || !strings.HasPrefix(out.String(), "forecaster ") {
		t.Errorf("forecaster -version: %v\n%s", err, &out)
	}
	for _, args := range [][]string{
		{"forecats"},
		{"serve", "twice"},
		{"forecast"},
		{"forecast", "-horizon", "soon"},
		{"forecast", "-history", "x.csv", "-quantiles", "2"},
		{"explain"},
		{"explain", "-workload", "shop/web", "-url", "nowhere"},
		{"backtest"},
		{"backtest", "-history", "x.csv", "-workload", "shop/checkout"},
		{"backtest", "-history", "x.csv", "-quantile", "0.42"},
		{"backtest", "-workload", "shop/nobody"},
	} {
		err := dispatch(t.Context(), args, vars(), &out, &out)
		var coded interface{ ExitCode() int }
		if err == nil || !errors.As(err, &coded) || coded.ExitCode() != 2 {
			t.Errorf("forecaster %v: %v; want a usage error of exit code 2", args, err)
		}
	}
}

// A model's own settings are faults where they would be ignored.
func TestModelSettings(t *testing.T) {
	for _, tt := range []struct {
		vars []string
		want string // of the fault; blank is none
	}{
		{[]string{"DEFAULT_MODEL", "arima", "DEFAULT_ORDER", "2,1,1"}, ""},
		{[]string{"DEFAULT_MODEL", "arima", "DEFAULT_ORDER", "2,1"}, "MODEL"},
		{[]string{"DEFAULT_ORDER", "2,1,1"}, "ORDER"},
		{[]string{"DEFAULT_MODEL", "byom", "DEFAULT_BYOM_URL", "http://models:9000/forecast"}, ""},
		{[]string{"DEFAULT_MODEL", "byom"}, "BYOM_URL"},
		{[]string{"DEFAULT_BYOM_URL", "http://models:9000/forecast"}, "BYOM_URL"},
		{[]string{"DEFAULT_MODEL", "byom", "DEFAULT_BYOM_URL", "ftp://models"}, "MODEL"},
		{[]string{"DEFAULT_MODEL", "byom", "DEFAULT_BYOM_URL", "http://models", "DEFAULT_BYOM_TIMEOUT", "0s"}, "BYOM_TIMEOUT"},
	} {
		_, err := load(t.Context(), vars(tt.vars...))
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%v: %v; want a fault of %q", tt.vars, err, tt.want)
		}
	}
}

// A service that does not answer is stood in for, and the snapshot says so.
func TestByomIsStoodInFor(t *testing.T) {
	address := start(t, env.Vars{
		"WORKLOADS": "shop/checkout", "SOURCE": "recorded", "RECORDED_FILE": recording(t), "RECORDED_SPEED": "120",
		"DEFAULT_TARGET_PER_POD": "25", "DEFAULT_WINDOW": "2d", "DEFAULT_MODEL": "byom", "DEFAULT_BYOM_URL": "http://127.0.0.1:1/forecast",
	})
	if s := current(t, address); s.Model != "auto for byom" {
		t.Errorf("model %q; want auto, for byom", s.Model)
	}
}

// levelsOf is so many quantile levels, close to one another.
func levelsOf(n int) string {
	levels := []string{"0.95"}
	for i := range n - 1 {
		levels = append(levels, strconv.FormatFloat(0.95+float64(i+1)/10_000, 'f', 4, 64))
	}
	return strings.Join(levels, ",")
}
