package api_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/kedastral/kedastral/forecaster/adapters/recorded"
	"github.com/kedastral/kedastral/forecaster/api"
	"github.com/kedastral/kedastral/forecaster/capacity"
	"github.com/kedastral/kedastral/forecaster/engine"
	"github.com/kedastral/kedastral/forecaster/history"
	"github.com/kedastral/kedastral/forecaster/models"
	"github.com/kedastral/kedastral/forecaster/models/catalog"
	"github.com/kedastral/kedastral/forecaster/series"
	"github.com/kedastral/kedastral/forecaster/storage"
	"github.com/kedastral/kedastral/shared/clock"
	"github.com/kedastral/kedastral/shared/forecast"
	"github.com/kedastral/kedastral/shared/telemetry"
)

// real is the API over a real engine that has run: one workload forecasts, one
// is shadowed, one has a source without data.
func real(t *testing.T) http.Handler {
	t.Helper()
	first := noon.Add(-72 * time.Hour)
	var samples []series.Sample
	for i := range 72 * 60 {
		samples = append(samples, series.Sample{At: first.Add(time.Duration(i) * time.Minute), Value: 100 + 50*math.Sin(float64(i)*2*math.Pi/1440)})
	}
	workload := func(name string, now time.Time, shadow bool) engine.Workload {
		source, err := recorded.New(recorded.Options{Samples: samples, Step: time.Minute, Now: func() time.Time { return now }})
		if err != nil {
			t.Fatal(err)
		}
		return engine.Workload{
			Name: name, Metric: "requests", Source: source,
			NewModel: func() (models.Model, error) {
				return catalog.New("baseline", models.Options{Levels: []float64{0.5, 0.9, 0.95}})
			},
			Step: time.Minute, Interval: time.Minute, TrainInterval: 5 * time.Minute, Window: 48 * time.Hour, Horizon: time.Hour,
			Rules: capacity.Rules{Policy: capacity.Policy{TargetPerPod: 10, MinReplicas: 1, MaxReplicas: 12, Quantile: 0.9}, Shadow: shadow, NowcastLift: true},
		}
	}
	now, err := clock.Faster(noon.Add(-time.Minute), 1)
	if err != nil {
		t.Fatal(err)
	}
	past := history.New(24*time.Hour, 3)
	e, err := engine.New([]engine.Workload{
		workload("shop/web", noon.Add(-time.Minute), false), workload("shop/watched", noon.Add(-time.Minute), true), workload("shop/new", noon.Add(time.Hour), false),
	}, engine.Options{
		Store: past.Through(storage.NewMemory()), Clock: now, Concurrency: 4, MaxDataAge: time.Hour, TickTimeout: time.Minute,
		Elsewhere: func(workload string) error {
			if workload == "shop/away" {
				return forecast.ErrElsewhere
			}
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	run(t, e)
	reg := prometheus.NewRegistry()
	well := telemetry.Handler(reg, alive, alive)
	return api.New(api.Options{
		Engine: e, Past: history.Reporter{Recorder: past, Loads: e}, Now: now.Now, Log: slog.New(slog.DiscardHandler), Metrics: reg, Probes: well,
	})
}

// Every documented path answers as documented, and no route is undocumented.
func TestContract(t *testing.T) {
	h := real(t)
	var doc map[string]any
	body := do(h, "GET", "/openapi.json").Body.Bytes()
	if err := json.Unmarshal(body, &doc); err != nil || doc["openapi"] != "3.1.0" {
		t.Fatalf("openapi = %v (%v); want 3.1.0", doc["openapi"], err)
	}
	routes, ok := h.(chi.Routes)
	if !ok {
		t.Fatalf("the API is a %T; want one that tells its routes", h)
	}
	var known []string
	for _, route := range routes.Routes() {
		known = append(known, route.Pattern)
	}
	paths := doc["paths"].(map[string]any)
	for _, path := range known {
		if paths[path] == nil {
			t.Errorf("%s is served and not documented", path)
		}
	}
	for path := range paths {
		if !slices.Contains(known, path) {
			t.Errorf("%s is documented and not served", path)
		}
	}
	seen := make(map[string]bool)
	for _, target := range []string{
		"/forecast/current?workload=shop/web", "/forecast/current?workload=shop/watched", "/forecast/current?workload=shop/new",
		"/forecast/current?workload=shop/none", "/forecast/current?workload=shop/away", "/forecast/current?workload=shop",
		"/forecast/explain?workload=shop/web", "/forecast/explain?workload=shop/watched", "/forecast/explain?workload=shop/new",
		"/forecast/explain?workload=shop/none", "/forecast/explain?workload=shop/away", "/forecast/explain",
		"/forecast/history?workload=shop/web", "/forecast/history?workload=shop/web&window=90m&points=100", "/forecast/history?workload=shop/new",
		"/forecast/history?workload=shop/none", "/forecast/history?workload=shop/away", "/forecast/history", "/forecast/history?workload=shop/web&window=-1h",
		"/forecast/history?workload=shop/web&window=long", "/forecast/history?workload=shop/web&window=0s", "/forecast/history?workload=shop/web&points=1", "/forecast/history?workload=shop/web&points=x",
		"/forecast/history?workload=shop/web&window=9999h", "/workloads", "/openapi.json", "/healthz", "/readyz", "/metrics",
	} {
		w := do(h, "GET", target)
		path, _, _ := strings.Cut(target, "?")
		answers := at(paths, path, "get", "responses")
		answer, documented := answers[strconv.Itoa(w.Code)].(map[string]any)
		if !documented {
			t.Errorf("GET %s = %d %s; the document does not have this status", target, w.Code, w.Body)
			continue
		}
		seen[path+" "+strconv.Itoa(w.Code)] = true
		media, _, _ := strings.Cut(w.Header().Get("Content-Type"), ";")
		content, typed := answer["content"].(map[string]any)[media].(map[string]any)
		if !typed {
			t.Errorf("GET %s = %s; the document does not have this type", target, media)
			continue
		}
		if strings.HasSuffix(media, "json") {
			var got any
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
				t.Errorf("GET %s: %v", target, err)
			}
			for _, fault := range (schema{doc}).check(content["schema"].(map[string]any), got, "answer") {
				t.Errorf("GET %s: %s", target, fault)
			}
		}
	}
	for path, item := range paths {
		for status := range at(item.(map[string]any), "get", "responses") {
			unseen := slices.Contains([]string{"304", "401", "403", "429"}, status) || status == "503" && path != "/forecast/current" // other tests' affairs
			if !seen[path+" "+status] && !unseen {
				t.Errorf("GET %s = %s is documented and was not seen", path, status)
			}
		}
	}
}

func at(m map[string]any, keys ...string) map[string]any {
	for _, key := range keys {
		m, _ = m[key].(map[string]any)
	}
	return m
}

// schema checks values against the part of JSON Schema that the document uses.
type schema struct{ doc map[string]any }

func (s schema) check(want map[string]any, got any, where string) []string {
	if ref, ok := want["$ref"].(string); ok {
		return s.check(at(s.doc, strings.Split(strings.TrimPrefix(ref, "#/"), "/")...), got, where)
	}
	if kinds := list(want["type"]); len(kinds) > 0 && !slices.ContainsFunc(kinds, func(k any) bool { return is(got, k) }) {
		return []string{fmt.Sprintf("%s is %T %.60v; want %v", where, got, got, want["type"])}
	}
	if enum := list(want["enum"]); len(enum) > 0 && !slices.Contains(enum, got) {
		return []string{fmt.Sprintf("%s is %v; want one of %v", where, got, enum)}
	}
	if text, ok := got.(string); ok && want["format"] == "date-time" {
		if _, err := time.Parse(time.RFC3339Nano, text); err != nil {
			return []string{fmt.Sprintf("%s is %q; want an instant", where, text)}
		}
	}
	var faults []string
	switch v := got.(type) {
	case []any:
		items, _ := want["items"].(map[string]any)
		for i, one := range v {
			faults = append(faults, s.check(items, one, fmt.Sprintf("%s[%d]", where, i))...)
		}
	case map[string]any:
		for _, name := range list(want["required"]) {
			if _, there := v[name.(string)]; !there {
				faults = append(faults, fmt.Sprintf("%s lacks %v", where, name))
			}
		}
		for name, one := range v {
			property, known := at(want, "properties")[name].(map[string]any)
			switch {
			case known:
				faults = append(faults, s.check(property, one, where+"."+name)...)
			case want["additionalProperties"] == false:
				faults = append(faults, fmt.Sprintf("%s has %s, which is not documented", where, name))
			}
		}
	}
	return faults
}

func list(v any) []any {
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		return v
	}
	return []any{v}
}

func is(v, kind any) bool {
	switch v := v.(type) {
	case nil:
		return kind == "null"
	case string:
		return kind == "string"
	case bool:
		return kind == "boolean"
	case float64:
		return kind == "number" || kind == "integer" && v == math.Trunc(v)
	case []any:
		return kind == "array"
	}
	return kind == "object"
}

// The checker itself notices what is wrong.
func TestCheckerNotices(t *testing.T) {
	want := map[string]any{
		"type": "object", "additionalProperties": false, "required": []any{"a"},
		"properties": map[string]any{"a": map[string]any{"type": "integer"}, "b": map[string]any{"enum": []any{"x"}}},
	}
	for text, faults := range map[string]int{`{"a":1}`: 0, `{"a":1.5}`: 1, `{}`: 1, `{"a":1,"c":2}`: 1, `{"a":1,"b":"y"}`: 1, `[]`: 1} {
		var got any
		if err := json.Unmarshal([]byte(text), &got); err != nil {
			t.Fatal(err)
		}
		if found := (schema{}).check(want, got, "it"); len(found) != faults {
			t.Errorf("check(%s) = %q; want %d faults", text, found, faults)
		}
	}
}
