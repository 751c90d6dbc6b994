package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
	if diff := cmp.Diff(sample("shop/web"), got, cmpopts.IgnoreFields(forecast.Snapshot{}, "Received", "AgeAtReceipt")); diff != "" {
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

// edited is a valid snapshot's JSON with one field changed.
func edited(field string, value any) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, _ := forecast.Encode(sample(r.FormValue("workload")))
		var doc map[string]any
		_ = json.Unmarshal(body, &doc)
		doc[field] = value
		body, _ = json.Marshal(doc)
		_, _ = w.Write(body)
	}
}

func status(code int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { http.Error(w, body, code) }
}

func problem(err error) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { forecast.ProblemOf(err).Write(w) }
}

// TestBadAnswers: none of these is acted on, and each error says what it is.
func TestBadAnswers(t *testing.T) {
	var other error // none of the sentinels
	for _, tt := range []struct {
		name   string
		answer http.HandlerFunc
		want   error // a sentinel, or other
		reason string
	}{
		{"unknown", problem(forecast.ErrNotFound), forecast.ErrNotFound, "not_found"},
		{"not ready", problem(forecast.ErrNotReady), forecast.ErrNotReady, "not_ready"},
		{"malformed", problem(forecast.ErrMalformed), forecast.ErrMalformed, "status"},
		{"its fault", problem(errors.New("secret")), other, "status"},
		{"500", status(500, "oops"), other, "status"},
		{"404 of a proxy", status(404, "<html>"), other, "status"},
		{"429", status(429, "slow down"), other, "unreachable"},
		{"redirect", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://elsewhere.invalid/", http.StatusFound)
		}, other, "redirect"},
		{"304 unasked", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(304) }, other, "status"},
		{"garbage", status(200, "\x00\xff{"), forecast.ErrInvalid, "invalid"},
		{"empty", status(200, ""), forecast.ErrInvalid, "invalid"},
		{"page", status(200, "<html>"), forecast.ErrInvalid, "invalid"},
		{"null", status(200, "null"), forecast.ErrInvalid, "invalid"},
		{"empty arrays", edited("desiredReplicas", []int{}), forecast.ErrInvalid, "invalid"},
		{"step 0", edited("stepSeconds", 0), forecast.ErrInvalid, "invalid"},
		{"negative step", edited("stepSeconds", -60), forecast.ErrInvalid, "invalid"},
		{"lengths disagree", edited("values", []float64{1}), forecast.ErrInvalid, "invalid"},
		{"horizon disagrees", edited("horizonSeconds", 3600), forecast.ErrInvalid, "invalid"},
		{"text for a number", edited("values", []string{"NaN", "1", "2"}), forecast.ErrInvalid, "invalid"},
		{"negative count", edited("desiredReplicas", []int{1, -2, 3}), forecast.ErrInvalid, "invalid"},
		{"other workload", edited("workload", "shop/api"), forecast.ErrInvalid, "invalid"},
		{"other namespace", edited("workload", "bank/web"), forecast.ErrInvalid, "invalid"},
		{"no time", edited("generatedAt", "0001-01-01T00:00:00Z"), forecast.ErrInvalid, "invalid"},
		{"oversized", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.Copy(w, io.LimitReader(spaces{}, forecast.MaxBytes+10))
		}, forecast.ErrInvalid, "invalid"},
		{"truncated", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100000")
			_, _ = w.Write([]byte(`{"workload":`))
		}, other, "unreachable"},
		{"cut off", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, other, "unreachable"},
		{"hung", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, context.DeadlineExceeded, "timeout"},
		{"drips", func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				_, _ = w.Write([]byte(" "))
				w.(http.Flusher).Flush()
				time.Sleep(10 * time.Millisecond)
			}
		}, context.DeadlineExceeded, "timeout"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := dial(t, 300*time.Millisecond, tt.answer)
			got, err := c.Latest(t.Context(), "shop/web")
			if err == nil {
				t.Fatalf("Latest() = %+v; want an error", got)
			}
			for _, sentinel := range []error{forecast.ErrNotFound, forecast.ErrNotReady, forecast.ErrInvalid} {
				if want := errors.Is(tt.want, sentinel); errors.Is(err, sentinel) != want {
					t.Errorf("errors.Is(%v, %v) = %v; want %v", err, sentinel, !want, want)
				}
			}
			if tt.want != nil && !errors.Is(err, tt.want) {
				t.Errorf("Latest() = %v; want %v", err, tt.want)
			}
			if n := counted(t, c.reg, "kedastral_scaler_fetch_errors_total", tt.reason); n != 1 {
				t.Errorf("%v counted for %s; want 1", n, tt.reason)
			}
		})
	}
}

type spaces struct{}

func (spaces) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
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

func TestFailover(t *testing.T) {
	var first, second atomic.Int32
	down := func(http.ResponseWriter, *http.Request) { first.Add(1); panic(http.ErrAbortHandler) }
	c := dial(t, time.Second, down, func(w http.ResponseWriter, r *http.Request) { second.Add(1); good(w, r) })
	for i := range 20 {
		if _, err := c.Latest(t.Context(), fmt.Sprintf("shop/w-%d", i)); err != nil {
			t.Fatalf("question %d: %v; want the second forecaster's answer", i, err)
		}
	}
	if first.Load() > 2 || second.Load() != 20 { // net/http itself asks again once
		t.Errorf("asked the first %d times and the second %d; want once and 20", first.Load(), second.Load())
	}
}

// TestFailoverOnAnswers: one that does not know the workload, or answers
// nonsense, is no reason not to ask the next.
func TestFailoverOnAnswers(t *testing.T) {
	for name, bad := range map[string]http.HandlerFunc{
		"unknown": problem(forecast.ErrNotFound), "not ready": problem(forecast.ErrNotReady), "nonsense": status(200, "{}"), "500": status(500, ""),
	} {
		c := dial(t, time.Second, bad, good)
		if s, err := c.Latest(t.Context(), "shop/web"); err != nil || s.Workload != "shop/web" {
			t.Errorf("%s: Latest() = %v; want the second forecaster's answer", name, err)
		}
	}
	c := dial(t, time.Second, problem(forecast.ErrNotReady), problem(forecast.ErrNotFound))
	if _, err := c.Latest(t.Context(), "shop/web"); !errors.Is(err, forecast.ErrNotReady) || !errors.Is(err, forecast.ErrNotFound) {
		t.Errorf("Latest() = %v; want what both said", err)
	}
}

// TestHungForecasterCostsItsTimeoutOnce: the second question does not wait for
// it, and it is asked again when the pause is over.
func TestHungForecasterCostsItsTimeoutOnce(t *testing.T) {
	var hung atomic.Bool
	hung.Store(true)
	c := dial(t, 200*time.Millisecond, func(w http.ResponseWriter, r *http.Request) {
		if hung.Load() {
			<-r.Context().Done()
			return
		}
		good(w, r)
	})
	for i, most := range []time.Duration{500 * time.Millisecond, 50 * time.Millisecond, 50 * time.Millisecond} {
		began := time.Now()
		if _, err := c.Latest(t.Context(), "shop/web"); err == nil || time.Since(began) > most {
			t.Errorf("question %d: %v after %v; want an error within %v", i, err, time.Since(began), most)
		}
	}
	hung.Store(false)
	deadline := time.Now().Add(3 * time.Second)
	for {
		if _, err := c.Latest(t.Context(), "shop/web"); err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("not asked again within 3s of its return")
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// TestOneWorkloadsTroubleIsNotAllWorkloads: an answer, however bad, does not
// stop the next question.
func TestOneWorkloadsTroubleIsNotAllWorkloads(t *testing.T) {
	c := dial(t, time.Second, func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("workload") == "shop/bad" {
			status(500, "boom")(w, r)
			return
		}
		good(w, r)
	})
	for range 5 {
		if _, err := c.Latest(t.Context(), "shop/bad"); err == nil {
			t.Error("Latest(bad) = nil; want an error")
		}
		if _, err := c.Latest(t.Context(), "shop/web"); err != nil {
			t.Errorf("Latest(web) = %v; want a snapshot", err)
		}
	}
}

func TestRetryAfterIsHonoured(t *testing.T) {
	var asked atomic.Int32
	c := dial(t, time.Second, func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.Header().Set("Retry-After", "5")
		w.WriteHeader(http.StatusTooManyRequests)
	})
	began := time.Now()
	for time.Since(began) < 1200*time.Millisecond {
		_, _ = c.Latest(t.Context(), "shop/web")
		time.Sleep(20 * time.Millisecond)
	}
	if asked.Load() != 1 {
		t.Errorf("asked %d times; want once in the five seconds", asked.Load())
	}
}

// TestCallersLeavingBlameNobody: the forecaster is asked again at once.
func TestCallersLeavingBlameNobody(t *testing.T) {
	var slow atomic.Bool
	slow.Store(true)
	c := dial(t, time.Second, func(w http.ResponseWriter, r *http.Request) {
		if slow.Load() {
			<-r.Context().Done()
			return
		}
		good(w, r)
	})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := c.Latest(ctx, "shop/web"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Latest() = %v; want DeadlineExceeded", err)
	}
	slow.Store(false)
	if _, err := c.Latest(t.Context(), "shop/web"); err != nil {
		t.Errorf("Latest() = %v; want a snapshot", err)
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
