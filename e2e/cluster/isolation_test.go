//go:build e2e

package cluster

import (
	"testing"
	"time"
)

const foreign = "this scaler serves another namespace"

// Two namespaces with a scaler each do not see one another's workloads, whatever
// a ScaledObject asks for.
func TestNamespacesAreApart(t *testing.T) {
	t.Parallel()
	mine := workload{Namespace: "team-a", Name: "mine"}
	same := workload{Namespace: "team-b", Name: "mine"} // the same name is another workload
	here.oracle.say(mine.oracle(), 7)
	here.oracle.say(same.oracle(), 3)
	mine, same = mine.create(t), same.create(t)
	mine.reaches(t, 7)
	same.reaches(t, 3)

	seen := newTable("a ScaledObject of team-b", "replicas", "what its author reads")
	for _, thief := range []struct {
		what string
		w    workload
	}{
		{"asks team-a's scaler", workload{Name: "thief-address", Scaler: "kedastral-scaler.team-a.svc", Metadata: "workload: mine"}},
		{"asks team-a's scaler for team-a/mine", workload{Name: "thief-both", Scaler: "kedastral-scaler.team-a.svc", Metadata: "workload: team-a/mine"}},
		{"asks its own for team-a/mine", workload{Name: "thief-name", Metadata: "workload: team-a/mine"}},
	} {
		thief.w.Namespace, thief.w.Replicas, thief.w.Max = "team-b", 2, 20
		w := thief.w.create(t)
		event := w.hasEvent(t, foreign)
		w.stays(t, 2, 3*time.Second)
		seen.row(thief.what, 2, event)
	}
	seen.log(t)
}
