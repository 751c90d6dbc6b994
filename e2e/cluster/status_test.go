//go:build e2e

package cluster

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kedastral/kedastral/e2e/cluster/plane"
)

// patience is how long anything may take that only has to happen: a machine busy
// with other things makes everything late.
const patience = 4 * time.Minute

// await waits until ready answers without an error.
func await(t *testing.T, ready func(context.Context) error) {
	t.Helper()
	if err := plane.Await(t.Context(), patience, ready); err != nil {
		t.Fatal(err)
	}
}

// condition is the ScaledObject's condition as "Status Reason: Message".
func (w workload) condition(ctx context.Context, kind string) (string, error) {
	object := &unstructured.Unstructured{}
	object.SetAPIVersion("keda.sh/v1alpha1")
	object.SetKind("ScaledObject")
	if err := here.Client.Get(ctx, w.key(), object); err != nil {
		return "", err
	}
	conditions, _, err := unstructured.NestedSlice(object.Object, "status", "conditions")
	for _, c := range conditions {
		if c, ok := c.(map[string]any); ok && c["type"] == kind {
			return fmt.Sprintf("%v %v: %v", c["status"], c["reason"], c["message"]), nil
		}
	}
	return "", err
}

// hasCondition waits for a condition that begins so.
func (w workload) hasCondition(t *testing.T, kind, beginning string) string {
	t.Helper()
	var is string
	await(t, func(ctx context.Context) (err error) {
		if is, err = w.condition(ctx, kind); err == nil && !strings.HasPrefix(is, beginning) {
			err = fmt.Errorf("%s: condition %s is %q; want %q", w.Name, kind, is, beginning)
		}
		return err
	})
	return is
}

// hpaCondition is the HPA's condition as "Status Reason: Message".
func (w workload) hpaCondition(ctx context.Context, kind autoscalingv2.HorizontalPodAutoscalerConditionType) (string, error) {
	hpa, err := w.hpa(ctx)
	for _, c := range hpa.Status.Conditions {
		if c.Type == kind {
			return fmt.Sprintf("%s %s: %s", c.Status, c.Reason, c.Message), err
		}
	}
	return "", err
}

// scalingActive waits for the HPA's condition ScalingActive.
func (w workload) scalingActive(t *testing.T, status corev1.ConditionStatus) (is string) {
	t.Helper()
	await(t, func(ctx context.Context) (err error) {
		if is, err = w.hpaCondition(ctx, autoscalingv2.ScalingActive); err == nil && !strings.HasPrefix(is, string(status)) {
			err = fmt.Errorf("%s: ScalingActive is %q; want %s", w.Name, is, status)
		}
		return err
	})
	return is
}

// hasEvent waits for an event on the ScaledObject or its HPA that says text.
func (w workload) hasEvent(t *testing.T, text string) string {
	t.Helper()
	var found string
	await(t, func(ctx context.Context) error {
		var events corev1.EventList
		if err := here.Client.List(ctx, &events, client.InNamespace(w.Namespace)); err != nil {
			return err
		}
		var seen []string
		for _, e := range events.Items {
			if e.InvolvedObject.Name != w.Name && e.InvolvedObject.Name != "keda-hpa-"+w.Name {
				continue
			}
			line := fmt.Sprintf("%s %s %s: %s", e.InvolvedObject.Kind, e.Type, e.Reason, e.Message)
			if strings.Contains(e.Message, text) {
				found = line
				return nil
			}
			seen = append(seen, line)
		}
		return fmt.Errorf("%s: no event says %q, only:\n%s", w.Name, text, strings.Join(seen, "\n"))
	})
	return found
}

// table collects rows and logs them aligned.
type table struct {
	text strings.Builder
	w    *tabwriter.Writer
}

func newTable(columns ...any) *table {
	t := &table{}
	t.w = tabwriter.NewWriter(&t.text, 0, 0, 2, ' ', 0)
	t.row(columns...)
	return t
}

func (t *table) row(cells ...any) {
	for i, cell := range cells {
		if i > 0 {
			fmt.Fprint(t.w, "\t")
		}
		if d, ok := cell.(time.Duration); ok {
			cell = fmt.Sprintf("%.1f s", d.Seconds())
		}
		fmt.Fprint(t.w, cell)
	}
	fmt.Fprintln(t.w)
}

func (t *table) log(to *testing.T) {
	to.Helper()
	if err := t.w.Flush(); err != nil {
		to.Error(err)
	}
	to.Log("\n" + t.text.String())
}
