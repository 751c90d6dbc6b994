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
	replicas []int         // one for each step from `from` on
	from     time.Time     // zero: from now on, renewed at every question
	step     time.Duration // zero: one second
	down     bool          // the connection is cut instead of an answer
}

func newOracle() *oracle { return &oracle{plans: map[string]plan{}} }

// say makes the plan of the workload that many replicas for the next hour.
func (o *oracle) say(workload string, replicas int) {
	o.dictate(workload, plan{replicas: repeat(replicas, 360), step: 10 * time.Second})
}

func (o *oracle) dictate(workload string, p plan) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.plans[workload] = p
}

// vanish makes the oracle unreachable where the workload is concerned.
func (o *oracle) vanish(workload string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	p := o.plans[workload]
	p.down = true
	o.plans[workload] = p
}

func repeat(v, n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = v
	}
	return list
}

func (o *oracle) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	workload := r.URL.Query().Get("workload")
	o.mu.Lock()
	p, known := o.plans[workload]
	o.mu.Unlock()
	switch {
	case p.down:
		panic(http.ErrAbortHandler) // cuts the connection
	case r.URL.Path != "/forecast/current" || !known:
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusNotFound)
		_, _ = w.Write([]byte(`{"type":"about:blank","title":"Not Found","status":404,"detail":"workload not found"}`))
	default:
		p.write(w, workload, time.Now())
	}
}

func (p plan) write(w http.ResponseWriter, workload string, now time.Time) {
	step := max(p.step, time.Second)
	from := p.from
	if from.IsZero() {
		from = now
	}
	from = from.Truncate(step).UTC()
	values := make([]float64, len(p.replicas))
	for i, n := range p.replicas {
		values[i] = float64(n)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Age", strconv.Itoa(int(now.Sub(from).Seconds())))
	_ = json.NewEncoder(w).Encode(map[string]any{
		"workload": workload, "metric": "dictated", "generatedAt": from, "model": "oracle", "mode": "predictive",
		"intervalSeconds": int(step.Seconds()), "stepSeconds": int(step.Seconds()),
		"horizonSeconds": int(step.Seconds()) * len(values), "values": values, "desiredReplicas": p.replicas,
	})
}
