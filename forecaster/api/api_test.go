package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/kedastral/kedastral/forecaster/api"
	"github.com/kedastral/kedastral/forecaster/engine"
	"github.com/kedastral/kedastral/forecaster/storage/storetest"
	"github.com/kedastral/kedastral/shared/forecast"
	"github.com/kedastral/kedastral/shared/telemetry"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// answers is an engine of three workloads: one with a forecast, one without,
// and one that breaks.
type answers struct{}

func (answers) Latest(_ context.Context, workload string) (forecast.Snapshot, error) {
	switch workload {
	case "shop/web":
		return storetest.Sample("shop/web", noon, 3), nil
	case "shop/new":
		return forecast.Snapshot{}, fmt.Errorf("%w: shop/new: too little history", forecast.ErrNotReady)
	case "shop/broken":
		return forecast.Snapshot{}, errors.New("the store's password is hunter2")
	case "shop/panic":
		panic("no such index")
	}
	return forecast.Snapshot{}, fmt.Errorf("%w: %s", forecast.ErrNotFound, workload)
}

func (answers) Workloads() []engine.Status {
	return []engine.Status{{Workload: "shop/web", State: engine.Forecasting}}
}

func (a answers) Explain(workload string, lead time.Duration) (engine.Explanation, error) {
	if _, err := a.Latest(context.Background(), workload); err != nil {
		return engine.Explanation{}, err
	}
	return engine.Explanation{Summary: lead.String(), Words: []string{"3 replicas."}}, nil
}

func answeredAt() time.Time { return noon.Add(95*time.Second + 900*time.Millisecond) }

func handler(log *slog.Logger, reg *prometheus.Registry) http.Handler {
	well := func(context.Context) error { return nil }
	return api.New(api.Options{
		Engine: answers{}, Now: answeredAt,
		Log: log, Metrics: reg, Probes: telemetry.Handler(reg, well, well),
	})
}

func quiet() http.Handler { return handler(slog.New(slog.DiscardHandler), prometheus.NewRegistry()) }

func do(h http.Handler, method, target string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, nil)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestCurrent(t *testing.T) {
	w := do(quiet(), "GET", "/forecast/current?workload=shop/web")
	got, err := forecast.Decode(w.Body, forecast.MaxBytes)
	if err != nil || w.Code != http.StatusOK {
		t.Fatalf("status %d, decoding: %v", w.Code, err)
	}
	if diff := cmp.Diff(storetest.Sample("shop/web", noon, 3), got); diff != "" {
		t.Errorf("the snapshot changed on its way (-want +got):\n%s", diff)
	}
	for header, want := range map[string]string{"Age": "95", "Cache-Control": "no-cache", "Content-Type": "application/json"} {
		if got := w.Header().Get(header); got != want {
			t.Errorf("%s: %s; want %s", header, got, want)
		}
	}
}

func TestCurrentIsConditional(t *testing.T) {
	tag := do(quiet(), "GET", "/forecast/current?workload=shop/web").Header().Get("ETag")
	for condition, want := range map[string]int{
		tag:                    http.StatusNotModified,
		"W/" + tag:             http.StatusNotModified,
		`"other", ` + tag:      http.StatusNotModified,
		"*":                    http.StatusNotModified,
		`"other"`:              http.StatusOK,
		strings.Trim(tag, `"`): http.StatusOK,
	} {
		w := do(quiet(), "GET", "/forecast/current?workload=shop/web", "If-None-Match", condition)
		if w.Code != want || w.Header().Get("ETag") != tag || w.Header().Get("Age") != "95" {
			t.Errorf("If-None-Match: %s = %d, ETag %s, Age %s; want %d, with both", condition, w.Code, w.Header().Get("ETag"), w.Header().Get("Age"), want)
		}
		if want == http.StatusNotModified && w.Body.Len() > 0 {
			t.Errorf("If-None-Match: %s has a body of %d bytes; want none", condition, w.Body.Len())
		}
	}
}

func TestProblems(t *testing.T) {
	long := strings.Repeat("a", 5000)
	for _, tt := range []struct {
		method, target string
		status         int
		detail         string
	}{
		{"GET", "/forecast/current?workload=shop/other", 404, "workload not found: shop/other"},
		{"GET", "/forecast/explain?workload=shop/other", 404, "workload not found: shop/other"},
		{"GET", "/forecast/explain?workload=shop/web&lead=soon", 400, "lead=\"soon\": must be a duration"},
		{"GET", "/forecast/explain?workload=shop/web&lead=-1s", 400, "from 0s"},
		{"GET", "/forecast/explain?workload=shop/web&lead=1000h", 400, "to 1w"},
		{"GET", "/forecast/current?workload=shop/new", 503, "no forecast yet: shop/new: too little history"},
		{"GET", "/forecast/current?workload=shop/broken", 500, "log says more"},
		{"GET", "/forecast/current?workload=shop/panic", 500, "log says more"},
		{"GET", "/forecast/current", 400, "must be one"},
		{"GET", "/forecast/current?workload=shop/web&workload=shop/new", 400, "2 given"},
		{"GET", "/forecast/current?workload=%zz", 400, "cannot be read"},
		{"GET", "/forecast/current?workload=shop", 400, "NAMESPACE/NAME"},
		{"GET", "/forecast/current?workload=..%2F..%2Fetc", 400, "namespace"},
		{"GET", "/forecast/current?workload=shop%2Fweb%00", 400, "name must be"},
		{"GET", "/forecast/current?workload=shop%2Fweb%0Ainjected", 400, "name must be"},
		{"GET", "/forecast/current?workload=shop%2F%1B%5B31mweb", 400, "name must be"},
		{"GET", "/forecast/current?workload=shop%2Fw%D0%B5b", 400, "name must be"},
		{"GET", "/forecast/current?workload=shop/" + long, 400, "name must be"},
		{"GET", "/", 404, "/workloads"},
		{"GET", "/forecast", 404, "/workloads"},
		{"GET", "/forecast/current/", 404, "/workloads"},
		{"POST", "/forecast/current?workload=shop/web", 405, "only GET and HEAD"},
		{"DELETE", "/workloads", 405, "only GET and HEAD"},
		{"BREW", "/workloads", 405, "only GET and HEAD"},
		{"POST", "/healthz", 405, "only GET and HEAD"},
	} {
		w := do(quiet(), tt.method, tt.target)
		var p forecast.Problem
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
			t.Errorf("%s %.60s: body %q: %v", tt.method, tt.target, w.Body, err)
			continue
		}
		if w.Code != tt.status || p.Status != tt.status || w.Header().Get("Content-Type") != forecast.ProblemType {
			t.Errorf("%s %.60s = %d, %s, status %d in the body; want %d", tt.method, tt.target, w.Code, w.Header().Get("Content-Type"), p.Status, tt.status)
		}
		if !strings.Contains(p.Detail, tt.detail) || strings.Contains(p.Detail, "hunter2") || len(p.Detail) > 500 {
			t.Errorf("%s %.60s: detail %q; want %q, no secret, not long", tt.method, tt.target, p.Detail, tt.detail)
		}
		if p.Instance == "" || p.Instance != w.Header().Get("X-Request-Id") {
			t.Errorf("%s %.60s: instance %q, X-Request-Id %q; want one id", tt.method, tt.target, p.Instance, w.Header().Get("X-Request-Id"))
		}
		if tt.status == http.StatusMethodNotAllowed && w.Header().Get("Allow") != "GET, HEAD" {
			t.Errorf("%s %.60s: Allow %q", tt.method, tt.target, w.Header().Get("Allow"))
		}
	}
}

// A person's question: what is forecast, and why so much?
func TestWorkloadsAndExplain(t *testing.T) {
	w := do(quiet(), "GET", "/workloads")
	var list struct {
		Now       time.Time
		Workloads []engine.Status
	}
	if err := json.Unmarshal(w.Body.Bytes(), &list); err != nil || len(list.Workloads) != 1 || list.Workloads[0].Workload != "shop/web" {
		t.Errorf("GET /workloads = %s; want shop/web (%v)", w.Body, err)
	}
	var x engine.Explanation
	w = do(quiet(), "GET", "/forecast/explain?workload=shop/web")
	if err := json.Unmarshal(w.Body.Bytes(), &x); err != nil || len(x.Words) != 1 || x.Summary != "5m0s" {
		t.Errorf("GET /forecast/explain = %s; want its words, for a lead of 5m (%v)", w.Body, err)
	}
	for lead, want := range map[string]string{"90s": `"1m30s"`, "1d": `"24h0m0s"`, "1d12h": `"36h0m0s"`} { // as the settings are written
		if w = do(quiet(), "GET", "/forecast/explain?workload=shop/web&lead="+lead); !strings.Contains(w.Body.String(), want) {
			t.Errorf("GET /forecast/explain?lead=%s = %s; want it for that lead", lead, w.Body)
		}
	}
}

func TestHeadIsGetWithoutBody(t *testing.T) {
	server := httptest.NewServer(quiet())
	defer server.Close()
	for _, path := range []string{"/forecast/current?workload=shop/web", "/workloads", "/healthz", "/readyz", "/metrics"} {
		resp, err := http.Head(server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("HEAD %s = %d; want 200", path, resp.StatusCode)
		}
	}
}

func TestPagesServeTheRest(t *testing.T) {
	pages := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "a page") })
	h := api.New(api.Options{Engine: answers{}, Now: time.Now, Log: slog.New(slog.DiscardHandler), Probes: http.NotFoundHandler(), Pages: pages})
	if w := do(h, "GET", "/"); w.Body.String() != "a page" {
		t.Errorf("GET / = %q; want the page", w.Body)
	}
}

// A stranger's text reaches the log quoted, at debug only, and no metric.
func TestHostileNamesStayHarmless(t *testing.T) {
	var log bytes.Buffer
	reg := prometheus.NewRegistry()
	h := handler(slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})), reg)
	do(h, "GET", "/forecast/current?workload=shop/web", "X-Request-Id", "evil\nid")
	before, err := testutil.GatherAndCount(reg)
	if err != nil {
		t.Fatal(err)
	}
	do(h, "GET", "/forecast/current?workload=shop/w-0")
	after, err := testutil.GatherAndCount(reg)
	if err != nil {
		t.Fatal(err)
	}
	if after > before+1 {
		t.Errorf("an unknown name made %d series of %d; want one more, for its status", after, before)
	}
	for i := range 1000 {
		do(h, "GET", fmt.Sprintf("/forecast/current?workload=shop/w-%d", i))
	}
	if now, err := testutil.GatherAndCount(reg); now != after || err != nil {
		t.Errorf("a thousand unknown names made %d series of %d (%v)", now, after, err)
	}
	do(h, "GET", "/a%0Ab?workload=%1B[31m")
	for i, line := range strings.Split(strings.TrimSpace(log.String()), "\n") {
		if !json.Valid([]byte(line)) || strings.ContainsAny(line, "\x1b\r") {
			t.Errorf("line %d of the log is %q", i, line)
		}
	}
	if strings.Contains(log.String(), "evil") {
		t.Error("the log repeats a hostile request id")
	}
}

func TestMetricsLint(t *testing.T) {
	reg := prometheus.NewRegistry()
	do(handler(slog.New(slog.DiscardHandler), reg), "GET", "/workloads")
	faults, err := testutil.GatherAndLint(reg)
	if err != nil || len(faults) > 0 {
		t.Errorf("GatherAndLint = %v, %v", faults, err)
	}
}
