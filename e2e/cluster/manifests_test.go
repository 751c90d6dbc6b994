//go:build e2e

package cluster

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kedastral/kedastral/e2e/cluster/plane"
)

// warnings collects what the API server warns about.
type warnings struct {
	mu   sync.Mutex
	list []string
}

// HandleWarningHeader is called for every warning of an answer.
func (w *warnings) HandleWarningHeader(_ int, _, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.list = append(w.list, text)
}

func (w *warnings) take() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	list := w.list
	w.list = nil
	return list
}

// careful is a client that changes nothing and keeps the server's warnings.
func careful(t *testing.T) (client.Client, *warnings) {
	t.Helper()
	heard := &warnings{}
	config := rest.CopyConfig(here.Config)
	config.WarningHandler = heard
	c, err := client.New(config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return client.NewDryRunClient(c), heard
}

// Every overlay, every component over its bases, and every example is accepted by
// the API server, by KEDA's webhook and by the restricted Pod Security Standard,
// without a warning.
func TestManifestsAreAccepted(t *testing.T) {
	t.Parallel()
	monitoring(t)
	for _, k := range kustomizations(t) {
		t.Run(k.path, func(t *testing.T) {
			dry, heard := careful(t)
			first, rest := namespacesFirst(k.render(t))
			if err := here.apply(t.Context(), first...); err != nil { // a dry run does not make what the others live in
				t.Fatal(err)
			}
			seen := newTable("kind", "namespace", "name", "warnings")
			for _, object := range rest {
				if err := plane.Apply(t.Context(), dry, []*unstructured.Unstructured{object}); err != nil {
					t.Error(err)
				}
				if err := podsAdmitted(t.Context(), dry, object); err != nil {
					t.Errorf("pods of %s %s/%s: %v", object.GetKind(), object.GetNamespace(), object.GetName(), err)
				}
				said := heard.take()
				if len(said) > 0 {
					t.Errorf("%s %s/%s: warnings: %s", object.GetKind(), object.GetNamespace(), object.GetName(), said)
				}
				seen.row(object.GetKind(), object.GetNamespace(), object.GetName(), len(said))
			}
			seen.log(t)
		})
	}
}

// podsAdmitted makes a pod of a Deployment's template, for the Pod Security
// Standard is enforced on pods and not on what makes them.
func podsAdmitted(ctx context.Context, dry client.Client, object *unstructured.Unstructured) error {
	if object.GetKind() != "Deployment" {
		return nil
	}
	template, _, err := unstructured.NestedMap(object.Object, "spec", "template")
	if err != nil {
		return err
	}
	var pod corev1.Pod
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(template, &pod); err != nil {
		return err
	}
	pod.ObjectMeta = metav1.ObjectMeta{Namespace: object.GetNamespace(), GenerateName: object.GetName() + "-", Labels: pod.Labels}
	pod.Spec.ServiceAccountName = "default" // ours is only there once the overlay is applied
	pod.Spec.PriorityClassName = ""         // likewise
	return dry.Create(ctx, &pod)
}

// The Deployments of overlays/e2e, applied for good, get the pods they ask for:
// scheduled, admitted as restricted, and available.
func TestDeploymentsRollOut(t *testing.T) {
	t.Parallel()
	for _, object := range here.overlay {
		if object.GetKind() != "Deployment" {
			continue
		}
		d, err := manifest[appsv1.Deployment](here.overlay, "Deployment", object.GetNamespace(), object.GetName())
		if err != nil {
			t.Fatal(err)
		}
		if err := (&service{h: here, deploy: d}).rolledOut(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// A pod that breaks the restricted standard is refused where ours are admitted:
// the check above could fail.
func TestRestrictedIsEnforced(t *testing.T) {
	t.Parallel()
	dry, _ := careful(t)
	err := dry.Create(t.Context(), &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "root"},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "c"}}},
	})
	if err == nil || !strings.Contains(err.Error(), "restricted") {
		t.Errorf("a pod that may be root: %v; must be refused as not restricted", err)
	}
}

// monitoring adds the Prometheus operator's resources that the components use
// to the cluster.
func monitoring(t *testing.T) {
	t.Helper()
	dir := os.Getenv("E2E_MONITORING")
	if dir == "" {
		t.Fatal("E2E_MONITORING is not set: the folder of the Prometheus operator's definitions; run scripts/e2e")
	}
	for file, kind := range map[string]string{
		"monitoring.coreos.com_servicemonitors.yaml": "ServiceMonitorList",
		"monitoring.coreos.com_prometheusrules.yaml": "PrometheusRuleList",
	} {
		text, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		objects, err := plane.Decode(text)
		if err != nil {
			t.Fatal(err)
		}
		if err := here.apply(t.Context(), objects...); err != nil {
			t.Fatal(err)
		}
		list := &unstructured.UnstructuredList{}
		list.SetAPIVersion("monitoring.coreos.com/v1")
		list.SetKind(kind)
		await(t, func(ctx context.Context) error { return here.Client.List(ctx, list) })
	}
}
