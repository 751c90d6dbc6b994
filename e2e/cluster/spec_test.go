//go:build e2e

package cluster

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	pb "github.com/kedacore/keda/v2/pkg/scalers/externalscaler"
)

// An error of GetMetricSpec takes the other triggers of the ScaledObject along,
// and fallback does not act; an error of GetMetrics does neither. So ours answers
// GetMetricSpec with a constant, whatever happens.
func TestSpecErrorTakesOtherTriggersAlong(t *testing.T) {
	t.Parallel()
	w := workload{
		Namespace: "team-a", Name: "along", Scaler: wireHost, Triggers: reactive(t, "team-a/along", 10),
		Fallback: "{failureThreshold: 2, replicas: 9, behavior: currentReplicasIfHigher}",
	}
	here.wire.plays(w, part{metrics: told(count(2))})
	here.load.set(w.oracle(), steady(50))
	w = w.create(t)
	w.reaches(t, 5)
	seen := newTable("ours", "reactive says", "replicas", "the HPA's ScalingActive")

	here.wire.plays(w, part{spec: refused[*pb.GetMetricSpecResponse](errPlayed)})
	w.scalingActive(t, "False")
	here.load.set(w.oracle(), steady(150))
	asked := len(w.asks(t, "GetMetricSpec", 20))
	w.stays(t, 5, 5*time.Second)
	seen.row(fmt.Sprintf("GetMetricSpec fails, %d times", asked), 15, 5, w.scalingActive(t, "False"))
	if is, err := w.condition(t.Context(), "Fallback"); err != nil || is[:5] != "False" {
		t.Errorf("Fallback is %q, %v: KEDA now falls back when GetMetricSpec fails; KEDA's issue 8056 is mended", is, err)
	}

	here.wire.plays(w, part{metrics: refused[*pb.GetMetricsResponse](errPlayed)})
	w.reaches(t, 15)
	seen.row("GetMetrics fails", 15, 15, w.scalingActive(t, "True"))
	w.hasCondition(t, "Fallback", "True")
	here.wire.plays(w, part{metrics: told(count(2))})
	here.load.set(w.oracle(), steady(40))
	w.reaches(t, 4)
	seen.row("2", 4, 4, w.scalingActive(t, "True"))
	seen.log(t)
}

// Should KEDA reconcile while GetMetricSpec fails, with another trigger that
// answers, it takes our metric out of the HPA. It puts it back at the poll that
// finds us sound after one that did not.
func TestSpecErrorWhileReconciling(t *testing.T) {
	t.Parallel()
	w, seen := rewritten(t, "rewritten", 2)
	w.loses(t)
	seen.row("fails, and the ScaledObject is changed", 1, "")
	w.hasCondition(t, "Ready", "Unknown")
	here.wire.plays(w, part{metrics: told(count(8))})
	w.hasMetrics(t, 2)
	w.reaches(t, 8)
	seen.row("answers again, and is polled every 2 s", 2, 8)
	seen.log(t)
}

// Until that poll, the other trigger is alone in the HPA, although ours answers;
// a change of the ScaledObject mends it at once.
func TestSpecErrorWhileReconcilingBetweenPolls(t *testing.T) {
	t.Parallel()
	w, seen := rewritten(t, "rewritten-unpolled", 600)
	for attempt := 1; attempt <= 4; attempt++ {
		w.loses(t)
		w.settles(t)
		here.wire.plays(w, part{metrics: told(count(8))})
		if w.alone(t, 20*time.Second) {
			is, err := w.now(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			seen.row("fails while the ScaledObject is changed, then answers for 20 s", 1, is.Spec)
			w.changes(t)
			break
		}
		seen.row("fails, then answers, and KEDA happens to reconcile", 2, "")
	}
	w.hasMetrics(t, 2)
	w.reaches(t, 8)
	seen.row("answers, and the ScaledObject is changed", 2, 8)
	seen.log(t)
}

// rewritten is a workload with our trigger saying 8 and a reactive one saying 2.
func rewritten(t *testing.T, name string, poll int) (workload, *table) {
	t.Helper()
	w := workload{Namespace: "team-a", Name: name, Scaler: wireHost, Poll: poll}
	w.Triggers = reactive(t, w.oracle(), 10)
	here.wire.plays(w, part{metrics: told(count(8))})
	here.load.set(w.oracle(), steady(20))
	w = w.create(t)
	w.reaches(t, 8)
	w.hasCondition(t, "Ready", "True")
	w.hasMetrics(t, 2)
	seen := newTable("our GetMetricSpec", "metrics of the HPA", "replicas")
	seen.row("answers", 2, 8)
	return w, seen
}

// loses lets GetMetricSpec fail while KEDA reconciles.
func (w *workload) loses(t *testing.T) {
	t.Helper()
	here.wire.plays(*w, part{spec: refused[*pb.GetMetricSpecResponse](errPlayed)})
	w.changes(t)
	w.hasMetrics(t, 1)
}

// settles waits until KEDA has left the ScaledObject alone for ten seconds: what
// it writes itself makes it reconcile again.
func (w workload) settles(t *testing.T) {
	t.Helper()
	version, since := "", time.Now()
	await(t, func(ctx context.Context) error {
		object := w.scaledObject()
		if err := here.Client.Get(ctx, w.key(), object); err != nil {
			return err
		}
		if object.GetResourceVersion() != version {
			version, since = object.GetResourceVersion(), time.Now()
		}
		if time.Since(since) < 10*time.Second {
			return errors.New(w.Name + ": KEDA keeps writing its status")
		}
		return nil
	})
}

// alone tells whether the HPA has one metric for that long.
func (w workload) alone(t *testing.T, during time.Duration) bool {
	t.Helper()
	for end := time.Now().Add(during); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		hpa, err := w.hpa(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(hpa.Spec.Metrics) != 1 {
			return false
		}
	}
	return true
}

// changes makes KEDA reconcile the ScaledObject.
func (w *workload) changes(t *testing.T) {
	t.Helper()
	w.Max--
	w.apply(t, w.objects(t)[1:])
}

// hasMetrics waits until the HPA has that many metrics.
func (w workload) hasMetrics(t *testing.T, n int) {
	t.Helper()
	await(t, func(ctx context.Context) error {
		hpa, err := w.hpa(ctx)
		if err == nil && len(hpa.Spec.Metrics) != n {
			err = fmt.Errorf("%s: the HPA has %d metrics; want %d", w.Name, len(hpa.Spec.Metrics), n)
		}
		return err
	})
}
