//go:build e2e

package cluster

import (
	"context"
	"fmt"
	"testing"
	"time"

	pb "github.com/kedacore/keda/v2/pkg/scalers/externalscaler"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// reconcilers is how many ScaledObjects KEDA reconciles at a time
// (KEDA_SCALEDOBJECT_CTRL_MAX_RECONCILES).
const reconcilers = 5

// KEDA asks a scaler for its metrics while it reconciles, without a deadline: as
// many ScaledObjects on a scaler that hangs as KEDA reconciles at a time, and no
// other ScaledObject of the cluster is reconciled. It is why ours answers from
// memory and is killed within seconds when it does not.
//
// The test is not parallel: it stops everyone else's ScaledObjects too.
func TestHungScalerStopsAllReconciling(t *testing.T) {
	seen := newTable("while", "what", "seen")
	sound := workload{Namespace: "team-a", Name: "sound"}
	here.oracle.say(sound.oracle(), 4)
	sound = sound.create(t)
	sound.reaches(t, 4)
	before := workload{Namespace: "team-b", Name: "before"}
	here.oracle.say(before.oracle(), 2)
	before = before.create(t)
	seen.row("nothing hangs", "a new ScaledObject of another namespace has its HPA after", before.hasHPA(t))

	release := make(chan struct{})
	defer func() {
		if release != nil {
			close(release)
		}
	}()
	for i := range reconcilers {
		w := workload{Namespace: "team-a", Name: fmt.Sprint("hung-", i), Scaler: wireHost}
		here.wire.plays(w, part{spec: hang(release)})
		w.create(t)
	}
	await(t, func(context.Context) error {
		if waiting := here.wire.waiting(); waiting < reconcilers {
			return fmt.Errorf("KEDA waits for %d answers; want %d", waiting, reconcilers)
		}
		return nil
	})
	late := workload{Namespace: "team-b", Name: "late"}
	here.oracle.say(late.oracle(), 3)
	late = late.create(t)
	const long = 20 * time.Second
	here.oracle.say(sound.oracle(), 7)
	seen.row(fmt.Sprint(reconcilers, " hang"), "a workload scaled before follows its forecast after", sound.reaches(t, 7))
	for end := time.Now().Add(long); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		if _, err := late.hpa(t.Context()); err == nil {
			t.Errorf("KEDA reconciled another ScaledObject while %d hang; it does no more than %d at a time", reconcilers, reconcilers)
			break
		} else if client.IgnoreNotFound(err) != nil {
			t.Fatal(err)
		}
	}
	seen.row(fmt.Sprint(reconcilers, " hang"), "a new ScaledObject of another namespace has its HPA after", fmt.Sprint("not within ", long))
	close(release)
	release = nil
	seen.row("they answer", "it has", late.hasHPA(t))
	late.reaches(t, 3)
	seen.log(t)
}

// hang answers nothing until released.
func hang(release <-chan struct{}) func(context.Context) (*pb.GetMetricSpecResponse, error) {
	return func(ctx context.Context) (*pb.GetMetricSpecResponse, error) {
		select {
		case <-release:
			return target(1), nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// hasHPA waits until KEDA has made the HPA, and says how long that took.
func (w workload) hasHPA(t *testing.T) time.Duration {
	t.Helper()
	began := time.Now()
	await(t, func(ctx context.Context) error {
		_, err := w.hpa(ctx)
		return err
	})
	return time.Since(began)
}
