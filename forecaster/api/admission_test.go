package api_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/kedastral/kedastral/forecaster/access"
	"github.com/kedastral/kedastral/forecaster/api"
	"github.com/kedastral/kedastral/forecaster/engine"
	"github.com/kedastral/kedastral/forecaster/history"
	"github.com/kedastral/kedastral/shared/forecast"
	"github.com/kedastral/kedastral/shared/ratelimit"
	"github.com/kedastral/kedastral/shared/telemetry"
)

// badges is a guard that believes what it is told.
type badges map[string]access.Identity

func (b badges) Identify(r *http.Request) (access.Identity, error) {
	switch badge := r.Header.Get("Authorization"); badge {
	case "":
		return access.Identity{}, fmt.Errorf("%w: no badge", access.ErrUnknown)
	case "banned":
		return access.Identity{}, fmt.Errorf("%w: banned", access.ErrForbidden)
	case "later":
		return access.Identity{}, fmt.Errorf("%w: nobody at the door", access.ErrUnverified)
	default:
		return b[badge], nil
	}
}

// two is an engine with a workload in each of two namespaces.
type two struct{}

func (two) Latest(ctx context.Context, workload string) (forecast.Snapshot, error) {
	if workload == "bank/vault" {
		s, err := answers{}.Latest(ctx, "shop/web")
		s.Workload = workload
		return s, err
	}
	return answers{}.Latest(ctx, workload)
}

func (e two) Explain(workload string, _ time.Duration) (engine.Explanation, error) {
	_, err := e.Latest(context.Background(), workload)
	return engine.Explanation{}, err
}

func (two) Workloads() []engine.Status {
	return []engine.Status{{Workload: "bank/vault", State: engine.Forecasting}, {Workload: "shop/web", State: engine.Forecasting}}
}

// past answers for whatever it is asked.
type past struct{}

func (past) Report(workload string, _ history.Query) (history.Report, error) {
	if workload != "bank/vault" && workload != "shop/web" {
		return history.Report{}, fmt.Errorf("%w: %s", forecast.ErrNotFound, workload)
	}
	return history.Report{Workload: workload}, nil
}

func guarded(t *testing.T, perSecond float64) http.Handler {
	t.Helper()
	reg := prometheus.NewRegistry()
	pace, err := ratelimit.New(perSecond)
	if err != nil {
		t.Fatal(err)
	}
	pages := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "the page, with bank/vault") })
	return api.New(api.Options{
		Engine: two{}, Past: past{}, Now: answeredAt, Log: slog.New(slog.DiscardHandler), Metrics: reg, Probes: telemetry.Handler(reg, alive, alive), Pages: pages, Pace: pace,
		Guard: badges{"shop": {Namespace: "shop"}, "nobody": {}, "admin": {All: true}},
	})
}

// Every answer about a workload of another namespace is the one about a
// workload that does not exist, and what is about all is for those alone who
// may see all.
func TestNamespacesAreApart(t *testing.T) {
	h := guarded(t, 0)
	for _, path := range []string{"/forecast/current?workload=", "/forecast/explain?workload=", "/forecast/history?workload="} {
		if w := do(h, "GET", path+"shop/web", "Authorization", "shop"); w.Code != http.StatusOK {
			t.Errorf("GET %sshop/web by shop = %d %s", path, w.Code, w.Body)
		}
		if w := do(h, "GET", path+"bank/vault", "Authorization", "admin"); w.Code != http.StatusOK {
			t.Errorf("GET %sbank/vault by an admin = %d %s", path, w.Code, w.Body)
		}
		for _, badge := range []string{"shop", "nobody"} {
			foreign := do(h, "GET", path+"bank/vault", "Authorization", badge, "X-Request-Id", "1")
			nowhere := do(h, "GET", path+"bank/vaulx", "Authorization", "admin", "X-Request-Id", "1")
			if foreign.Code != http.StatusNotFound || foreign.Body.String() != strings.ReplaceAll(nowhere.Body.String(), "vaulx", "vault") {
				t.Errorf("GET %sbank/vault by %s = %d %s; want what is said of one that does not exist: %s", path, badge, foreign.Code, foreign.Body, nowhere.Body)
			}
		}
	}
	for badge, want := range map[string][]string{"shop": {"shop/web"}, "nobody": {}, "admin": {"bank/vault", "shop/web"}} {
		var got struct{ Workloads []engine.Status }
		w := do(h, "GET", "/workloads", "Authorization", badge)
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || len(got.Workloads) != len(want) || badge == "shop" && got.Workloads[0].Workload != "shop/web" {
			t.Errorf("GET /workloads by %s = %s (%v); want %v", badge, w.Body, err, want)
		}
	}
	for _, path := range []string{"/", "/metrics", "/dashboard/workloads", "/dashboard/events", "/nowhere"} {
		for badge, want := range map[string]int{"": http.StatusUnauthorized, "shop": http.StatusForbidden, "nobody": http.StatusForbidden, "admin": http.StatusOK} {
			w := do(h, "GET", path, "Authorization", badge)
			if w.Code != want || want != http.StatusOK && strings.Contains(w.Body.String(), "vault") {
				t.Errorf("GET %s by %q = %d %.200s; want %d", path, badge, w.Code, w.Body, want)
			}
		}
	}
	for _, path := range []string{"/healthz", "/readyz", "/openapi.json"} {
		if w := do(h, "GET", path); w.Code != http.StatusOK || strings.Contains(w.Body.String(), "vault") {
			t.Errorf("GET %s by anybody = %d %.200s; want 200", path, w.Code, w.Body)
		}
	}
}

// Who is not let in learns why in a problem, and what to do about it.
func TestRefusals(t *testing.T) {
	h := guarded(t, 0)
	for badge, tt := range map[string]struct {
		status int
		header string
		reason string
	}{
		"":       {http.StatusUnauthorized, "Www-Authenticate", "unknown"},
		"banned": {http.StatusForbidden, "", "forbidden"},
		"later":  {http.StatusServiceUnavailable, "Retry-After", "unverified"},
	} {
		w := do(h, "GET", "/forecast/current?workload=shop/web", "Authorization", badge)
		if w.Code != tt.status || w.Header().Get("Content-Type") != forecast.ProblemType || tt.header != "" && w.Header().Get(tt.header) == "" {
			t.Errorf("by %q: %d %v %s; want %d with %s", badge, w.Code, w.Header(), w.Body, tt.status, tt.header)
		}
		metrics := do(h, "GET", "/metrics", "Authorization", "admin").Body.String()
		if want := fmt.Sprintf("kedastral_forecaster_http_refusals_total{reason=%q} 1", tt.reason); !strings.Contains(metrics, want) {
			t.Errorf("by %q: the metrics have no %s", badge, want)
		}
	}
}

// An address that asks without end is refused before anybody looks who it is;
// another, the probes and the admins' address answer as before.
func TestAFloodSlowsNobodyElse(t *testing.T) {
	h := guarded(t, 1)
	from := func(h http.Handler, remote, path string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("GET", path, nil)
		r.RemoteAddr = remote
		r.Header.Set("Authorization", "shop")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	const asks = "/forecast/current?workload=shop/web"
	answered := 0
	for i := range 500 {
		w := from(h, fmt.Sprintf("10.0.0.1:%d", 1000+i), asks)
		switch w.Code {
		case http.StatusOK:
			answered++
		case http.StatusTooManyRequests:
			if w.Header().Get("Retry-After") != "1" || w.Header().Get("Content-Type") != forecast.ProblemType {
				t.Fatalf("429 %v; want a problem and Retry-After", w.Header())
			}
		default:
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	if answered < 10 || answered > 15 { // ten at once, and what seconds the loop takes
		t.Errorf("%d of 500 were answered; want ten seconds' worth", answered)
	}
	for _, path := range []string{"/nowhere", "/openapi.json", "/workloads", "/metrics"} {
		if w := from(h, "10.0.0.1:1", path); w.Code != http.StatusTooManyRequests {
			t.Errorf("GET %s by the flooding address = %d; want 429", path, w.Code)
		}
	}
	for range 10 {
		if w := from(h, "10.0.0.2:1", asks); w.Code != http.StatusOK {
			t.Errorf("another address is answered %d", w.Code)
		}
	}
	if w := from(h, "10.0.0.1:1", "/healthz"); w.Code != http.StatusOK {
		t.Errorf("a probe is answered %d", w.Code)
	}
	for range 100 {
		if w := from(access.Trusted(h), "10.0.0.1:1", "/metrics"); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `refusals_total{reason="rate"}`) {
			t.Fatalf("the admins' address answers %d %.200s", w.Code, w.Body)
		}
	}
}
