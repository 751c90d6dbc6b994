//go:build e2e

package cluster

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// manifest finds an object of the rendered overlay.
func manifest[T any](objects []*unstructured.Unstructured, kind, namespace, name string) (T, error) {
	var typed T
	for _, object := range objects {
		if object.GetKind() == kind && object.GetNamespace() == namespace && object.GetName() == name {
			return typed, runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &typed)
		}
	}
	return typed, fmt.Errorf("the overlay has no %s %s/%s", kind, namespace, name)
}

// environment is what a kubelet would set for the Deployment's container, so that
// a process started with it is configured by the manifests and nothing else.
// Volumes of Secrets are written below dir, and paths into them point there.
func (h *home) environment(ctx context.Context, d appsv1.Deployment, dir string) (map[string]string, error) {
	container := d.Spec.Template.Spec.Containers[0]
	env := map[string]string{}
	for _, from := range container.EnvFrom {
		settings, err := manifest[corev1.ConfigMap](h.overlay, "ConfigMap", d.Namespace, from.ConfigMapRef.Name)
		if err != nil {
			return nil, err
		}
		for name, value := range settings.Data {
			env[name] = value
		}
	}
	for _, v := range container.Env {
		value, err := value(v, d.Namespace, container)
		if err != nil {
			return nil, err
		}
		env[v.Name] = value
	}
	mounts, err := h.mounts(ctx, d, dir)
	if err != nil {
		return nil, err
	}
	for name, value := range env {
		for path, there := range mounts {
			if rest, ok := strings.CutPrefix(value, path+"/"); ok {
				env[name] = filepath.Join(there, rest)
			}
		}
	}
	return env, nil
}

// value resolves one variable; the sources are those that our manifests use.
func value(v corev1.EnvVar, namespace string, c corev1.Container) (string, error) {
	switch {
	case v.ValueFrom == nil:
		return v.Value, nil
	case v.ValueFrom.FieldRef != nil && v.ValueFrom.FieldRef.FieldPath == "metadata.namespace":
		return namespace, nil
	case v.ValueFrom.ResourceFieldRef != nil && v.ValueFrom.ResourceFieldRef.Resource == "limits.cpu":
		return fmt.Sprint(c.Resources.Limits.Cpu().Value()), nil // rounded up, as the kubelet does
	case v.ValueFrom.ResourceFieldRef != nil && v.ValueFrom.ResourceFieldRef.Resource == "limits.memory":
		return fmt.Sprint(c.Resources.Limits.Memory().Value()), nil
	}
	return "", fmt.Errorf("variable %s: a source that this suite cannot resolve", v.Name)
}

// mounts writes the Secrets that the pod mounts and says where each mount is.
func (h *home) mounts(ctx context.Context, d appsv1.Deployment, dir string) (map[string]string, error) {
	where := map[string]string{}
	for _, mount := range d.Spec.Template.Spec.Containers[0].VolumeMounts {
		for _, volume := range d.Spec.Template.Spec.Volumes {
			if volume.Name != mount.Name || volume.Secret == nil {
				continue
			}
			secret, err := h.secret(ctx, d.Namespace, volume.Secret.SecretName)
			if err != nil {
				return nil, err
			}
			there := filepath.Join(dir, volume.Name)
			if err := unpack(secret, there); err != nil {
				return nil, err
			}
			where[mount.MountPath] = there
		}
	}
	return where, nil
}

func unpack(secret corev1.Secret, dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("making %s: %w", dir, err)
	}
	for key, content := range secret.Data {
		path := filepath.Join(dir, key)
		if err := os.WriteFile(path+".new", content, 0o600); err != nil {
			return fmt.Errorf("writing %s of secret %s: %w", key, secret.Name, err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			return fmt.Errorf("replacing %s of secret %s: %w", key, secret.Name, err)
		}
	}
	return nil
}
