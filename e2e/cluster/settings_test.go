//go:build e2e

package cluster

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/kedastral/kedastral/e2e/cluster/plane"
)

// Our binaries start with the environment that each overlay gives them: they
// refuse a variable that they do not know, or a value that breaks a rule.
func TestSettingsAreUnderstood(t *testing.T) {
	t.Parallel()
	if here.local == nil {
		t.Skip("the pods of overlays/e2e run; other overlays are not deployed on a cluster")
	}
	for _, namespace := range []string{"team-a", "team-b"} { // production mounts Secrets
		if err := here.certify(t.Context(), namespace); err != nil {
			t.Fatal(err)
		}
	}
	for _, overlay := range []string{"overlays/dev", "overlays/production"} {
		objects, err := plane.Render(filepath.Join(manifests, overlay))
		if err != nil {
			t.Fatal(err)
		}
		there := *here
		there.overlay = objects
		for _, object := range objects {
			if object.GetKind() != "Deployment" {
				continue
			}
			t.Run(overlay+"/"+object.GetNamespace(), func(t *testing.T) {
				d, err := manifest[appsv1.Deployment](objects, "Deployment", object.GetNamespace(), object.GetName())
				if err != nil {
					t.Fatal(err)
				}
				understood(t, &service{h: &there, deploy: d, made: 100})
			})
		}
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
	if err := plane.Await(t.Context(), time.Minute, func(ctx context.Context) error {
		return plane.Healthy(ctx, s.url(p)+"/healthz")
	}); err != nil {
		log, _ := os.ReadFile(p.process.Log)
		t.Fatalf("%v: %s", err, log)
	}
}
