package faults_test

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"math"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kedastral/kedastral/shared/forecast"
)

// relay stands between a scaler and its forecasters. It hands on what they say,
// or says what a plan of its own says, and remembers what was delivered.
type relay struct {
	*httptest.Server
	upstream atomic.Pointer[string] // of a forecaster; nil speaks for itself
	lie      atomic.Pointer[lie]    // in place of the truth
	client   *http.Client
	unsure   atomic.Bool // what is sent may be lost on the way

	mu        sync.Mutex
	delivered map[string][]delivery // by workload
	asked     map[string]int        // questions, by workload
	late      float64               // how far a load told as observed was from what it was
}

// delivery is a snapshot as a scaler got it.
type delivery struct {
	forecast.Snapshot
	at    time.Time
	took  time.Duration // from the question to the answer
	older time.Duration // than its date says
	maybe bool          // it may have been lost on the way
}

// answer is an HTTP answer.
type answer struct {
	code   int
	header http.Header
	body   []byte
}

// lie answers in place of the truth, which it may ask for.
type lie func(w http.ResponseWriter, r *http.Request, truth func() answer)

func newRelay(t *testing.T, upstream string) *relay {
	t.Helper()
	r := &relay{client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}, delivered: map[string][]delivery{}, asked: map[string]int{}}
	if upstream != "" {
		r.upstream.Store(&upstream)
	}
	r.Server = httptest.NewServer(r)
	t.Cleanup(func() {
		r.CloseClientConnections()
		r.Close()
	})
	return r
}

func (r *relay) tell(l lie) { r.lie.Store(&l) }
func (r *relay) honest()    { r.lie.Store(nil) }

func (r *relay) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	began := time.Now()
	r.mu.Lock()
	r.asked[q.FormValue("workload")]++
	r.mu.Unlock()
	if l := r.lie.Load(); l != nil {
		(*l)(w, q, func() answer { return r.truth(q) })
		return
	}
	r.send(w, r.truth(q), began, 0)
}

// send delivers an answer, remembering it if it is a valid snapshot.
func (r *relay) send(w http.ResponseWriter, a answer, began time.Time, older time.Duration) {
	maps.Copy(w.Header(), a.header)
	w.Header().Del("Content-Length")
	if a.code == 0 {
		panic(http.ErrAbortHandler)
	}
	if a.code == http.StatusOK {
		r.remember(a.body, began, older)
	}
	w.WriteHeader(a.code)
	_, _ = w.Write(a.body)
}

func (r *relay) remember(body []byte, began time.Time, older time.Duration) {
	s, err := forecast.Decode(bytes.NewReader(body), forecast.MaxBytes)
	if err != nil {
		return
	}
	d := delivery{Snapshot: s, at: time.Now(), took: time.Since(began), older: older, maybe: r.unsure.Load()}
	r.mu.Lock()
	defer r.mu.Unlock()
	list := append(r.delivered[s.Workload], d)
	r.delivered[s.Workload] = list[max(0, len(list)-100):]
	if s.Observed != nil {
		r.late = max(r.late, math.Abs(s.Observed.Value-demand(s.Observed.At.Add(-time.Second))))
	}
}

// truth is what the forecaster says, or the relay's own plan.
func (r *relay) truth(q *http.Request) answer {
	upstream := r.upstream.Load()
	if upstream == nil {
		return scripted(q.FormValue("workload"), time.Now(), q.Header.Get("If-None-Match"))
	}
	ask, err := http.NewRequestWithContext(q.Context(), http.MethodGet, *upstream+q.URL.RequestURI(), http.NoBody)
	if err != nil {
		return answer{}
	}
	ask.Header = q.Header.Clone()
	response, err := r.client.Do(ask)
	if err != nil {
		return answer{}
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return answer{}
	}
	return answer{response.StatusCode, response.Header, body}
}

// The relay's own forecasts.
const (
	every   = 2 * time.Second // between two
	horizon = 30
)

// planned is what the relay's own plan says of a second: no two within twenty
// are the same, so that an answer tells which second it was made for.
func planned(at time.Time) int { return 5 + int(at.Unix()*7%20) }

func sketch(workload string, at time.Time) forecast.Snapshot {
	s := forecast.Snapshot{
		Workload: workload, Metric: "load", Model: "scripted", Mode: forecast.Predictive, GeneratedAt: at.UTC(),
		IntervalSeconds: int(every / time.Second), StepSeconds: 1, HorizonSeconds: horizon,
		Observed: &forecast.Observation{Value: demand(at.Add(-time.Second)), At: at.UTC()},
	}
	for i := range horizon {
		n := planned(at.Add(time.Duration(i) * time.Second))
		s.Values, s.DesiredReplicas = append(s.Values, float64(10*n)), append(s.DesiredReplicas, n)
	}
	return s
}

// scripted answers with the forecast that is due now.
func scripted(workload string, now time.Time, known string) answer {
	if strings.Contains(workload, "nobody") {
		problem, _ := json.Marshal(forecast.NewProblem(http.StatusNotFound, "nobody"))
		return answer{http.StatusNotFound, http.Header{"Content-Type": {forecast.ProblemType}}, problem}
	}
	at := now.Truncate(every)
	body, err := forecast.Encode(sketch(workload, at))
	if err != nil {
		problem, _ := json.Marshal(forecast.ProblemOf(err))
		return answer{forecast.Status(err), http.Header{"Content-Type": {forecast.ProblemType}}, problem}
	}
	h := http.Header{"Etag": {forecast.ETag(body)}, "Age": {strconv.Itoa(int(now.Sub(at) / time.Second))}}
	if known == forecast.ETag(body) {
		return answer{http.StatusNotModified, h, nil}
	}
	return answer{http.StatusOK, h, body}
}

// history is what was delivered of a workload, in order.
func (r *relay) history(workload string) []delivery {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.delivered[workload] // only ever replaced
}

// questions is how often a workload was asked for.
func (r *relay) questions(workload string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.asked[workload]
}

// forget is for a scaler that was started again: it was delivered nothing.
func (r *relay) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.delivered)
}

// misled is by how much a load that was told as observed was off at most.
func (r *relay) misled() float64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	off := r.late
	r.late = 0
	return off
}
