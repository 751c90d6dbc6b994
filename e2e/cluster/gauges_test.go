//go:build e2e

package cluster

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"
)

// gauges is the application whose load Prometheus scrapes: each workload's is a
// function of time.
type gauges struct {
	mu   sync.Mutex
	load map[string]func(time.Time) float64
}

func newGauges() *gauges { return &gauges{load: map[string]func(time.Time) float64{}} }

// set makes load(now) the load of the workload.
func (g *gauges) set(workload string, load func(time.Time) float64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.load[workload] = load
}

// steady is a load that does not change.
func steady(v float64) func(time.Time) float64 { return func(time.Time) float64 { return v } }

func (g *gauges) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	now := time.Now()
	g.mu.Lock()
	defer g.mu.Unlock()
	fmt.Fprintln(w, "# TYPE e2e_load gauge")
	for _, workload := range slices.Sorted(maps.Keys(g.load)) {
		fmt.Fprintf(w, "e2e_load{workload=%q} %g\n", workload, g.load[workload](now))
	}
}
