package client_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/kedastral/kedastral/scaler/client"
	"github.com/kedastral/kedastral/shared/forecast"
	"github.com/kedastral/kedastral/shared/telemetry/logtest"
)

// sample is a valid snapshot that starts at the minute before now.
func sample(workload string) forecast.Snapshot {
	return forecast.Snapshot{
		Workload: workload, Metric: "rps", Model: "naive", Mode: forecast.Predictive,
		GeneratedAt: time.Now().UTC().Truncate(time.Minute), IntervalSeconds: 60, StepSeconds: 60, HorizonSeconds: 180,
		Values: []float64{10, 20, 30}, DesiredReplicas: []int{1, 2, 3},
	}
}

// serveSnapshot answers as a forecaster does: with a tag and the age.
func serveSnapshot(w http.ResponseWriter, r *http.Request, s forecast.Snapshot, age time.Duration) {
	body, err := forecast.Encode(s)
	if err != nil {
		panic(err)
	}
	w.Header().Set("ETag", forecast.ETag(body))
	w.Header().Set("Age", strconv.Itoa(int(age.Seconds())))
	if r.Header.Get("If-None-Match") == forecast.ETag(body) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	_, _ = w.Write(body)
}

func good(w http.ResponseWriter, r *http.Request) {
	serveSnapshot(w, r, sample(r.FormValue("workload")), 30*time.Second)
}

type rig struct {
	*client.Client
	reg *prometheus.Registry
}

// dial makes a client of forecasters with the given handlers.
func dial(t *testing.T, timeout time.Duration, handlers ...http.HandlerFunc) rig {
	t.Helper()
	var urls []*url.URL
	for _, h := range handlers {
		server := httptest.NewServer(h)
		t.Cleanup(server.Close)
		urls = append(urls, parse(t, server.URL))
	}
	return connect(t, client.Options{URLs: urls, Timeout: timeout})
}

func connect(t *testing.T, o client.Options) rig {
	t.Helper()
	o.Size, o.Log = 10, slog.New(slog.DiscardHandler)
	reg := prometheus.NewPedanticRegistry()
	c, err := client.New(client.NewMetrics(reg), o)
	if err != nil {
		t.Fatal(err)
	}
	return rig{c, reg}
}

func parse(t *testing.T, raw string) *url.URL {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestLatest(t *testing.T) {
	c := dial(t, time.Second, good)
	before := time.Now()
	got, err := c.Latest(t.Context(), "shop/web")
	if err != nil {
		t.Fatal(err)
	}
	want := sample("shop/web")
	want.Values, want.Metric, want.Model = nil, "", "" // no answer is made from them
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(forecast.Snapshot{}, "Received", "AgeAtReceipt")); diff != "" {
		t.Errorf("Latest() (-want +got):\n%s", diff)
	}
	if got.AgeAtReceipt != 30*time.Second || got.Received.Before(before) || got.Received.After(time.Now()) {
		t.Errorf("received %v with an age of %v; want now and the forecaster's 30s", got.Received, got.AgeAtReceipt)
	}
}

// TestAge: the forecaster's own measure first, then its clock, then ours.
func TestAge(t *testing.T) {
	started := time.Now().UTC().Truncate(time.Minute).Add(-time.Hour)
	for _, tt := range []struct {
		name      string
		age, date string
		want      time.Duration
	}{
		{"told", "90", "", 90 * time.Second},
		{"told, though its clock differs", "90", started.Add(5 * time.Minute).Format(http.TimeFormat), 90 * time.Second},
		{"by its clock", "", started.Add(5 * time.Minute).Format(http.TimeFormat), 5 * time.Minute},
		{"negative is not told", "-5", started.Add(5 * time.Minute).Format(http.TimeFormat), 5 * time.Minute},
		{"garbage is not told", "1e9", started.Add(5 * time.Minute).Format(http.TimeFormat), 5 * time.Minute},
		{"absurd is not told", "99999999999999", started.Add(5 * time.Minute).Format(http.TimeFormat), 5 * time.Minute},
		{"by our clock", "", "yesterday", time.Since(started)},
	} {
		c := dial(t, time.Second, func(w http.ResponseWriter, r *http.Request) {
			s := sample(r.FormValue("workload"))
			s.GeneratedAt = started
			body, _ := forecast.Encode(s)
			if tt.age != "" {
				w.Header().Set("Age", tt.age)
			}
			w.Header().Set("Date", tt.date)
			_, _ = w.Write(body)
		})
		got, err := c.Latest(t.Context(), "shop/web")
		if diff := got.AgeAtReceipt - tt.want; err != nil || diff < 0 || diff > 5*time.Second {
			t.Errorf("%s: age %v, %v; want %v", tt.name, got.AgeAtReceipt, err, tt.want)
		}
	}
}

// TestAgeLeavesOutConnecting: how long it took to connect says nothing about the
// answer's age.
func TestAgeLeavesOutConnecting(t *testing.T) {
	const handshake = 300 * time.Millisecond
	server := httptest.NewUnstartedServer(http.HandlerFunc(good))
	server.TLS = &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		time.Sleep(handshake)
		return nil, nil //nolint:nilnil // the configuration as it is
	}}
	server.StartTLS()
	t.Cleanup(server.Close)
	trusting := x509.NewCertPool()
	trusting.AddCert(server.Certificate())
	c := connect(t, client.Options{URLs: []*url.URL{parse(t, server.URL)}, Timeout: 5 * time.Second, TLS: &tls.Config{RootCAs: trusting}})
	before := time.Now()
	s, err := c.Latest(t.Context(), "shop/web")
	if took := s.Received.Sub(before); err != nil || took < handshake {
		t.Errorf("Latest() = counted from %v after it was called, %v; want from when there was a connection, %v at least", took, err, handshake)
	}
}

func TestFutureSnapshotsCountFromNow(t *testing.T) {
	future := time.Now().UTC().Truncate(time.Minute).Add(24 * time.Hour)
	c := dial(t, time.Second, func(w http.ResponseWriter, r *http.Request) {
		s := sample(r.FormValue("workload"))
		s.GeneratedAt = future
		serveSnapshot(w, r, s, 10*time.Second)
	})
	got, err := c.Latest(t.Context(), "shop/web")
	if err != nil || got.GeneratedAt.After(time.Now()) || got.AgeAtReceipt != 10*time.Second {
		t.Errorf("Latest() = generated %v, age %v, %v; want no later than now, and 10s", got.GeneratedAt, got.AgeAtReceipt, err)
	}
	if n := total(t, c.reg, "kedastral_scaler_future_snapshots_total"); n != 1 {
		t.Errorf("%v counted; want 1", n)
	}
}

func TestUnchangedSnapshotsAreNotSentAgain(t *testing.T) {
	var sent, unchanged atomic.Int32
	var age atomic.Int64
	fixed := sample("shop/web")
	c := dial(t, time.Second, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("If-None-Match") == "" {
			sent.Add(1)
		} else {
			unchanged.Add(1)
		}
		serveSnapshot(w, r, fixed, time.Duration(age.Add(10))*time.Second)
	})
	for i := range 3 {
		s, err := c.Latest(t.Context(), "shop/web")
		if want := time.Duration(10*(i+1)) * time.Second; err != nil || s.AgeAtReceipt != want || len(s.DesiredReplicas) != 3 {
			t.Errorf("question %d: age %v, %v; want the snapshot, %v old", i, s.AgeAtReceipt, err, want)
		}
	}
	if sent.Load() != 1 || unchanged.Load() != 2 {
		t.Errorf("sent %d times, asked for changes %d times; want 1 and 2", sent.Load(), unchanged.Load())
	}
}

// TestMalformedNamesAreNotAsked: such a name never reaches a URL.
func TestMalformedNamesAreNotAsked(t *testing.T) {
	var asked atomic.Int32
	c := dial(t, time.Second, func(w http.ResponseWriter, r *http.Request) { asked.Add(1); good(w, r) })
	for _, name := range []string{"", "web", "shop/../x", "shop/web?x=1", "shop/web\n", "Shop/Web", strings.Repeat("a", 1<<20)} {
		if _, err := c.Latest(t.Context(), name); !errors.Is(err, forecast.ErrMalformed) {
			t.Errorf("Latest(%.20q) = %v; want ErrMalformed", name, err)
		}
	}
	if asked.Load() != 0 {
		t.Errorf("%d questions; want none", asked.Load())
	}
}

func TestTokenIsReadAgainWhenRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	write := func(value string) {
		if err := os.WriteFile(file, []byte(value+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("first")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer second" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		good(w, r)
	}))
	defer server.Close()
	c := connect(t, client.Options{URLs: []*url.URL{parse(t, server.URL)}, Timeout: time.Second, TokenFile: file})
	if _, err := c.Latest(t.Context(), "shop/web"); err == nil || strings.Contains(err.Error(), "first") {
		t.Errorf("Latest() = %v; want a refusal without the token", err)
	}
	write("second")
	if _, err := c.Latest(t.Context(), "shop/web"); err != nil {
		t.Errorf("Latest() after the rotation = %v; want a snapshot", err)
	}
}

// A forecaster that lets nobody in is told of in the log, once a minute and
// without the token, and is no forecaster that cannot be reached.
func TestNotLetIn(t *testing.T) {
	var log logtest.Log
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		forecast.NewProblem(http.StatusForbidden, "who asks may not ask here").Write(w)
	}))
	defer server.Close()
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("hunter2"), 0o600); err != nil {
		t.Fatal(err)
	}
	reg := prometheus.NewRegistry()
	c, err := client.New(client.NewMetrics(reg), client.Options{
		URLs: []*url.URL{parse(t, server.URL)}, Timeout: time.Second, Size: 1, TokenFile: file, Log: slog.New(slog.NewTextHandler(&log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if _, err := c.Latest(t.Context(), "shop/web"); !errors.Is(err, forecast.ErrDenied) {
			t.Fatalf("Latest() = %v; want %v", err, forecast.ErrDenied)
		}
	}
	if n := counted(t, reg, "kedastral_scaler_fetch_errors_total", "denied"); n != 5 {
		t.Errorf("%v fetches denied; want 5", n)
	}
	if text := log.String(); strings.Count(text, "does not let this scaler in") != 1 || !strings.Contains(text, "may not ask here") || strings.Contains(text, "hunter2") {
		t.Errorf("the log:\n%s\nwant one line with the reason and no token", text)
	}
}

func TestNewRefusesWhatCannotWork(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(empty, []byte(" \n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ url, token, want string }{
		{"http://f:8081", empty, "one line"},
		{"http://f:8081", empty + "-absent", "no such file"},
		{"ftp://f:8081", "", "must be http"},
		{"forecaster:8081", "", "must be http"},
		{"http://user:hunter2@f", "", "must not hold a user"},
		{"http://f/?a=b", "", "must not hold a query"},
	} {
		u, _ := url.Parse(tt.url)
		_, err := client.New(client.NewMetrics(prometheus.NewRegistry()), client.Options{
			URLs: []*url.URL{u}, Timeout: time.Second, Size: 1, TokenFile: tt.token, Log: slog.Default(),
		})
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("New(%s) = %v; want %q", tt.url, err, tt.want)
		}
	}
	_, err := client.New(nil, client.Options{})
	for _, name := range []string{"urls", "timeout", "size", "log"} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("New(nothing set) = %v; want %s named", err, name)
		}
	}
}

func TestMetricsLint(t *testing.T) {
	c := dial(t, time.Second, problem(forecast.ErrNotFound), good)
	_, _ = c.Latest(t.Context(), "shop/web")
	if problems, err := testutil.GatherAndLint(c.reg); err != nil || len(problems) > 0 {
		t.Errorf("lint: %v, %v", problems, err)
	}
}

func total(t *testing.T, reg *prometheus.Registry, name string) float64 {
	t.Helper()
	return counted(t, reg, name, "")
}

// counted is the named counter with the label's value, or the only one.
func counted(t *testing.T, reg *prometheus.Registry, name, label string) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name && (label == "" || m.GetLabel()[0].GetValue() == label) {
				return m.GetCounter().GetValue()
			}
		}
	}
	return 0
}
