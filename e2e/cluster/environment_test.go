//go:build e2e

package cluster

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kedastral/kedastral/e2e/cluster/plane"
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
// Volumes are written below dir, and paths into them point there.
func (h *home) environment(ctx context.Context, d appsv1.Deployment, dir string) (map[string]string, error) {
	container := d.Spec.Template.Spec.Containers[0]
	env := map[string]string{}
	for _, from := range container.EnvFrom {
		settings, err := manifest[corev1.ConfigMap](h.overlay, "ConfigMap", d.Namespace, from.ConfigMapRef.Name)
		if err != nil {
			return nil, err
		}
		maps.Copy(env, settings.Data)
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
	if err := h.inCluster(env, mounts); err != nil {
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

// inCluster tells a process where the API server is, as a kubelet tells every
// container, and where the credentials for it lie that a pod finds at their path.
func (h *home) inCluster(env, mounts map[string]string) error {
	const credentials = "/var/run/secrets/kubernetes.io/serviceaccount"
	server, err := url.Parse(h.Config.Host)
	if err != nil {
		return fmt.Errorf("reading the API server's address %s: %w", h.Config.Host, err)
	}
	env["KUBERNETES_SERVICE_HOST"], env["KUBERNETES_SERVICE_PORT"] = server.Hostname(), server.Port()
	if _, ok := mounts[credentials]; ok {
		env["KUBERNETES_CA_FILE"], env["KUBERNETES_TOKEN_FILE"] = credentials+"/ca.crt", credentials+"/token"
	}
	return nil
}

// value resolves one variable; the sources are those that our manifests use.
func value(v corev1.EnvVar, namespace string, c corev1.Container) (string, error) {
	switch {
	case v.ValueFrom == nil:
		return v.Value, nil
	case v.ValueFrom.FieldRef != nil && v.ValueFrom.FieldRef.FieldPath == "metadata.namespace":
		return namespace, nil
	case v.ValueFrom.ResourceFieldRef != nil && v.ValueFrom.ResourceFieldRef.Resource == "limits.cpu":
		return strconv.FormatInt(c.Resources.Limits.Cpu().Value(), 10), nil // rounded up, as the kubelet does
	case v.ValueFrom.ResourceFieldRef != nil && v.ValueFrom.ResourceFieldRef.Resource == "limits.memory":
		return strconv.FormatInt(c.Resources.Limits.Memory().Value(), 10), nil
	}
	return "", fmt.Errorf("variable %s: a source that this suite cannot resolve", v.Name)
}

// mounts writes what the pod mounts and says where each mount is.
func (h *home) mounts(ctx context.Context, d appsv1.Deployment, dir string) (map[string]string, error) {
	where := map[string]string{}
	for _, mount := range d.Spec.Template.Spec.Containers[0].VolumeMounts {
		for _, volume := range d.Spec.Template.Spec.Volumes {
			if volume.Name != mount.Name {
				continue
			}
			var files map[string][]byte
			if err := plane.Await(ctx, patience, func(ctx context.Context) (err error) { // as a kubelet does
				files, err = h.files(ctx, d, volume)
				return err
			}); err != nil {
				return nil, fmt.Errorf("volume %s: %w", volume.Name, err)
			}
			where[mount.MountPath] = filepath.Join(dir, volume.Name)
			if err := unpack(files, where[mount.MountPath]); err != nil {
				return nil, err
			}
		}
	}
	return where, nil
}

// files are what a kubelet would find in the volume; the sources are those that
// our manifests use.
func (h *home) files(ctx context.Context, d appsv1.Deployment, volume corev1.Volume) (map[string][]byte, error) {
	switch {
	case volume.Secret != nil:
		secret, err := h.secret(ctx, d.Namespace, volume.Secret.SecretName)
		return secret.Data, err
	case volume.ConfigMap != nil:
		return h.configured(ctx, d.Namespace, volume.ConfigMap.Name)
	case volume.EmptyDir != nil:
		return nil, nil
	case volume.Projected == nil:
		return nil, errors.New("a source that this suite cannot mount")
	}
	files := map[string][]byte{}
	for _, source := range volume.Projected.Sources {
		projected, err := h.projected(ctx, d, source)
		if err != nil {
			return nil, err
		}
		maps.Copy(files, projected)
	}
	return files, nil
}

// projected are the files of one source of a projected volume.
func (h *home) projected(ctx context.Context, d appsv1.Deployment, source corev1.VolumeProjection) (map[string][]byte, error) {
	switch {
	case source.ServiceAccountToken != nil:
		var audiences []string
		if a := source.ServiceAccountToken.Audience; a != "" {
			audiences = []string{a}
		}
		token, err := plane.Token(ctx, h.Config, d.Namespace, d.Spec.Template.Spec.ServiceAccountName, audiences...)
		return map[string][]byte{source.ServiceAccountToken.Path: []byte(token)}, err
	case source.ConfigMap != nil:
		all, err := h.configured(ctx, d.Namespace, source.ConfigMap.Name)
		files := map[string][]byte{}
		for _, item := range source.ConfigMap.Items {
			files[item.Path] = all[item.Key]
		}
		return files, err
	}
	return nil, errors.New("projects what this suite cannot mount")
}

// configured is what a ConfigMap holds.
func (h *home) configured(ctx context.Context, namespace, name string) (map[string][]byte, error) {
	var settings corev1.ConfigMap
	err := h.Client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, &settings)
	files := map[string][]byte{}
	for name, content := range settings.Data {
		files[name] = []byte(content)
	}
	return files, err
}

func unpack(files map[string][]byte, dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("making %s: %w", dir, err)
	}
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path+".new", content, 0o600); err != nil {
			return fmt.Errorf("writing %s: %w", path, err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			return fmt.Errorf("replacing %s: %w", path, err)
		}
	}
	return nil
}
