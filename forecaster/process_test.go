package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kedastral/kedastral/shared/env"
	"github.com/kedastral/kedastral/shared/shard"
	"github.com/kedastral/kedastral/shared/telemetry/logtest"
	"github.com/kedastral/kedastral/shared/tlsconfig/tlstest"
)

// listening runs the whole process until the test ends and returns its
// address and log, ready or not.
func listening(t *testing.T, vars env.Vars) (string, *logtest.Log) {
	t.Helper()
	vars["HTTP_ADDR"] = "127.0.0.1:0"
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
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if found := regexp.MustCompile(`"?http"?[=:]"?(127\.0\.0\.1:\d+)`).FindStringSubmatch(log.String()); found != nil {
			return found[1], &log
		}
	}
	t.Fatalf("does not listen; the log says:\n%s", log.String())
	return "", nil
}

// light is a configuration that is quick to forecast by.
func light(source string, more ...string) env.Vars {
	v := env.Vars{
		"WORKLOADS": "shop/checkout", "PROMETHEUS_URL": source, "DEFAULT_QUERY": "load", "DEFAULT_TARGET_PER_POD": "25",
		"DEFAULT_MODEL": "naive", "DEFAULT_WINDOW": "3h", "SCRAPE_INTERVAL": "1s", "FORECASTER_AUTH": "none",
	}
	for i := 0; i+1 < len(more); i += 2 {
		v[more[i]] = more[i+1]
	}
	return v
}

// lagging answers as Prometheus does, without the newest minutes.
func lagging(t *testing.T, by time.Duration) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		if end := strconv.FormatInt(time.Now().Add(-by).Unix(), 10); r.Form.Get("end") > end {
			r.Form.Set("end", end)
		}
		answerRange(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestMaxDataAgeHasItsEffect(t *testing.T) {
	for age, want := range map[string]int{"3m": http.StatusServiceUnavailable, "15m": http.StatusOK} {
		address, _ := listening(t, light(lagging(t, 5*time.Minute), "MAX_DATA_AGE", age))
		status, body := 0, ""
		for end := time.Now().Add(5 * time.Second); time.Now().Before(end) && (status == 0 || strings.Contains(body, "warm start has not")); time.Sleep(50 * time.Millisecond) {
			status, body = get(t, "http://"+address+"/forecast/current?workload=shop/checkout")
		}
		if status != want || want != http.StatusOK && !strings.Contains(body, "MAX_DATA_AGE=3m") {
			t.Errorf("MAX_DATA_AGE=%s with data of five minutes ago: %d %.300s; want %d", age, status, body, want)
		}
	}
}

func TestConcurrencyHasItsEffect(t *testing.T) {
	var busy, most atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n := busy.Add(1); n > most.Load() {
			most.Store(n)
		}
		defer busy.Add(-1)
		time.Sleep(50 * time.Millisecond)
		answerRange(w, r)
	}))
	defer server.Close()
	start(t, light(server.URL, "WORKLOADS", "shop/a,shop/b,shop/c,shop/d", "CONCURRENCY", "1"))
	if most.Load() != 1 {
		t.Errorf("CONCURRENCY=1: %d read at a time", most.Load())
	}
}

func TestMaxConnectionsHasItsEffect(t *testing.T) {
	address, _ := listening(t, light(lagging(t, 0), "MAX_CONNECTIONS", "2"))
	first, err := net.Dial("tcp", address) //nolint:noctx // the test's end closes it
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = first.Close() }()
	time.Sleep(50 * time.Millisecond)
	second, err := net.Dial("tcp", address) //nolint:noctx // as above
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = second.Close() }()
	_ = second.SetDeadline(time.Now().Add(3 * time.Second))
	if _, err := second.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("MAX_CONNECTIONS=2: the second connection of one peer is kept (%v); want it closed", err)
	}
}

func TestLogSettingsHaveTheirEffect(t *testing.T) {
	for _, tt := range []struct {
		format, level, begins string
		debug                 bool
	}{
		{"json", "debug", "{", true},
		{"text", "info", "time=", false},
	} {
		address, log := listening(t, light(lagging(t, 0), "LOG_FORMAT", tt.format, "LOG_LEVEL", tt.level))
		get(t, "http://"+address+"/workloads")
		time.Sleep(50 * time.Millisecond)
		if text := log.String(); !strings.HasPrefix(text, tt.begins) || strings.Contains(text, "DEBUG") != tt.debug {
			t.Errorf("LOG_FORMAT=%s LOG_LEVEL=%s:\n%s", tt.format, tt.level, text)
		}
	}
}

// The API over TLS is for those who trust its certificate, and with a client
// authority for those who have one of its.
func TestServerTLSSettingsHaveTheirEffect(t *testing.T) {
	ours := tlstest.NewAuthority(t, "ours", time.Hour)
	files := tlstest.NewDir(t, ours, ours, tlstest.Server("forecaster"))
	cert, private := files.Path("tls.crt"), files.Path("tls.key")
	anyone, _ := listening(t, light(lagging(t, 0), "TLS_CERT_FILE", cert, "TLS_KEY_FILE", private))
	known, _ := listening(t, light(lagging(t, 0), "TLS_CERT_FILE", cert, "TLS_KEY_FILE", private, "TLS_CLIENT_CA_FILE", files.Path("ca.crt")))
	for _, tt := range []struct {
		url          string
		certificates []tls.Certificate
		answered     bool
	}{
		{"https://" + anyone, nil, true},
		{"http://" + anyone, nil, false},
		{"https://" + known, nil, false},
		{"https://" + known, []tls.Certificate{ours.Certificate(t, tlstest.Client("scaler"))}, true},
		{"https://" + known, []tls.Certificate{ours.Certificate(t, tlstest.Server("forecaster"))}, false}, // a server's certificate is no client's
	} {
		client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{
			MinVersion: tls.VersionTLS12, RootCAs: ours.Pool(), ServerName: "forecaster", Certificates: tt.certificates,
		}}}
		resp, err := client.Get(tt.url + "/healthz") //nolint:noctx // it has a timeout
		answered := err == nil && resp.StatusCode == http.StatusOK
		if err == nil {
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
		client.CloseIdleConnections()
		if answered != tt.answered {
			t.Errorf("GET %s with %d certificates: %v; want answered %t", tt.url, len(tt.certificates), err, tt.answered)
		}
	}
}

// A step is asked for SCRAPE_INTERVAL after it ended, and not before.
func TestScrapeIntervalHasItsEffect(t *testing.T) {
	ends := make(chan time.Duration, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if end, err := strconv.ParseFloat(r.FormValue("end"), 64); err == nil {
			ends <- time.Since(time.UnixMilli(int64(end * 1000)))
		}
		answerRange(w, r)
	}))
	defer server.Close()
	address := start(t, light(server.URL, "SCRAPE_INTERVAL", "7m"))
	if ago := time.Since(current(t, address).GeneratedAt); ago < 7*time.Minute || ago > 9*time.Minute {
		t.Errorf("SCRAPE_INTERVAL=7m: a forecast from %v ago; want one from the newest step that is complete", ago)
	}
	if ago := <-ends; ago < 7*time.Minute || ago > 9*time.Minute { // to a step's end, and a little for not all at once
		t.Errorf("SCRAPE_INTERVAL=7m: asked up to %v ago; want the step that ended that long ago", ago)
	}
}

// What was published is remembered for as long as HISTORY says.
func TestHistoryHasItsEffect(t *testing.T) {
	remembered := func(address string) (known int) {
		var past struct {
			Leads []struct{ Replicas []*float64 }
		}
		status, body := get(t, "http://"+address+"/forecast/history?workload=shop/checkout")
		if err := json.Unmarshal([]byte(body), &past); status != http.StatusOK && status != http.StatusServiceUnavailable || err != nil {
			t.Errorf("%d %v: %s", status, err, body)
		}
		for _, lead := range past.Leads[:min(1, len(past.Leads))] {
			for _, n := range lead.Replicas {
				if n != nil {
					known++
				}
			}
		}
		return known
	}
	replay := func(keep string) string {
		address, _ := listening(t, light("http://127.0.0.1:1", "HISTORY", keep, "SOURCE", "recorded", "RECORDED_FILE", recording(t), "RECORDED_SPEED", "1200"))
		return address
	}
	long, short, none := replay("1d"), replay("10m"), replay("0")
	wait(t, func() bool { return remembered(long) > 60 }) // three seconds later
	if n := remembered(short); n < 5 || n > 25 {
		t.Errorf("HISTORY=10m: %d minutes are remembered; want about ten", n)
	}
	if n := remembered(none); n > 1 {
		t.Errorf("HISTORY=0: %d minutes are remembered; want none", n)
	}
}

// With SHARD_COUNT a process computes its own workloads and says where the
// others are.
func TestShardCountHasItsEffect(t *testing.T) {
	names := []string{"shop/a", "shop/b", "shop/c", "shop/d", "shop/e", "shop/f"}
	address := start(t, light(lagging(t, 0), "WORKLOADS", strings.Join(names, ","), "SHARD_COUNT", "5", "HOSTNAME", "forecaster-3"))
	own, others := 0, 0
	for _, name := range names {
		want := http.StatusMisdirectedRequest
		if shard.Computes(name, 3, 5) {
			want = http.StatusOK
			own++
		} else {
			others++
		}
		if status, body := get(t, address+"/forecast/current?workload="+name); status != want {
			t.Errorf("%s: %d %.200s; want %d", name, status, body, want)
		}
	}
	if own == 0 || others == 0 {
		t.Fatalf("%d workloads of its own and %d of others; want some of both", own, others)
	}
}
