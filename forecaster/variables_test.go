package main

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/kedastral/kedastral/shared/env"
	"github.com/kedastral/kedastral/shared/tlsconfig"
)

// effect is all that the engine is told of a workload, but its source.
func effect(t *testing.T, more ...string) string {
	t.Helper()
	s, err := load(t.Context(), vars(append([]string{"WORKLOADS", "shop/search", "WORKLOAD_SHOP_CHECKOUT_QUERY", "", "WORKLOAD_SHOP_CHECKOUT_MAX_REPLICAS", ""}, more...)...))
	if err != nil {
		t.Fatalf("%v: %v", more, err)
	}
	w := s.workloads[0]
	plain, err := w.plain(nil)
	if err != nil {
		t.Fatalf("%v: %v", more, err)
	}
	model, err := plain.NewModel()
	if err != nil {
		t.Fatalf("%v: %v", more, err)
	}
	return fmt.Sprintf("metric:%s step:%v interval:%v train:%v check:%v window:%v horizon:%v zone:%v rules:%+v options:%+v model:%T %s",
		plain.Metric, plain.Step, plain.Interval, plain.TrainInterval, plain.CheckInterval, plain.Window, plain.Horizon, plain.Calendar.Location,
		plain.Rules, w.options(), model, model.Name())
}

// Every variable of a workload changes what the engine is told, as named here;
// a variable that is missing from the table fails the test.
func TestEveryVariableOfAWorkloadCounts(t *testing.T) {
	inSources := map[string]bool{"QUERY": true, "AGGREGATE": true, "RECORDED_FILE": true} // TestSourceVariables
	plain := effect(t)
	tried := map[string]bool{}
	for _, tt := range []struct {
		set  []string
		want string
	}{
		{[]string{"METRIC", "rps"}, "metric:rps "},
		{[]string{"TARGET_PER_POD", "7"}, "TargetPerPod:7 "},
		{[]string{"MIN_REPLICAS", "3"}, "MinReplicas:3 "},
		{[]string{"MAX_REPLICAS", "33"}, "MaxReplicas:33 "},
		{[]string{"QUANTILE", "0.9"}, "Quantile:0.9}"},
		{[]string{"HEADROOM", "1.5"}, "Headroom:1.5 "},
		{[]string{"UP_MAX_FACTOR_PER_STEP", "2"}, "UpMaxFactorPerStep:2 "},
		{[]string{"DOWN_MAX_PERCENT_PER_STEP", "20"}, "DownMaxPercentPerStep:20 "},
		{[]string{"PREWARM_WINDOW_STEPS", "4"}, "PrewarmWindowSteps:4 "},
		{[]string{"REACTIVE_FLOOR", "false"}, "NoFloor:true"},
		{[]string{"NOWCAST_LIFT", "true"}, "NowcastLift:true"},
		{[]string{"SHADOW", "true"}, "Shadow:true"},
		{[]string{"HPA_TOLERANCE", "0.1"}, "Tolerance:0.1"},
		{[]string{"MODEL", "naive"}, " naive"},
		{[]string{"ORDER", "1,1,1", "MODEL", "arima"}, "Order:1,1,1"},
		{[]string{"BYOM_URL", "http://m:1", "MODEL", "byom", "BYOM_TOKEN", "t0k", "BYOM_TIMEOUT", "3s"}, "URL:http://m:1"},
		{[]string{"BYOM_TOKEN", "t0k", "BYOM_URL", "http://m:1", "MODEL", "byom"}, "Token:t0k"},
		{[]string{"BYOM_TIMEOUT", "3s", "BYOM_URL", "http://m:1", "MODEL", "byom"}, "Timeout:3s"},
		{[]string{"QUANTILES", "0.5,0.8"}, "[0.5 0.8 0.95]"},
		{[]string{"STEP", "2m"}, "step:2m0s "},
		{[]string{"WINDOW", "3d"}, "window:72h0m0s "},
		{[]string{"HORIZON", "2h"}, "horizon:2h0m0s "},
		{[]string{"INTERVAL", "3m"}, "interval:3m0s "},
		{[]string{"TRAIN_INTERVAL", "1h"}, "train:1h0m0s "},
		{[]string{"TRAIN_CHECK_INTERVAL", "2m"}, "check:2m0s "},
		{[]string{"TIMEZONE", "Europe/Berlin"}, "zone:Europe/Berlin "},
		{[]string{"HOLIDAYS", "DE"}, "model:"},
		{[]string{"EVENTS", "2026-11-27/2026-11-28 x2"}, "model:"},
	} {
		set := make([]string, len(tt.set))
		for i, s := range tt.set {
			if set[i] = s; i%2 == 0 {
				set[i] = "DEFAULT_" + s
			}
		}
		tried[tt.set[0]] = true
		if got := effect(t, set...); got == plain || !strings.Contains(got, tt.want) || strings.Contains(plain, tt.want) && tt.want != "model:" {
			t.Errorf("%v: the engine is told\n%s\nas without it; want %q\n%s", tt.set, got, tt.want, plain)
		}
	}
	for _, name := range env.Names(workload{}) {
		if !tried[name] && !inSources[name] {
			t.Errorf("nothing shows that %s counts", name)
		}
	}
}

// What is set about Prometheus reaches it.
func TestSourceVariables(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("from-file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		set  []string
		want func(*http.Request) string
		is   string
	}{
		{[]string{"WORKLOAD_SHOP_CHECKOUT_QUERY", "up"}, func(r *http.Request) string { return r.FormValue("query") }, "up"},
		{[]string{"WORKLOAD_SHOP_CHECKOUT_QUERY", "up", "DEFAULT_AGGREGATE", "sum"}, func(r *http.Request) string { return r.FormValue("query") }, "sum(\nup\n)"},
		{[]string{"PROMETHEUS_BEARER_TOKEN", "abc"}, header("Authorization"), "Bearer abc"},
		{[]string{"PROMETHEUS_BEARER_TOKEN_FILE", secret}, header("Authorization"), "Bearer from-file"},
		{[]string{"PROMETHEUS_USERNAME", "me", "PROMETHEUS_PASSWORD", "abc"}, header("Authorization"), "Basic bWU6YWJj"},
		{[]string{"PROMETHEUS_USERNAME", "me", "PROMETHEUS_PASSWORD_FILE", secret}, header("Authorization"), "Basic bWU6ZnJvbS1maWxl"},
		{[]string{"PROMETHEUS_HEADERS", "X-Scope-OrgID:team-a"}, header("X-Scope-Orgid"), "team-a"},
		{[]string{"DEFAULT_STEP", "2m"}, func(r *http.Request) string { return r.FormValue("step") }, "120"},
	} {
		var got string
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			got = tt.want(r)
			answerRange(w, r)
		}))
		s, err := load(t.Context(), vars(append([]string{"PROMETHEUS_URL", server.URL}, tt.set...)...))
		if err != nil {
			t.Fatalf("%v: %v", tt.set, err)
		}
		_, workloads, err := open(s, prometheus.NewRegistry(), slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatalf("%v: %v", tt.set, err)
		}
		if _, err := workloads[0].Source.Collect(t.Context(), 3600); err != nil || got != tt.is {
			t.Errorf("%v: Prometheus is asked with %q, %v; want %q", tt.set, got, err, tt.is)
		}
		server.Close()
	}
}

func header(name string) func(*http.Request) string {
	return func(r *http.Request) string { return r.Header.Get(name) }
}

// The timeout counts, and each file goes where it belongs.
func TestOtherVariables(t *testing.T) {
	hung := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-time.After(2 * time.Second):
		}
	}))
	defer hung.Close()
	collect := func(more ...string) error {
		s, err := load(t.Context(), vars(more...))
		if err != nil {
			t.Fatal(err)
		}
		_, workloads, err := open(s, prometheus.NewRegistry(), slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		_, err = workloads[0].Source.Collect(t.Context(), 3600)
		return err
	}
	began := time.Now()
	if err := collect("PROMETHEUS_URL", hung.URL, "PROMETHEUS_TIMEOUT", "200ms"); err == nil || time.Since(began) > 1500*time.Millisecond {
		t.Errorf("PROMETHEUS_TIMEOUT=200ms: %v after %v", err, time.Since(began))
	}
	s, err := load(t.Context(), vars("TLS_CERT_FILE", "/c", "TLS_KEY_FILE", "/k", "TLS_CLIENT_CA_FILE", "/a",
		"PROMETHEUS_CERT_FILE", "/pc", "PROMETHEUS_KEY_FILE", "/pk", "PROMETHEUS_CA_FILE", "/pa", "SCRAPE_INTERVAL", "33s"))
	if err != nil {
		t.Fatal(err)
	}
	if got := s.serverFiles(); got != (tlsconfig.Files{Cert: "/c", Key: "/k", CA: "/a"}) {
		t.Errorf("files of the API = %+v", got)
	}
	if got := s.prometheusFiles(); got != (tlsconfig.Files{Cert: "/pc", Key: "/pk", CA: "/pa"}) {
		t.Errorf("files for Prometheus = %+v", got)
	}
	if got := s.settle(); got != 33*time.Second {
		t.Errorf("settle = %v; want SCRAPE_INTERVAL", got)
	}
}
