package faults_test

import (
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// demand is the load at an instant: what every source of the suite says when it
// tells the truth.
func demand(at time.Time) float64 {
	return math.Round(200 + 100*math.Sin(2*math.Pi*float64(at.Unix())/40))
}

// source is a Prometheus in a mood.
type source struct {
	*httptest.Server
	mood  atomic.Pointer[mood]
	asked atomic.Int64 // questions
	open  atomic.Int64 // under way
	most  atomic.Int64 // at a time
}

// mood answers a range query for these instants.
type mood func(w http.ResponseWriter, r *http.Request, instants []time.Time)

func newSource(t *testing.T) *source {
	t.Helper()
	s := &source{}
	s.set(truthful)
	s.Server = httptest.NewServer(s)
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s
}

func (s *source) set(m mood) { s.mood.Store(&m) }

func (s *source) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.asked.Add(1)
	defer s.open.Add(-1)
	now := s.open.Add(1)
	for most := s.most.Load(); now > most && !s.most.CompareAndSwap(most, now); most = s.most.Load() {
	}
	_ = r.ParseForm()
	number := func(name string) float64 { v, _ := strconv.ParseFloat(r.Form.Get(name), 64); return v }
	var instants []time.Time
	for at, end, step := number("start"), number("end"), number("step"); at <= end && step > 0 && len(instants) < 20_000; at += step {
		instants = append(instants, time.Unix(int64(at), 0))
	}
	(*s.mood.Load())(w, r, instants)
}

// truthful answers what was; a value evaluated at t is of the step before.
func truthful(w http.ResponseWriter, _ *http.Request, instants []time.Time) {
	matrix(w, "", points(instants, func(at time.Time) string { return value(demand(at.Add(-time.Second))) }))
}

func value(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// points are what Prometheus makes of values, without those that are empty.
func points(instants []time.Time, of func(time.Time) string) []string {
	var out []string
	for _, at := range instants {
		if v := of(at); v != "" {
			out = append(out, fmt.Sprintf("[%d,%q]", at.Unix(), v))
		}
	}
	return out
}

// matrix answers with one series, and more beside the data.
func matrix(w http.ResponseWriter, more string, points []string) {
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"status":"success",%s"data":{"resultType":"matrix","result":[{"metric":{"tenant":"labelS3cret"},"values":[%s]}]}}`, more, strings.Join(points, ","))
}

// says answers with a status and a body, and headers in pairs.
func says(code int, body string, header ...string) mood {
	return func(w http.ResponseWriter, _ *http.Request, _ []time.Time) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
		fmt.Fprint(w, body)
	}
}
