//go:build e2e

package cluster

import (
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	pb "github.com/kedacore/keda/v2/pkg/scalers/externalscaler"
)

var errPlayed = errors.New("played")

// What KEDA does with what a scaler may say, and why ours says what it says. The
// tests of this file play the scaler.

// fields is a metric's two fields as they stand on the wire.
func fields(whole int64, float float64) *pb.GetMetricsResponse {
	return &pb.GetMetricsResponse{MetricValues: []*pb.MetricValue{{MetricName: "played", MetricValue: whole, MetricValueFloat: float}}}
}

// A number that is none is zero to KEDA, and the workload goes to its minimum:
// what is not known has to be an error.
func TestNoNumberIsZero(t *testing.T) {
	t.Parallel()
	for _, kind := range []struct {
		name string
		says *pb.GetMetricsResponse
	}{
		{"nan", fields(0, math.NaN())},
		{"infinite", fields(0, math.Inf(1))},
		{"less-than-infinite", fields(0, math.Inf(-1))},
		{"negative", fields(-5, -5)},
	} {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			w := workload{Namespace: "team-a", Name: "number-" + kind.name, Scaler: wireHost}
			here.wire.plays(w, part{metrics: told(count(6))})
			w = w.create(t)
			w.reaches(t, 6)
			here.wire.plays(w, part{metrics: told(kind.says)})
			t.Logf("told %v after 6: at 1, the minimum, after %.1f s", kind.says.MetricValues[0], w.reaches(t, 1).Seconds())
		})
	}
}

// KEDA takes the floating-point field where that is above zero, and the whole
// number otherwise; before 2.17 it knows the latter alone. Ours fills both.
func TestBothFieldsOfANumber(t *testing.T) {
	t.Parallel()
	for _, kind := range []struct {
		name   string
		target *pb.MetricSpec
		says   *pb.GetMetricsResponse
		want   int
	}{
		{"both", &pb.MetricSpec{TargetSize: 1, TargetSizeFloat: 1}, fields(7, 7), 7},
		{"whole", &pb.MetricSpec{TargetSize: 1}, fields(7, 0), 7},
		{"float", &pb.MetricSpec{TargetSizeFloat: 1}, fields(0, 7), 7},
		{"differ", &pb.MetricSpec{TargetSize: 3, TargetSizeFloat: 1}, fields(9, 4.5), 5}, // the float of either, rounded up
	} {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			w := workload{Namespace: "team-a", Name: "field-" + kind.name, Scaler: wireHost}
			kind.target.MetricName = "played"
			here.wire.plays(w, part{spec: told(&pb.GetMetricSpecResponse{MetricSpecs: []*pb.MetricSpec{kind.target}}), metrics: told(kind.says)})
			w = w.create(t)
			w.reaches(t, kind.want)
			t.Logf("target %v, value %v: %d replicas", kind.target, kind.says.MetricValues[0], kind.want)
		})
	}
}

// With useCachedMetrics the HPA is told what the poll found, an error as well,
// while the spec is still asked for each time. Ours answers from memory: it is not
// needed.
func TestCachedMetrics(t *testing.T) {
	t.Parallel()
	seen := newTable("useCachedMetrics", "GetMetricSpec asked", "GetMetrics asked", "in")
	for _, cached := range []bool{false, true} {
		w := workload{Namespace: "team-a", Name: fmt.Sprint("cached-", cached), Scaler: wireHost, Poll: 10, Trigger: fmt.Sprint("useCachedMetrics: ", cached)}
		here.wire.plays(w, part{metrics: told(count(3))})
		w = w.create(t)
		w.reaches(t, 3)
		before, began := len(here.wire.heard(w, "GetMetrics")), time.Now()
		specs := len(w.asks(t, "GetMetricSpec", 30))
		metrics, took := len(here.wire.heard(w, "GetMetrics"))-before, time.Since(began)
		seen.row(cached, specs, metrics, took)
		polls := int(took/(10*time.Second)) + 2
		if cached && metrics > polls {
			t.Errorf("GetMetrics was asked %d times in %v; the %d polls alone should ask with useCachedMetrics", metrics, took, polls)
		}
		if !cached && metrics < specs/2 {
			t.Errorf("GetMetrics was asked %d times for %d specs; each question of the HPA should ask", metrics, specs)
		}
		if cached {
			w.keepsTheError(t)
		}
	}
	seen.log(t)
}

// keepsTheError lets one poll fail and shows that the HPA is told so until the
// next.
func (w workload) keepsTheError(t *testing.T) {
	t.Helper()
	here.wire.plays(w, part{metrics: refused[*pb.GetMetricsResponse](errPlayed)})
	w.scalingActive(t, "False")
	here.wire.plays(w, part{metrics: told(count(3))})
	healed, asked := time.Now(), len(here.wire.heard(w, "GetMetrics"))
	w.scalingActive(t, "True")
	t.Logf("a poll failed: sound again, the HPA heard so %.1f s later, after %d more questions for the value",
		time.Since(healed).Seconds(), len(here.wire.heard(w, "GetMetrics"))-asked)
}

// A formula over the triggers' values makes one metric of them: it has no value
// while any of them has none. Triggers of their own are better.
func TestFormula(t *testing.T) {
	t.Parallel()
	w := workload{
		Namespace: "team-a", Name: "formula", Triggers: reactive(t, "team-a/formula", 10),
		Advanced: `scalingModifiers: {formula: "max(predict, react / 10)", target: "1"}`,
	}
	here.oracle.say(w.oracle(), 4)
	here.load.set(w.oracle(), steady(20))
	w = w.create(t)
	seen := newTable("ours says", "reactive says", "replicas", "the HPA's ScalingActive")
	w.reaches(t, 4)
	seen.row(4, 2, 4, w.scalingActive(t, "True"))
	here.load.set(w.oracle(), steady(80))
	w.reaches(t, 8)
	seen.row(4, 8, 8, w.scalingActive(t, "True"))
	here.oracle.vanish(w.oracle())
	is := w.scalingActive(t, "False")
	here.load.set(w.oracle(), steady(150))
	w.stays(t, 8, 10*time.Second)
	seen.row("an error", 15, 8, is)
	here.oracle.say(w.oracle(), 4)
	w.reaches(t, 15)
	seen.row(4, 15, 15, w.scalingActive(t, "True"))
	seen.log(t)
}

// With fallback.behavior scalingModifiers a trigger that fails is nil to the
// formula, which then says what to do.
func TestFormulaWithFallback(t *testing.T) {
	t.Parallel()
	w := workload{
		Namespace: "team-a", Name: "formula-fallback", Triggers: reactive(t, "team-a/formula-fallback", 10),
		Advanced: `scalingModifiers: {formula: "max(predict ?? 0, react / 10)", target: "1"}`,
		Fallback: "{failureThreshold: 2, replicas: 3, behavior: scalingModifiers}",
	}
	here.oracle.say(w.oracle(), 6)
	here.load.set(w.oracle(), steady(20))
	w = w.create(t)
	seen := newTable("ours says", "reactive says", "replicas")
	w.reaches(t, 6)
	seen.row(6, 2, 6)
	here.oracle.vanish(w.oracle())
	here.load.set(w.oracle(), steady(110))
	w.reaches(t, 11)
	seen.row("an error", 11, 11)
	here.oracle.say(w.oracle(), 6)
	here.load.set(w.oracle(), steady(20))
	w.reaches(t, 6)
	seen.row(6, 2, 6)
	seen.log(t)
}

// idleReplicaCount is where an inactive workload goes, and the minimum is where
// it wakes to: an activation of ours moves between them.
func TestIdle(t *testing.T) {
	t.Parallel()
	w := workload{Namespace: "team-a", Name: "idle", Min: 3, Poll: 2, Spec: "idleReplicaCount: 0"}
	here.oracle.say(w.oracle(), 0)
	w = w.create(t)
	seen := newTable("told", "replicas")
	for _, say := range []struct{ told, want int }{{0, 0}, {1, 3}, {5, 5}, {2, 3}, {0, 0}} {
		here.oracle.say(w.oracle(), say.told)
		w.reaches(t, say.want)
		seen.row(say.told, say.want)
	}
	seen.log(t)
}
