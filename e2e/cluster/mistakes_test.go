//go:build e2e

package cluster

import (
	"strings"
	"testing"
	"time"
)

// A ScaledObject that cannot work tells its author how to mend it.
func TestMistakesAreExplained(t *testing.T) {
	t.Parallel()
	for _, mistake := range []struct{ name, metadata, says string }{
		{"unknown-workload", "workload: nowhere", "forecaster has no such workload: check the trigger's workload and the forecaster's WORKLOADS"},
		{"malformed-lead", "leadTime: soon", "leadTime must be a duration such as 5m"},
		{"negative-lead", `leadTime: "-5m"`, "leadTime must be a duration such as 5m"},
		{"misspelt-key", "leadtime: 5m", "a key is misspelt: write leadTime"},
		{"zero-fallback", `fallbackReplicas: "0"`, "fallbackReplicas must be a whole number, at least 1"},
		{"bad-name", "workload: No_Such/Name!", "workload must be NAME or NAMESPACE/NAME"},
	} {
		t.Run(mistake.name, func(t *testing.T) {
			t.Parallel()
			w := workload{Namespace: "team-a", Name: mistake.name, Metadata: mistake.metadata, Replicas: 3}
			here.oracle.say(w.oracle(), 9)
			w = w.create(t)
			t.Log(w.hasEvent(t, mistake.says))
			t.Log("Ready is", w.hasCondition(t, "Ready", "False"))
			w.stays(t, 3, 3*time.Second) // and nothing is scaled on a guess
		})
	}
}

// What KEDA itself refuses, it refuses when the ScaledObject is applied.
func TestAdmissionRefuses(t *testing.T) {
	t.Parallel()
	first := workload{Namespace: "team-a", Name: "taken"}
	here.oracle.say(first.oracle(), 2)
	first = first.create(t)
	second := first.objects(t)[1]
	second.SetName("taken-twice")
	if err := here.apply(t.Context(), second); err == nil || !strings.Contains(err.Error(), "already managed") {
		t.Errorf("a second ScaledObject on one Deployment: %v; must be refused as already managed", err)
	}
	upside := first.objects(t)[1]
	upside.Object["spec"].(map[string]any)["minReplicaCount"] = int64(300)
	if err := here.apply(t.Context(), upside); err == nil || !strings.Contains(err.Error(), "minReplicaCount") {
		t.Errorf("minReplicaCount above maxReplicaCount: %v; must be refused", err)
	}
}
