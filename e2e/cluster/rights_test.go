//go:build e2e

package cluster

import (
	"context"
	"fmt"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// The forecaster's service account may do what components/token and
// components/lease have it do, by the rights that they give it, and no more.
func TestRightsAreEnoughAndNoMore(t *testing.T) {
	t.Parallel()
	const namespace, account = "team-a", "kedastral-forecaster"
	lease := ""
	for _, component := range []string{"components/token/forecaster", "components/lease/forecaster"} {
		for _, object := range (kustomization{component, onBases(t, component)}).render(t) {
			switch object.GetKind() {
			case "ConfigMap":
				if name, found, err := unstructured.NestedString(object.Object, "data", "LEASE_NAME"); err == nil && found {
					lease = name
				}
			case "ServiceAccount", "Role", "RoleBinding", "ClusterRoleBinding":
				if err := here.apply(t.Context(), object); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	config := rest.CopyConfig(here.Config)
	config.Impersonate = rest.ImpersonationConfig{
		UserName: "system:serviceaccount:" + namespace + ":" + account,
		Groups:   []string{"system:serviceaccounts", "system:serviceaccounts:" + namespace, "system:authenticated"},
	}
	forecaster, err := client.New(config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	named := func(name string) *coordinationv1.Lease {
		return &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	}
	held := named(lease)
	take := client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"holderIdentity":"one","leaseDurationSeconds":15}}`))
	for _, may := range []struct {
		what string
		do   func(context.Context) error
	}{
		{"review a token", func(ctx context.Context) error {
			return forecaster.Create(ctx, &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: "x"}})
		}},
		{"make its Lease", func(ctx context.Context) error {
			return client.IgnoreAlreadyExists(forecaster.Create(ctx, held.DeepCopy()))
		}},
		{"read it", func(ctx context.Context) error {
			return forecaster.Get(ctx, client.ObjectKeyFromObject(held), named(""))
		}},
		{"take it", func(ctx context.Context) error { return forecaster.Patch(ctx, held.DeepCopy(), take) }},
	} {
		await(t, func(ctx context.Context) error { // the API server takes up new rights in its own time
			if err := may.do(ctx); err != nil {
				return fmt.Errorf("to %s: %w", may.what, err)
			}
			return nil
		})
	}
	ctx := t.Context()
	for what, err := range map[string]error{
		"read another Lease":    forecaster.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "another"}, named("")),
		"list Leases":           forecaster.List(ctx, &coordinationv1.LeaseList{}, client.InNamespace(namespace)),
		"delete its Lease":      forecaster.Delete(ctx, held.DeepCopy()),
		"make one elsewhere":    forecaster.Create(ctx, &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: "team-b", Name: lease}}),
		"read Secrets":          forecaster.List(ctx, &corev1.SecretList{}, client.InNamespace(namespace)),
		"see pods":              forecaster.List(ctx, &corev1.PodList{}, client.InNamespace(namespace)),
		"see ConfigMaps":        forecaster.List(ctx, &corev1.ConfigMapList{}, client.InNamespace(namespace)),
		"see Secrets elsewhere": forecaster.List(ctx, &corev1.SecretList{}, client.InNamespace("team-b")),
	} {
		if !apierrors.IsForbidden(err) {
			t.Errorf("to %s: %v; must be forbidden", what, err)
		}
	}
}
