package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/kedastral/kedastral/forecaster/engine"
	"github.com/kedastral/kedastral/shared/env"
	"github.com/kedastral/kedastral/shared/forecast"
	"github.com/kedastral/kedastral/shared/telemetry/logtest"
)

// start runs the whole process until the test ends and returns its address
// once it is ready.
func start(t *testing.T, vars env.Vars) string {
	t.Helper()
	vars["HTTP_ADDR"] = "127.0.0.1:0"
	vars["FORECASTER_AUTH"] = "none"
	ctx, stop := context.WithCancel(t.Context())
	var log logtest.Log
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, vars, &log) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("run = %v", err)
		}
	})
	address := regexp.MustCompile(`http=(127\.0\.0\.1:\d+)`)
	for range 600 {
		if found := address.FindStringSubmatch(log.String()); found != nil {
			if status, _ := get(t, "http://"+found[1]+"/readyz"); status == http.StatusOK {
				return "http://" + found[1]
			}
		}
		select {
		case err := <-ended:
			ended <- nil
			t.Fatalf("run ended early: %v", err)
		case <-time.After(50 * time.Millisecond):
		}
	}
	t.Fatalf("not ready; the log says:\n%s", log.String())
	return ""
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// wave is a load of 100 to 300 with a day of 24 hours and a little unrest.
func wave(at time.Time) float64 {
	minute := at.Unix() / 60
	hour := float64(minute%1440) / 60
	rise := max(0, 1-abs(hour-14)/8)
	return 100 + 200*rise + float64(minute*7919%23)
}

func abs(v float64) float64 { return max(v, -v) }

// recording writes three days of wave and says where.
func recording(t *testing.T) string {
	t.Helper()
	var csv strings.Builder
	csv.WriteString("timestamp,value\n")
	first := time.Date(2024, 3, 4, 0, 0, 0, 0, time.UTC)
	for i := range 3 * 1440 {
		at := first.Add(time.Duration(i) * time.Minute)
		fmt.Fprintf(&csv, "%d,%g\n", at.Unix(), wave(at))
	}
	name := filepath.Join(t.TempDir(), "load.csv")
	if err := os.WriteFile(name, []byte(csv.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// The whole process replays a recording fast: it becomes ready, publishes,
// explains, and moves on.
func TestRunReplaysARecording(t *testing.T) {
	address := start(t, env.Vars{
		"WORKLOADS": "shop/checkout", "SOURCE": "recorded", "RECORDED_FILE": recording(t), "RECORDED_SPEED": "120",
		"DEFAULT_TARGET_PER_POD": "25", "DEFAULT_WINDOW": "2d", "LOG_LEVEL": "debug",
	})
	s := current(t, address)
	if begin := time.Date(2024, 3, 6, 0, 0, 0, 0, time.UTC); s.GeneratedAt.Before(begin) || s.GeneratedAt.After(begin.Add(2*time.Hour)) {
		t.Errorf("GeneratedAt = %v; want soon after the first full window, %v", s.GeneratedAt, begin)
	}
	if s.StepSeconds != 60 || len(s.Values) != 60 || s.Observed == nil || s.Skill == nil {
		t.Errorf("snapshot %+v; want an hour of minutes, an observation and a skill", s)
	}
	var x engine.Explanation
	status, body := get(t, address+"/forecast/explain?workload=shop/checkout")
	if err := json.Unmarshal([]byte(body), &x); err != nil || status != http.StatusOK || len(x.Words) < 3 || len(x.Plan.Steps) != 60 {
		t.Errorf("explain = %d %s (%v)", status, body, err)
	}
	var told logtest.Log
	if err := dispatch(t.Context(), []string{"explain", "-workload", "shop/checkout", "-url", address, "-lead", "10m"}, nil, &told, &told); err != nil ||
		!strings.Contains(told.String(), "shop/checkout: ") || !strings.Contains(told.String(), "for a lead time of 10m") || !strings.Contains(told.String(), "  Gate ") {
		t.Errorf("forecaster explain printed %s (%v)", told.String(), err)
	}
	for range 200 {
		if later := current(t, address); later.GeneratedAt.After(s.GeneratedAt) {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Errorf("no forecast after the one of %v", s.GeneratedAt)
}

func current(t *testing.T, address string) forecast.Snapshot {
	t.Helper()
	status, body := get(t, address+"/forecast/current?workload=shop/checkout")
	s, err := forecast.Decode(strings.NewReader(body), forecast.MaxBytes)
	if err != nil {
		t.Fatalf("status %d: %v: %s", status, err, body)
	}
	return s
}

// Two processes over one Prometheus publish the same bytes, and the metrics
// name the workload, its skill and its state.
func TestRunReadsPrometheus(t *testing.T) {
	prometheus := httptest.NewServer(http.HandlerFunc(answerRange))
	defer prometheus.Close()
	vars := func() env.Vars {
		return env.Vars{
			"WORKLOADS": "shop/checkout", "PROMETHEUS_URL": prometheus.URL, "SCRAPE_INTERVAL": "1s",
			"DEFAULT_QUERY": "sum(rate(requests_total[1m]))", "DEFAULT_TARGET_PER_POD": "25", "DEFAULT_WINDOW": "2d",
		}
	}
	one, other := start(t, vars()), start(t, vars())
	a, b := current(t, one), current(t, other)
	if a.GeneratedAt.Equal(b.GeneratedAt) { // or a minute passed between the two
		first, _ := forecast.Encode(a)
		second, _ := forecast.Encode(b)
		if !bytes.Equal(first, second) {
			t.Errorf("two processes differ:\n%s\n%s", first, second)
		}
	}
	_, metrics := get(t, one+"/metrics")
	for _, want := range []string{
		`kedastral_forecaster_workloads{state="forecasting"} 1`,
		`kedastral_forecaster_source_up{workload="shop/checkout"} 1`,
		`kedastral_forecaster_skill{over="last_value",workload="shop/checkout"}`,
		`kedastral_forecaster_predicted_value{level="0.9",workload="shop/checkout"}`,
		`kedastral_forecaster_http_request_duration_seconds_count{code="200",route="/forecast/current"} 1`,
	} {
		if !strings.Contains(metrics, want) {
			t.Errorf("/metrics has no %s", want)
		}
	}
}

// answerRange answers a range query as Prometheus does: the value at t is of
// the step that ended then.
func answerRange(w http.ResponseWriter, r *http.Request) {
	number := func(name string) float64 {
		v, err := strconv.ParseFloat(r.FormValue(name), 64)
		if err != nil {
			http.Error(w, name, http.StatusBadRequest)
		}
		return v
	}
	var samples []string
	for at, end, step := number("start"), number("end"), number("step"); at <= end && step > 0; at += step {
		samples = append(samples, fmt.Sprintf(`[%.0f,"%g"]`, at, wave(time.Unix(int64(at-step), 0))))
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[%s]}]}}`, strings.Join(samples, ","))
}

func TestRunRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		vars env.Vars
		want string
	}{
		"nothing configured":  {env.Vars{}, "WORKLOADS: "},
		"a missing recording": {vars("SOURCE", "recorded", "RECORDED_FILE", "/none.csv"), "RECORDED_FILE=/none.csv: "},
		"a broken address":    {vars("PROMETHEUS_URL", "ftp://x"), "must be http or https"},
		"a busy port":         {vars("HTTP_ADDR", "256.0.0.1:1"), "HTTP_ADDR: "},
		"missing TLS files":   {vars("TLS_CERT_FILE", "/none.crt", "TLS_KEY_FILE", "/none.key"), "TLS for the API"},
	} {
		err := run(t.Context(), tt.vars, io.Discard)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v; want %q", name, err, tt.want)
		}
	}
}
