//go:build e2e

package cluster

import (
	"context"
	"os"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kedastral/kedastral/e2e/cluster/plane"
)

// Our binaries start with the environment that each overlay, and each component
// on its own, gives them: they refuse a variable that they do not know, or a value
// that breaks a rule.
func TestSettingsAreUnderstood(t *testing.T) {
	t.Parallel()
	if here.local == nil {
		t.Skip("the pods of overlays/e2e run; other overlays are not deployed on a cluster")
	}
	for _, namespace := range []string{"team-a", "team-b"} { // those that mount Secrets
		if err := here.certify(t.Context(), namespace); err != nil {
			t.Fatal(err)
		}
	}
	if err := here.keep(t.Context(), "team-a", "kedastral-redis", map[string][]byte{"password": []byte("for nobody")}); err != nil {
		t.Fatal(err)
	}
	recording(t)
	for _, k := range kustomizations(t) {
		if k.path == "overlays/e2e" || strings.HasPrefix(k.path, "examples") {
			continue // every test starts the former, nobody the latter
		}
		objects := k.render(t)
		for _, object := range objects {
			if object.GetKind() == "Namespace" || object.GetKind() == "ServiceAccount" { // tokens are asked for
				if err := here.apply(t.Context(), object); err != nil {
					t.Fatal(err)
				}
			}
		}
		there := *here
		there.overlay = objects
		for _, object := range objects {
			if object.GetKind() != "Deployment" || !strings.HasPrefix(object.GetName(), "kedastral-") {
				continue
			}
			t.Run(k.path+"/"+object.GetNamespace()+"/"+object.GetName(), func(t *testing.T) {
				d, err := manifest[appsv1.Deployment](objects, "Deployment", object.GetNamespace(), object.GetName())
				if err != nil {
					t.Fatal(err)
				}
				understood(t, &service{h: &there, deploy: d, made: 100})
			})
		}
	}
}

// recording makes the ConfigMap that overlays/kind replays.
func recording(t *testing.T) {
	t.Helper()
	text, err := os.ReadFile("../demo/nasa-http.csv")
	if err != nil {
		t.Fatal(err)
	}
	settings := corev1.ConfigMap{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
		ObjectMeta: metav1.ObjectMeta{Name: "recording", Namespace: "kedastral"},
		Data:       map[string]string{"nasa-http.csv": string(text)},
	}
	object, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&settings)
	if err != nil {
		t.Fatal(err)
	}
	if err := here.apply(t.Context(), &unstructured.Unstructured{Object: object}); err != nil {
		t.Fatal(err)
	}
}

// understood starts one replica and ends it once it is alive.
func understood(t *testing.T, s *service) {
	t.Helper()
	p, err := s.start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer p.process.Stop()
	if err := plane.Await(t.Context(), patience, func(ctx context.Context) error {
		if p.process.Ended() {
			return nil
		}
		return s.alive(ctx, p)
	}); err != nil || p.process.Ended() {
		log, _ := os.ReadFile(p.process.Log)
		t.Fatalf("%v: %s", err, log)
	}
}
