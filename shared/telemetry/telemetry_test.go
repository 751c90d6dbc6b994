package telemetry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/kedastral/kedastral/shared/telemetry"
)

func TestNewLogger(t *testing.T) {
	var out bytes.Buffer
	log, err := telemetry.NewLogger(&out, "json", "warn")
	if err != nil {
		t.Fatal(err)
	}
	log.InfoContext(t.Context(), "unheard")
	log.WarnContext(t.Context(), "heard", "workload", "a\nb")
	var line map[string]any
	if err := json.Unmarshal(out.Bytes(), &line); err != nil || line["msg"] != "heard" || line["workload"] != "a\nb" {
		t.Errorf("log = %s, %v; want one JSON line", out.String(), err)
	}

	out.Reset()
	if log, err = telemetry.NewLogger(&out, "text", "debug"); err != nil {
		t.Fatal(err)
	}
	log.DebugContext(t.Context(), "tick", "workload", "a\nb\x1b[31m")
	if got := out.String(); !strings.Contains(got, `level=DEBUG msg=tick workload="a\nb\x1b[31m"`) {
		t.Errorf("log = %q; want one text line", got)
	}
}

func TestNewLoggerRefusesWhatItDoesNotKnow(t *testing.T) {
	for _, tt := range []struct{ format, level, want string }{
		{"xml", "info", `log format "xml": must be text or json`},
		{"", "info", `log format "": must be text or json`},
		{"json", "INFO", `log level "INFO": must be debug, info, warn or error`},
		{"json", "", `log level "": must be debug, info, warn or error`},
	} {
		if log, err := telemetry.NewLogger(&bytes.Buffer{}, tt.format, tt.level); err == nil || err.Error() != tt.want || log != nil {
			t.Errorf("NewLogger(%q, %q) = %v; want %s", tt.format, tt.level, err, tt.want)
		}
	}
}

func TestRegistry(t *testing.T) {
	reg := telemetry.NewRegistry()
	for _, name := range []string{"kedastral_build_info", "go_goroutines", "process_open_fds"} {
		if n, err := testutil.GatherAndCount(reg, name); err != nil || n != 1 {
			t.Errorf("%s: %d series, %v; want 1", name, n, err)
		}
	}
	if problems, err := testutil.GatherAndLint(reg, "kedastral_build_info"); err != nil || len(problems) > 0 {
		t.Errorf("lint: %v, %v", problems, err)
	}
}

func TestHandler(t *testing.T) {
	well := func(context.Context) error { return nil }
	ill := func(context.Context) error { return errors.New("no forecast of \"shop/a\"\nyet") }
	panics := func(context.Context) error { panic("nil map") }
	for _, tt := range []struct {
		method, path string
		alive, ready telemetry.Check
		status       int
		body         string
	}{
		{"GET", "/healthz", well, ill, 200, `{"status":"ok"}` + "\n"},
		{"HEAD", "/healthz", well, ill, 200, `{"status":"ok"}` + "\n"},
		{"GET", "/readyz", well, ill, 503, `{"status":"failing","reason":"no forecast of \"shop/a\"\nyet"}` + "\n"},
		{"GET", "/readyz", ill, well, 200, `{"status":"ok"}` + "\n"},
		{"GET", "/healthz", panics, well, 503, `{"status":"failing","reason":"check panicked: nil map"}` + "\n"},
		{"GET", "/metrics", ill, ill, 200, "kedastral_build_info{"},
		{"POST", "/healthz", well, well, 405, "Method Not Allowed"},
		{"GET", "/", well, well, 404, "404 page not found"},
	} {
		rec := httptest.NewRecorder()
		telemetry.Handler(telemetry.NewRegistry(), tt.alive, tt.ready).ServeHTTP(rec, httptest.NewRequest(tt.method, tt.path, nil))
		if rec.Code != tt.status || !strings.Contains(rec.Body.String(), tt.body) {
			t.Errorf("%s %s = %d %.200s; want %d %s", tt.method, tt.path, rec.Code, rec.Body, tt.status, tt.body)
		}
	}
}

func TestHandlerWaitsForNoCheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stuck := func(context.Context) error { time.Sleep(time.Hour); return nil }
		rec, start := httptest.NewRecorder(), time.Now()
		telemetry.Handler(telemetry.NewRegistry(), stuck, stuck).ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/healthz", nil))
		if took := time.Since(start); rec.Code != 503 || took != time.Second || !strings.Contains(rec.Body.String(), "no answer within 1s") {
			t.Errorf("GET /healthz = %d %s after %v; want 503 after 1s", rec.Code, rec.Body, took)
		}
		time.Sleep(time.Hour) // for the check to end before the bubble does
	})
}

func TestAll(t *testing.T) {
	a, b := errors.New("a"), errors.New("b")
	check := func(err error) telemetry.Check { return func(context.Context) error { return err } }
	if err := telemetry.All(check(nil), check(a), check(b))(t.Context()); !errors.Is(err, a) || !errors.Is(err, b) {
		t.Errorf("All = %v; want a and b", err)
	}
	if err := telemetry.All(check(nil), check(nil))(t.Context()); err != nil {
		t.Errorf("All = %v; want nil", err)
	}
}

func TestHeartbeat(t *testing.T) {
	now := time.Unix(1000, 0)
	h := telemetry.NewHeartbeat("engine", time.Minute, func() time.Time { return now })
	for _, tt := range []struct {
		after time.Duration
		beat  bool
		want  string
	}{
		{time.Minute, false, ""}, // it beat when it was made
		{time.Second, false, "engine: last turned 1m1s ago, must turn every 1m0s"},
		{0, true, ""},
		{time.Minute, true, ""},
		{time.Minute, false, ""},
		{time.Hour, false, "engine: last turned 1h1m0s ago, must turn every 1m0s"},
		{-9 * time.Hour, false, ""}, // a clock set back kills nobody
	} {
		now = now.Add(tt.after)
		if tt.beat {
			h.Beat()
		}
		got := ""
		if err := h.Check(t.Context()); err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%v later, beat %t: Check = %q; want %q", tt.after, tt.beat, got, tt.want)
		}
	}
}
