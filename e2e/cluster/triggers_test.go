//go:build e2e

package cluster

import (
	"testing"
)

// The HPA takes the larger of our trigger and a reactive one, whichever it is.
func TestLargerTriggerWins(t *testing.T) {
	t.Parallel()
	w := workload{Namespace: "team-a", Name: "larger", Triggers: reactive(t, "team-a/larger", 10)}
	here.oracle.say(w.oracle(), 4)
	here.load.set(w.oracle(), steady(10))
	w = w.create(t)
	seen := newTable("forecast says", "reactive says", "replicas", "after")
	for _, now := range []struct{ ours, load, want int }{
		{4, 10, 4},   // ours is larger
		{4, 100, 10}, // the forecast is too low: the reactive one saves the day
		{15, 100, 15},
		{15, 300, 30},
		{40, 300, 40},
		{2, 50, 5}, // and down again, to the larger of the two
	} {
		here.oracle.say(w.oracle(), now.ours)
		here.load.set(w.oracle(), steady(float64(now.load)))
		seen.row(now.ours, now.load/10, now.want, w.reaches(t, now.want))
	}
	seen.log(t)
}
