//go:build e2e

package cluster

import (
	"fmt"
	"testing"
	"time"
)

// sizes are those at which one replica more is 10, 5, 2 and 1 % more; the last
// only where pods cost nothing.
func sizes() []int {
	if here.local == nil {
		return []int{10, 20, 50}
	}
	return []int{10, 20, 50, 100}
}

// With tolerance 0 the HPA lands on exactly what KEDA is told.
func TestExactCountWithoutTolerance(t *testing.T) {
	t.Parallel()
	w := workload{Namespace: "team-a", Name: "exact"}
	here.oracle.say(w.oracle(), 1)
	w = w.create(t)
	seen := newTable("at", "told", "landed on", "after")
	at := 1
	for _, n := range sizes() {
		for _, told := range []int{n, n + 1, n, n - 1} {
			here.oracle.say(w.oracle(), told)
			seen.row(at, told, told, w.reaches(t, told))
			at = told
		}
	}
	seen.log(t)
}

// With the default tolerance of 0.1 a change of 10 % or less does nothing.
func TestDefaultToleranceSwallowsSmallSteps(t *testing.T) {
	t.Parallel()
	for _, n := range sizes() {
		t.Run(fmt.Sprint("at ", n), func(t *testing.T) {
			t.Parallel()
			// Without stabilization the HPA may lower to the pods there are while the last
			// tenth of them is being made, and be content with that.
			w := workload{Namespace: "team-a", Name: fmt.Sprint("tolerant-", n), Tolerance: "default", Stabilize: 15}
			here.oracle.say(w.oracle(), n)
			w = w.create(t)
			seen := newTable("at", "told", "landed on", "by the rule")
			first := n/10 + 1 // the smallest step that is above a tenth
			for _, told := range []int{n + 1, n - 1, n + first, n - first} {
				here.oracle.say(w.oracle(), n)
				if is, err := w.now(t.Context()); err != nil || is.Spec != n {
					here.oracle.say(w.oracle(), 1) // from afar it lands on n
					w.reaches(t, 1)
					here.oracle.say(w.oracle(), n)
				}
				w.reaches(t, n)
				here.oracle.say(w.oracle(), told)
				rule := lands(n, told, 0.1)
				if rule == n {
					w.hears(t, told)
					w.stays(t, n, 5*time.Second)
				} else {
					w.reaches(t, rule)
				}
				seen.row(n, told, rule, rule)
			}
			seen.log(t)
		})
	}
}

// lands is where the HPA goes from n when a metric of target 1 says told.
func lands(n, told int, tolerance float64) int {
	if ratio := float64(told) / float64(n); 1-tolerance <= ratio && ratio <= 1+tolerance {
		return n
	}
	return told
}
