package prom_test

import (
	"fmt"
	"io"
	"log"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kedastral/kedastral/forecaster/adapters/prom"
)

// What no text may contain: the query's own words and the credentials.
const (
	promQL   = `sum(rate(secretmetric_requests_total{customer="acme"}[1m]))`
	userinfo = "hugo"
	password = "pa55-word"
	token    = "t0ken-of-hugo"
)

// now is in the middle of a step; with a settling time of 15 s the last step
// that counts is 12:33.
var now = time.Date(2024, 3, 1, 12, 34, 30, 0, time.UTC)

var end = now.Truncate(time.Minute) // of the last step that counts

// question is what a fake was asked.
type question struct {
	method     string
	path       string
	header     http.Header
	form       url.Values
	start, end time.Time
	step       time.Duration
}

// points are the instants that were asked for.
func (q question) points() int { return int(q.end.Sub(q.start)/q.step) + 1 }

// fake is a scripted Prometheus that remembers what it was asked.
type fake struct {
	*httptest.Server
	mu    sync.Mutex
	asked []question
}

// serve answers the i-th question, counted from 0, by answer.
func serve(t testing.TB, answer func(i int, q question, w http.ResponseWriter)) *fake {
	t.Helper()
	f := &fake{}
	f.Server = httptest.NewServer(f.handler(t, answer))
	t.Cleanup(f.Close)
	return f
}

func (f *fake) handler(t testing.TB, answer func(i int, q question, w http.ResponseWriter)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			t.Errorf("a form that does not parse: %v", err)
		}
		step, err := strconv.Atoi(r.Form.Get("step"))
		if err != nil {
			t.Errorf("step %q: %v", r.Form.Get("step"), err)
		}
		q := question{
			method: r.Method, path: r.URL.Path, header: r.Header, form: r.Form, step: time.Duration(step) * time.Second,
			start: instant(t, r.Form.Get("start")), end: instant(t, r.Form.Get("end")),
		}
		f.mu.Lock()
		i := len(f.asked)
		f.asked = append(f.asked, q)
		f.mu.Unlock()
		w.Header().Set("Date", now.Format(http.TimeFormat))
		answer(i, q, w)
	}
}

func instant(t testing.TB, text string) time.Time {
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		t.Errorf("instant %q: %v", text, err)
	}
	return time.Unix(seconds, 0).UTC()
}

func (f *fake) questions() []question {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]question(nil), f.asked...)
}

// says answers every question with the same status and body.
func says(status int, body string) func(int, question, http.ResponseWriter) {
	return func(_ int, _ question, w http.ResponseWriter) {
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

// load is the value of the step that starts at t.
func load(t time.Time) float64 { return 100 + float64(t.Unix()/60%1000) }

// answers gives load at all instants asked for but those that skip
// names by the start of their step.
func answers(load func(time.Time) float64, skip ...time.Time) func(int, question, http.ResponseWriter) {
	gone := map[time.Time]bool{}
	for _, t := range skip {
		gone[t] = true
	}
	return func(_ int, q question, w http.ResponseWriter) {
		var points []string
		for at := q.start; !at.After(q.end); at = at.Add(q.step) {
			if step := at.Add(-q.step); !gone[step] && !math.IsNaN(load(step)) {
				points = append(points, point(at, load(step)))
			}
		}
		fmt.Fprint(w, matrix(streamOf(`{}`, points...)))
	}
}

func point(at time.Time, v float64) string {
	return fmt.Sprintf(`[%d,"%s"]`, at.Unix(), strconv.FormatFloat(v, 'g', -1, 64))
}

// streamOf is a series of points, or none without any.
func streamOf(labels string, points ...string) string {
	if len(points) == 0 {
		return ""
	}
	return `{"metric":` + labels + `,"values":[` + strings.Join(points, ",") + `]}`
}

func matrix(all ...string) string { return matrixAnd("", all...) }

// matrixAnd is an answer with more at its top level.
func matrixAnd(more string, all ...string) string {
	return `{"status":"success"` + more + `,"data":{"resultType":"matrix","result":[` + strings.Join(all, ",") + `]}}`
}

// options of a server with every secret there is in the address.
func options(address string) prom.Options {
	return prom.Options{
		URL:        strings.Replace(address, "://", "://"+userinfo+":"+password+"@", 1),
		RetryPause: time.Millisecond,
	}
}

func query() prom.Query {
	return prom.Query{
		Metric: "http_rps", PromQL: promQL, Step: time.Minute, Settle: 15 * time.Second,
		Now: func() time.Time { return now },
	}
}

func open(t testing.TB, o prom.Options, q prom.Query) *prom.Adapter {
	t.Helper()
	server, err := prom.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	a, err := server.Adapter(q)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// discreet fails if a text contains what none may.
func discreet(t *testing.T, text string) {
	t.Helper()
	for _, secret := range []string{"secretmetric", "customer", "acme", userinfo, password, token} {
		if strings.Contains(strings.ToLower(text), secret) {
			t.Errorf("%q contains %q", text, secret)
		}
	}
}

// discardLog is for a server whose complaints are expected.
func discardLog() *log.Logger { return log.New(io.Discard, "", 0) }
