package main

import (
	"context"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kedastral/kedastral/shared/env"
	"github.com/kedastral/kedastral/shared/telemetry/logtest"
)

// TestSecretsStaySecret gives the forecaster every secret it can be given, a
// Prometheus that repeats them all, and looks for them in the log at the most
// talkative level and in every answer, while the reads succeed and while they
// fail.
func TestSecretsStaySecret(t *testing.T) {
	const secret = "hunter2secret"
	for name, more := range map[string]env.Vars{
		"token":    {"PROMETHEUS_BEARER_TOKEN": secret},
		"password": {"PROMETHEUS_USERNAME": "me", "PROMETHEUS_PASSWORD": secret},
		"header":   {"PROMETHEUS_HEADERS": "X-Scope-OrgID:" + secret},
		"query":    {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var leaky atomic.Bool
			prometheus := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if leaky.Load() {
					user, password, _ := r.BasicAuth()
					w.Header().Set("Content-Type", "application/json")
					w.WriteHeader(http.StatusUnprocessableEntity)
					_, _ = io.WriteString(w, `{"status":"error","errorType":"execution","error":"in `+strings.ReplaceAll(r.FormValue("query"), `"`, `\"`)+
						` for `+user+password+r.Header.Get("Authorization")+r.Header.Get("X-Scope-OrgID")+`"}`)
					return
				}
				answerRange(w, r)
			}))
			defer prometheus.Close()
			v := env.Vars{
				"WORKLOADS": "shop/checkout", "PROMETHEUS_URL": prometheus.URL, "SCRAPE_INTERVAL": "0s", "HTTP_ADDR": "127.0.0.1:0",
				"DEFAULT_QUERY": `sum(rate(` + secret + `_total{key="` + secret + `"}[1m]))`, "DEFAULT_STEP": "1s", "DEFAULT_MODEL": "naive",
				"DEFAULT_TARGET_PER_POD": "25", "DEFAULT_WINDOW": "10m", "DEFAULT_HORIZON": "1m", "LOG_LEVEL": "debug",
				"FORECASTER_AUTH": "none",
			}
			maps.Copy(v, more)
			ctx, stop := context.WithCancel(t.Context())
			var log logtest.Log
			ended := make(chan error, 1)
			go func() { ended <- run(ctx, v, &log) }()
			address := regexp.MustCompile(`http=(127\.0\.0\.1:\d+)`)
			var out strings.Builder
			look := func() {
				found := address.FindStringSubmatch(log.String())
				if found == nil {
					t.Fatalf("not listening: %s", log.String())
				}
				for _, path := range []string{"/workloads", "/forecast/current?workload=shop/checkout", "/forecast/explain?workload=shop/checkout", "/metrics", "/readyz", "/healthz"} {
					_, body := get(t, "http://"+found[1]+path)
					out.WriteString(body)
				}
			}
			wait(t, func() bool { return strings.Contains(log.String(), "msg=tick") && address.MatchString(log.String()) })
			time.Sleep(2 * time.Second)
			look()
			leaky.Store(true)
			wait(t, func() bool { return strings.Contains(log.String(), "tick failed") })
			look()
			stop()
			if err := <-ended; err != nil {
				t.Errorf("run = %v", err)
			}
			if !strings.Contains(out.String(), "refuses the query") {
				t.Errorf("no answer tells the fault, so nothing was tried:\n%s", out.String())
			}
			for where, text := range map[string]string{"the log": log.String(), "an answer": out.String()} {
				if i := strings.Index(text, secret); i >= 0 {
					t.Errorf("%s shows the secret: …%s…", where, text[max(0, i-200):min(len(text), i+60)])
				}
			}
		})
	}
}

// TestSecretsInWrongSettings: what is refused is told without what is secret.
func TestSecretsInWrongSettings(t *testing.T) {
	const secret = "hunter2secret"
	for _, set := range [][]string{
		{"PROMETHEUS_URL", "http://me:" + secret + "@prometheus:port"},
		{"PROMETHEUS_URL", "ftp://me:" + secret + "@prometheus"},
		{"PROMETHEUS_HEADERS", secret},
		{"PROMETHEUS_HEADERS", "Bad Name:" + secret},
		{"PROMETHEUS_HEADERS", "X-A:" + secret + "\n"},
		{"PROMETHEUS_BEARER_TOKEN", secret, "PROMETHEUS_BEARER_TOKEN_FILE", "/none"},
		{"PROMETHEUS_BEARER_TOKEN", secret, "PROMETHEUS_USERNAME", "me", "PROMETHEUS_PASSWORD", secret},
		{"PROMETHEUS_PASSWORD", secret},
		{"PROMETHEUS_BEARER_TOKN", secret},
	} {
		ctx, stop := context.WithCancel(t.Context())
		stop() // what is not refused ends at once
		var log logtest.Log
		err := run(ctx, vars(append(set, "HTTP_ADDR", "127.0.0.1:0")...), &log)
		if err == nil && set[0] != "PROMETHEUS_HEADERS" {
			t.Errorf("%v: accepted", set)
		}
		if err != nil && strings.Contains(err.Error(), secret) || strings.Contains(log.String(), secret) {
			t.Errorf("%v: %v\n%s", set, err, log.String())
		}
	}
}

func wait(t *testing.T, until func() bool) {
	t.Helper()
	for range 1000 {
		if until() {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatal("nothing happened for 20 s")
}

// TestServedMetricsAreDocumented: whatever the running process serves under our
// name is in the document.
func TestServedMetricsAreDocumented(t *testing.T) {
	document, err := os.ReadFile("../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	prometheus := httptest.NewServer(http.HandlerFunc(answerRange))
	defer prometheus.Close()
	address := start(t, env.Vars{
		"WORKLOADS": "shop/checkout", "PROMETHEUS_URL": prometheus.URL, "SCRAPE_INTERVAL": "1s",
		"DEFAULT_QUERY": "sum(rate(requests_total[1m]))", "DEFAULT_TARGET_PER_POD": "25", "DEFAULT_WINDOW": "2d",
	})
	current(t, address)
	_, text := get(t, address+"/metrics")
	for _, name := range regexp.MustCompile(`(?m)^# TYPE (kedastral_\w+)`).FindAllStringSubmatch(text, -1) {
		if !strings.Contains(string(document), "`"+name[1]+"`") {
			t.Errorf("%s is served and not documented", name[1])
		}
	}
	for _, moved := range []string{
		`coverage_ratio\{level="0.9",workload="shop/checkout"\} `,
		`data_timestamp_seconds\{workload="shop/checkout"\} [1-9]`,
		`desired_replicas\{workload="shop/checkout"\} [1-9]`,
		`desired_replicas_peak\{workload="shop/checkout"\} [1-9]`,
		`mode\{mode="(predictive|reactive)",workload="shop/checkout"\} 1`,
		`observed_value\{workload="shop/checkout"\} [1-9]`,
		`prometheus_request_duration_seconds_count [1-9]`,
		`prometheus_requests_total\{outcome="ok"\} [1-9]`,
		`snapshot_generated_timestamp_seconds\{workload="shop/checkout"\} [1-9]`,
		`stage_duration_seconds_count\{stage="collect"\} [1-9]`,
		`stage_duration_seconds_count\{stage="train"\} [1-9]`,
		`stage_duration_seconds_count\{stage="predict"\} [1-9]`,
		`stage_duration_seconds_count\{stage="plan"\} [1-9]`,
		`workloads\{state="forecasting"\} 1`,
	} {
		if !regexp.MustCompile(`(?m)^kedastral_forecaster_` + moved).MatchString(text) {
			t.Errorf("/metrics has no kedastral_forecaster_%s", moved)
		}
	}
}
