//go:build e2e

package cluster

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// certify writes fresh certificates of both sides into the namespace's Secrets,
// as cert-manager would when they run out.
func (h *home) certify(ctx context.Context, namespace string) error {
	for name, host := range map[string]string{
		"kedastral-scaler-tls":    "kedastral-scaler." + namespace + ".svc",
		"kedastral-scaler-client": "keda",
	} {
		pair, err := h.keys.Issue(filepath.Join(h.work, namespace, name), host, host)
		if err != nil {
			return err
		}
		secret := corev1.Secret{
			TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
			ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace},
			Data:       map[string][]byte{},
		}
		for key, file := range map[string]string{"tls.crt": pair.Cert, "tls.key": pair.Key, "ca.crt": pair.CA} {
			if secret.Data[key], err = os.ReadFile(file); err != nil {
				return fmt.Errorf("reading %s: %w", file, err)
			}
		}
		object, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&secret)
		if err != nil {
			return fmt.Errorf("encoding secret %s: %w", name, err)
		}
		if err := h.apply(ctx, &unstructured.Unstructured{Object: object}); err != nil {
			return err
		}
	}
	return nil
}

// remount does what a kubelet does when a mounted Secret has changed: the pods
// find the new files where the old ones were.
func (s *service) remount(ctx context.Context) error {
	if s.h.local == nil {
		return nil // the kubelet does, within a minute or so
	}
	for _, p := range s.pods {
		if _, err := s.h.mounts(ctx, s.deploy, p.dir); err != nil {
			return err
		}
	}
	return nil
}

// secret reads a Secret of the cluster.
func (h *home) secret(ctx context.Context, namespace, name string) (secret corev1.Secret, err error) {
	return secret, h.Client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, &secret)
}
