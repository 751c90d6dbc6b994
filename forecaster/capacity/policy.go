package capacity

import (
	"errors"
	"fmt"
	"math"
)

// MaxCount bounds every count: KEDA and the HPA carry replicas as int32.
const MaxCount = math.MaxInt32

// Policy says how load becomes replicas. A zero limit does not limit.
type Policy struct {
	TargetPerPod          float64 // load one pod carries, in the metric's unit; > 0
	Headroom              float64 // factor on the load; ≥ 1, and 0 is 1
	MinReplicas           int     // ≥ 0
	MaxReplicas           int     // ≥ MinReplicas and ≥ 1
	UpMaxFactorPerStep    float64 // a step is at most this factor above the one before; > 1, 0 does not limit
	DownMaxPercentPerStep int     // a step is at most this percentage below the one before; 1–100, 0 does not limit
	PrewarmWindowSteps    int     // a step needs what any of this many later steps needs, too; ≥ 0
	Quantile              float64 // plan for this quantile of the load, in (0, 1); 0 plans for the median
}

// Validate names every field that breaks its rule.
func (p Policy) Validate() error {
	var errs []error
	rule := func(ok bool, field string, value any, rule string) {
		if !ok {
			errs = append(errs, fmt.Errorf("%s=%v: must be %s", field, value, rule))
		}
	}
	rule(p.TargetPerPod > 0 && finite(p.TargetPerPod), "TargetPerPod", p.TargetPerPod, "a positive number")
	rule(p.Headroom == 0 || p.Headroom >= 1 && finite(p.Headroom), "Headroom", p.Headroom, "at least 1")
	rule(p.MinReplicas >= 0, "MinReplicas", p.MinReplicas, "at least 0")
	rule(p.MaxReplicas >= max(1, p.MinReplicas) && p.MaxReplicas <= MaxCount, "MaxReplicas", p.MaxReplicas,
		fmt.Sprintf("between MinReplicas (at least 1) and %d", MaxCount))
	rule(p.UpMaxFactorPerStep == 0 || p.UpMaxFactorPerStep > 1 && finite(p.UpMaxFactorPerStep),
		"UpMaxFactorPerStep", p.UpMaxFactorPerStep, "greater than 1, or 0 for no limit")
	rule(p.DownMaxPercentPerStep >= 0 && p.DownMaxPercentPerStep <= 100,
		"DownMaxPercentPerStep", p.DownMaxPercentPerStep, "between 1 and 100, or 0 for no limit")
	rule(p.PrewarmWindowSteps >= 0, "PrewarmWindowSteps", p.PrewarmWindowSteps, "at least 0")
	rule(p.Quantile >= 0 && p.Quantile < 1, "Quantile", p.Quantile, "between 0 and 1, or 0 for the median")
	return errors.Join(errs...)
}

// Need is how many replicas a load asks for: rounded up, before any limit but
// within the bounds. ok is false for a load that is not finite.
func (p Policy) Need(load float64) (replicas int, ok bool) {
	if !finite(load) {
		return 0, false
	}
	return p.bound(roundUp(p.adjusted(load))), true
}

// adjusted is the load in pods, headroom included.
func (p Policy) adjusted(load float64) float64 {
	return max(load, 0) / p.TargetPerPod * max(p.Headroom, 1)
}

func (p Policy) bound(n int) int { return min(max(n, p.MinReplicas), p.MaxReplicas) }

// roundUp is the ceiling that forgives the last digits of a division: 0.3/0.1
// is three pods and not four.
func roundUp(pods float64) int {
	const slack = 1e-12
	return int(min(math.Ceil(pods*(1-slack)), MaxCount))
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
