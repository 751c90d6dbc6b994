//go:build e2e

package cluster

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// annotate sets an annotation of the ScaledObject, or removes it when empty.
func (w workload) annotate(t *testing.T, key, value string) {
	t.Helper()
	patch := `{"metadata":{"annotations":{"` + key + `":null}}}`
	if value != "" {
		patch = `{"metadata":{"annotations":{"` + key + `":"` + value + `"}}}`
	}
	if err := here.Client.Patch(t.Context(), w.scaledObject(), client.RawPatch("application/merge-patch+json", []byte(patch))); err != nil {
		t.Fatal(err)
	}
}

func (w workload) scaledObject() *unstructured.Unstructured {
	object := &unstructured.Unstructured{}
	object.SetAPIVersion("keda.sh/v1alpha1")
	object.SetKind("ScaledObject")
	object.SetNamespace(w.Namespace)
	object.SetName(w.Name)
	return object
}

// A paused ScaledObject is left alone and picked up again.
func TestPaused(t *testing.T) {
	t.Parallel()
	w := workload{Namespace: "team-a", Name: "paused"}
	here.oracle.say(w.oracle(), 6)
	w = w.create(t)
	w.reaches(t, 6)
	seen := newTable("what", "told", "replicas", "HPA")
	w.annotate(t, "autoscaling.keda.sh/paused", "true")
	await(t, w.hpaGone)
	here.oracle.say(w.oracle(), 12)
	w.stays(t, 6, 4*time.Second)
	seen.row("paused", 12, 6, "deleted")
	w.annotate(t, "autoscaling.keda.sh/paused", "")
	w.reaches(t, 12)
	seen.row("resumed", 12, 12, "made again")

	w.annotate(t, "autoscaling.keda.sh/paused-scale-in", "true")
	await(t, w.scaleInDisabled)
	here.oracle.say(w.oracle(), 4)
	w.hears(t, 4)
	w.stays(t, 12, 4*time.Second)
	here.oracle.say(w.oracle(), 14)
	w.reaches(t, 14)
	seen.row("only scale-in paused, told 4 then", 14, 14, "kept")
	seen.log(t)
}

func (w workload) hpaGone(ctx context.Context) error {
	_, err := w.hpa(ctx)
	if err == nil {
		return errExists
	}
	return client.IgnoreNotFound(err)
}

// scaleInDisabled is an error until the HPA may not lower.
func (w workload) scaleInDisabled(ctx context.Context) error {
	hpa, err := w.hpa(ctx)
	if err != nil {
		return err
	}
	if policy := hpa.Spec.Behavior.ScaleDown.SelectPolicy; policy == nil || *policy != autoscalingv2.DisabledPolicySelect {
		return errors.New(w.Name + ": the HPA may still lower")
	}
	return nil
}

// Deleting the ScaledObject leaves the Deployment as it is; making it again
// takes over from there.
func TestDeletedAndMadeAgain(t *testing.T) {
	t.Parallel()
	w := workload{Namespace: "team-a", Name: "again"}
	here.oracle.say(w.oracle(), 6)
	w = w.create(t)
	w.reaches(t, 6)
	if err := here.Client.Delete(t.Context(), w.scaledObject()); err != nil {
		t.Fatal(err)
	}
	await(t, w.hpaGone)
	here.oracle.say(w.oracle(), 9)
	w.stays(t, 6, 4*time.Second)
	if err := here.apply(t.Context(), w.objects(t)[1]); err != nil {
		t.Fatal(err)
	}
	t.Logf("deleted: stays at 6; made again: 9 after %.1f s", w.reaches(t, 9).Seconds())
}

// maxReplicaCount cuts a forecast, and nobody is told but the HPA's condition.
func TestForecastAboveMaximum(t *testing.T) {
	t.Parallel()
	w := workload{Namespace: "team-a", Name: "ceiling", Max: 8}
	here.oracle.say(w.oracle(), 30)
	w = w.create(t)
	w.reaches(t, 8)
	w.stays(t, 8, 3*time.Second)
	hpa, err := w.hpa(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range hpa.Status.Conditions {
		t.Logf("HPA %s=%s %s: %s", c.Type, c.Status, c.Reason, c.Message)
	}
}

// fallback.replicas 0 with minReplicaCount 0 takes an error for "nobody is here":
// it leaves one pod of six, or none, depending on whether the HPA or KEDA's own
// loop acts first.
func TestFallbackZero(t *testing.T) {
	t.Parallel()
	w := workload{Namespace: "team-a", Name: "fallback-zero", Zero: true, Fallback: "{failureThreshold: 2, replicas: 0}"}
	here.oracle.say(w.oracle(), 6)
	w = w.create(t)
	w.reaches(t, 6)
	here.oracle.vanish(w.oracle())
	began := time.Now()
	w.hasCondition(t, "Fallback", "True")
	await(t, func(ctx context.Context) error {
		is, err := w.now(ctx)
		if err == nil && is.Spec > 1 {
			err = fmt.Errorf("still wants %d pods", is.Spec)
		}
		return err
	})
	for range 5 {
		is, err := w.now(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%.0f s after the forecaster went: %d pods of 6 are left; never configure fallback.replicas 0", time.Since(began).Seconds(), is.Spec)
		time.Sleep(2 * time.Second)
	}
}
