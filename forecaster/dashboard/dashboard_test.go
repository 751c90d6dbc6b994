package dashboard_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kedastral/kedastral/forecaster/dashboard"
	"github.com/kedastral/kedastral/forecaster/engine"
	"github.com/kedastral/kedastral/forecaster/history"
	"github.com/kedastral/kedastral/forecaster/series"
	"github.com/kedastral/kedastral/forecaster/storage/storetest"
	"github.com/kedastral/kedastral/shared/forecast"
	"github.com/kedastral/kedastral/shared/lifecycle"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// few are workloads whose states a test may change.
type few struct {
	mu       sync.Mutex
	statuses []engine.Status
}

func (f *few) Workloads() []engine.Status {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]engine.Status(nil), f.statuses...)
}

func (f *few) set(i int, st engine.Status) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.statuses[i] = st
}

func (f *few) Observed(string) (series.DataFrame, error) {
	frame := series.DataFrame{Start: noon.Add(-time.Hour), Step: time.Minute, Values: make([]float64, 60)}
	for i := range frame.Values {
		frame.Values[i] = float64(i)
	}
	frame.Values[59] = math.NaN()
	return frame, nil
}

func status(name string, state engine.State) engine.Status {
	return engine.Status{Workload: name, State: state, Mode: forecast.Predictive, GeneratedAt: noon}
}

// pages are those of three workloads a minute and a half after noon, of which
// the first two have a snapshot of noon, 3 replicas for two minutes.
func pages(t *testing.T, now time.Time) (*dashboard.Pages, *few) {
	t.Helper()
	known := &few{statuses: []engine.Status{status("shop/web", engine.Forecasting), status("shop/failing", engine.Failing), {Workload: "shop/new", State: engine.Warming}}}
	past := history.New(time.Hour, 3)
	past.Record(storetest.Sample("shop/web", noon, 3))
	past.Record(storetest.Sample("shop/failing", noon, 3))
	p, err := dashboard.New(dashboard.Options{Engine: known, Past: past, Now: func() time.Time { return now }, Refresh: 10 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	return p, known
}

func get(h http.Handler, target string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, target, nil)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// All of the page is under 150 KB on the wire, holds no address of another
// host and no script or style in its HTML.
func TestThePageIsSmallAndAlone(t *testing.T) {
	p, _ := pages(t, noon)
	index := get(p, "/").Body.String()
	for _, bad := range []string{"<style", "style=", "onclick", "http://", "https://", `src="/`, `href="/`} {
		if strings.Contains(index, bad) {
			t.Errorf("the page contains %s", bad)
		}
	}
	if strings.Count(index, "<script") != strings.Count(index, "<script type=\"module\" src=") {
		t.Error("the page has a script of its own; want only files")
	}
	total := 0
	names := []string{"/"}
	for _, found := range regexp.MustCompile(`(?:src|href)="(assets/[^"]+)"`).FindAllStringSubmatch(index, -1) {
		names = append(names, "/"+found[1])
	}
	for _, name := range names {
		w := get(p, name, "Accept-Encoding", "gzip")
		if w.Code != http.StatusOK {
			t.Errorf("GET %s = %d", name, w.Code)
		}
		total += w.Body.Len()
		if csp := w.Header().Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
			t.Errorf("GET %s: Content-Security-Policy %q; want a strict one", name, csp)
		}
		if w.Header().Get("Set-Cookie") != "" {
			t.Errorf("GET %s sets a cookie", name)
		}
	}
	if len(names) < 4 || total > 150_000 {
		t.Errorf("%d files of %d bytes gzipped; want the page, script, style and icon in at most 150,000", len(names), total)
	}
}

func TestAssetsAreConditionalAndZipped(t *testing.T) {
	p, _ := pages(t, noon)
	plain, zipped := get(p, "/assets/app.js"), get(p, "/assets/app.js", "Accept-Encoding", "br, gzip")
	if plain.Header().Get("Content-Encoding") != "" || zipped.Header().Get("Content-Encoding") != "gzip" {
		t.Errorf("Content-Encoding = %q and %q; want none and gzip", plain.Header().Get("Content-Encoding"), zipped.Header().Get("Content-Encoding"))
	}
	z, err := gzip.NewReader(zipped.Body)
	if err != nil {
		t.Fatal(err)
	}
	if back, err := io.ReadAll(z); err != nil || !bytes.Equal(back, plain.Body.Bytes()) {
		t.Errorf("unzipped, the script differs (%v)", err)
	}
	if w := get(p, "/assets/app.js", "Accept-Encoding", "gzip;q=0"); w.Header().Get("Content-Encoding") != "" {
		t.Error("gzip;q=0 is answered with gzip")
	}
	if w := get(p, "/assets/app.js", "If-None-Match", plain.Header().Get("ETag")); w.Code != http.StatusNotModified || w.Body.Len() > 0 {
		t.Errorf("If-None-Match = %d with %d bytes; want 304 and none", w.Code, w.Body.Len())
	}
	for _, name := range []string{"/assets/", "/assets/../dashboard.go", "/assets/none.js", "/index.html"} {
		if w := get(p, name); w.Code != http.StatusNotFound || w.Header().Get("Content-Type") != forecast.ProblemType {
			t.Errorf("GET %s = %d %s; want a problem, 404", name, w.Code, w.Header().Get("Content-Type"))
		}
	}
}

type answer struct {
	Revision string
	Total    int
	Rows     []struct {
		Workload, Health string
		Replicas         *int
		AtLead           []*float64
		Past, Ahead      []*float64
	}
}

func decode(t *testing.T, body []byte) answer {
	t.Helper()
	var a answer
	if err := json.Unmarshal(body, &a); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	return a
}

func TestRows(t *testing.T) {
	for _, tt := range []struct {
		after    time.Duration
		health   string
		replicas int // 0 for unknown
	}{
		{90 * time.Second, "predictive", 3},
		{150 * time.Second, "predictive", 0}, // the plan of two minutes has ended
		{5 * time.Minute, "stale", 0},
	} {
		p, _ := pages(t, noon.Add(tt.after))
		a := decode(t, get(p, "/dashboard/workloads").Body.Bytes())
		if a.Total != 3 || len(a.Rows) != 3 {
			t.Fatalf("%d rows of %d; want 3", len(a.Rows), a.Total)
		}
		web := a.Rows[0]
		replicas := 0
		if web.Replicas != nil {
			replicas = *web.Replicas
		}
		if web.Health != tt.health || replicas != tt.replicas {
			t.Errorf("after %v: %s, %d replicas; want %s, %d", tt.after, web.Health, replicas, tt.health, tt.replicas)
		}
		if a.Rows[2].Health != "warming" || a.Rows[2].AtLead[0] != nil {
			t.Errorf("the new workload is %+v; want warming and nothing known", a.Rows[2])
		}
	}
	p, known := pages(t, noon.Add(time.Minute))
	known.set(0, status("shop/web", engine.Silent))
	known.set(2, engine.Status{Workload: "shop/new", State: engine.Silent})
	a := decode(t, get(p, "/dashboard/workloads").Body.Bytes())
	for i, want := range []string{"stale", "failing", "silent"} {
		if a.Rows[i].Health != want {
			t.Errorf("row %d is %s; want %s", i, a.Rows[i].Health, want)
		}
	}
	if past := a.Rows[0].Past; len(past) != 48 || past[35] != nil || *past[36] != 4 || *past[47] != 58 {
		t.Errorf("sparkline %v; want 48 slots, the last hour known, by its maxima", past)
	}
}

// serve runs the pages under the process's own server, whose limits on time
// must not end a stream, and answers with its address and how to end it.
func serve(t *testing.T, p *dashboard.Pages) (address string, end func() error) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := lifecycle.NewServer(p, slog.New(slog.DiscardHandler))
	server.ReadTimeout, server.WriteTimeout = 150*time.Millisecond, 150*time.Millisecond
	server.RegisterOnShutdown(p.Close)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- lifecycle.ServeHTTP(ctx, server, ln, 5*time.Second) }()
	return "http://" + ln.Addr().String(), func() error { stop(); return <-done }
}

// events reads rows from a stream.
func events(t *testing.T, address, since string) (next func() (answer, error), leave func()) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address+"/dashboard/events?since="+since, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := new(http.Transport).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("events = %d %s", resp.StatusCode, resp.Header.Get("Content-Type"))
	}
	lines := bufio.NewScanner(resp.Body)
	return func() (answer, error) {
		for lines.Scan() {
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				return decode(t, []byte(data)), nil
			}
		}
		return answer{}, fmt.Errorf("the stream ended: %w", io.EOF)
	}, func() { stop(); resp.Body.Close() }
}

// A reader is told what changed since its revision and nothing else, for
// longer than the server lets a request take, until the server ends.
func TestEventsTellChanges(t *testing.T) {
	p, known := pages(t, noon.Add(time.Minute))
	address, end := serve(t, p)
	all := decode(t, get(p, "/dashboard/workloads").Body.Bytes())
	next, leave := events(t, address, all.Revision)
	defer leave()
	first, err := next() // what time it is; nothing has changed
	if err != nil || len(first.Rows) != 0 {
		t.Fatalf("the first event has %d rows (%v); want none", len(first.Rows), err)
	}
	time.Sleep(400 * time.Millisecond)
	known.set(1, status("shop/failing", engine.Forecasting))
	change, err := next()
	if err != nil || len(change.Rows) != 1 || change.Rows[0].Workload != "shop/failing" || change.Rows[0].Health != "predictive" {
		t.Errorf("after a change: %+v, %v; want that row", change, err)
	}
	other, leaveOther := events(t, address, "of-another-process.7")
	defer leaveOther()
	if a, err := other(); err != nil || len(a.Rows) != 3 {
		t.Errorf("a stranger's revision: %d rows, %v; want all three", len(a.Rows), err)
	}
	began := time.Now()
	if err := end(); err != nil || time.Since(began) > 2*time.Second {
		t.Errorf("the server ended after %v with %v; want soon and well", time.Since(began), err)
	}
	if _, err := next(); err == nil {
		t.Error("the stream goes on after the server's end")
	}
}

// Only so many may look on at once; who leaves makes room.
func TestEventsAreBounded(t *testing.T) {
	p, _ := pages(t, noon)
	address, end := serve(t, p)
	var leaves []func()
	for range 64 {
		_, leave := events(t, address, "")
		leaves = append(leaves, leave)
	}
	full := func() int {
		resp, err := http.Get(address + "/dashboard/events")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		return resp.StatusCode
	}
	if got := full(); got != http.StatusServiceUnavailable {
		t.Errorf("the 65th stream = %d; want 503", got)
	}
	leaves[0]()
	var again func()
	for range 100 {
		time.Sleep(20 * time.Millisecond)
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address+"/dashboard/events", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := new(http.Transport).RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode == http.StatusOK {
			again = func() { resp.Body.Close() }
			break
		}
		resp.Body.Close()
	}
	if again == nil {
		t.Fatal("a place that was left stays taken")
	}
	again()
	for _, leave := range leaves {
		leave()
	}
	if err := end(); err != nil {
		t.Errorf("ending = %v", err)
	}
}

// Two thousand rows are encoded, compared and compressed for one reader.
func BenchmarkTwoThousand(b *testing.B) {
	known := &few{}
	past := history.New(0, 2000)
	for i := range 2000 {
		name := fmt.Sprintf("shop/web-%d", i)
		known.statuses = append(known.statuses, status(name, engine.Forecasting))
		past.Record(storetest.Sample(name, noon, 3))
	}
	p, err := dashboard.New(dashboard.Options{Engine: known, Past: past, Now: func() time.Time { return noon }, Refresh: time.Nanosecond})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		w := get(p, "/dashboard/workloads", "Accept-Encoding", "gzip")
		b.ReportMetric(float64(w.Body.Len()), "bytes")
	}
}
