//go:build e2e

package cluster

import (
	"encoding/json"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// oracle is a forecaster's HTTP API that says what a test wants said. Its JSON
// is written out here and not taken from the product's package, so that a change
// of the wire shows.
type oracle struct {
	mu    sync.Mutex
	plans map[string]plan
}

// plan is what the oracle says of one workload.
type plan struct {
	demand func(time.Time) int     // replicas needed at an instant
	ahead  func(time.Duration) int // instead: that long after the forecast was made
	once   bool                    // the plan is told once, then the connection is cut
	down   bool                    // the connection is cut instead of an answer
	made   time.Time               // what was last told was made then
}

// The oracle sees twelve minutes ahead. With its step of two seconds and one
// between the scaler's questions a forecast is fresh for four seconds (twice its
// interval), then held until STALE_AFTER of overlays/e2e.
const (
	step       = 2 * time.Second
	steps      = 360
	freshFor   = 2 * step
	staleAfter = 15 * time.Second
	// The scaler knows a forecast's age to a second, and no better than the answer
	// was fast, which FETCH_TIMEOUT bounds.
	blur = 3 * time.Second
)

func newOracle() *oracle { return &oracle{plans: map[string]plan{}} }

// say makes the plan of the workload that many replicas, now and later.
func (o *oracle) say(workload string, replicas int) {
	o.dictate(workload, plan{demand: func(time.Time) int { return replicas }})
}

func (o *oracle) dictate(workload string, p plan) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.plans[workload] = p
}

// vanish makes the oracle unreachable where the workload is concerned, until
// something is said of it again.
func (o *oracle) vanish(workload string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	p := o.plans[workload]
	p.down = true
	o.plans[workload] = p
}

// made is when what the workload was last told was made.
func (o *oracle) made(workload string) time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.plans[workload].made
}

// take is the plan as it stands, to be told now.
func (o *oracle) take(workload string, now time.Time) (plan, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	p, known := o.plans[workload]
	if known && !p.down {
		next := p
		next.made, next.down = now.Truncate(step), p.once
		o.plans[workload] = next
	}
	return p, known
}

func (o *oracle) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	workload, now := r.URL.Query().Get("workload"), time.Now()
	p, known := o.take(workload, now)
	switch {
	case p.down:
		panic(http.ErrAbortHandler) // cuts the connection
	case r.URL.Path != "/forecast/current" || !known:
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusNotFound)
		_, _ = w.Write([]byte(`{"type":"about:blank","title":"Not Found","status":404,"detail":"workload not found"}`))
	default:
		p.write(w, workload, now)
	}
}

func (p plan) write(w http.ResponseWriter, workload string, now time.Time) {
	from := now.Truncate(step).UTC()
	values, replicas := make([]float64, steps), make([]int, steps)
	for i := range steps {
		into := time.Duration(i) * step
		if p.ahead != nil {
			replicas[i] = p.ahead(into)
		} else {
			replicas[i] = p.demand(from.Add(into))
		}
		values[i] = float64(replicas[i])
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Age", strconv.Itoa(int(now.Sub(from).Seconds())))
	_ = json.NewEncoder(w).Encode(map[string]any{
		"workload": workload, "metric": "dictated", "generatedAt": from, "model": "oracle", "mode": "predictive",
		"intervalSeconds": int(step.Seconds()), "stepSeconds": int(step.Seconds()),
		"horizonSeconds": int(step.Seconds()) * steps, "values": values, "desiredReplicas": replicas,
	})
}
