//go:build e2e

package cluster

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/kedastral/kedastral/e2e/cluster/plane"
)

// service is one of our Deployments at work: processes with loopback addresses
// of their own here, pods on a cluster.
type service struct {
	h      *home
	deploy appsv1.Deployment

	mu   sync.Mutex
	pods []*pod
	made int
}

// pod is one replica, as a process.
type pod struct {
	process *plane.Process
	address string
	dir     string // of its mounted Secrets
}

// serve starts the Deployment's replicas as the overlay has them and waits until
// they can be asked.
func (h *home) serve(ctx context.Context, namespace, name string) (*service, error) {
	d, err := manifest[appsv1.Deployment](h.overlay, "Deployment", namespace, name)
	if err != nil {
		return nil, err
	}
	s := &service{h: h, deploy: d}
	if h.local == nil {
		return s, s.rolledOut(ctx)
	}
	for range int(*d.Spec.Replicas) {
		p, err := s.start(ctx)
		if err != nil {
			return nil, err
		}
		s.pods = append(s.pods, p)
	}
	return s, s.announce(ctx)
}

// start runs one more replica.
func (s *service) start(ctx context.Context) (*pod, error) {
	s.made++
	name := fmt.Sprintf("%s-%s-%d", s.deploy.Namespace, s.deploy.Name, s.made)
	p := &pod{address: address(), dir: filepath.Join(s.h.work, name)}
	env, err := s.h.environment(ctx, s.deploy, p.dir)
	if err != nil {
		return nil, err
	}
	var list []string
	container := s.deploy.Spec.Template.Spec.Containers[0]
	for _, port := range container.Ports {
		variable := map[string]string{"http": "HTTP_ADDR", "grpc": "GRPC_ADDR", "admin": "ADMIN_ADDR"}[port.Name]
		env[variable] = fmt.Sprintf("%s:%d", p.address, port.ContainerPort)
	}
	if container.Name == "forecaster" && env["ADMIN_ADDR"] == "" {
		env["ADMIN_ADDR"] = p.address + ":8083" // its default is a pod's own loopback, which processes share
	}
	for _, variable := range slices.Sorted(maps.Keys(env)) {
		list = append(list, variable+"="+env[variable])
	}
	binary := filepath.Join(os.Getenv("E2E_BIN"), container.Name)
	p.process, err = s.h.procs.Spawn(name, list, binary)
	return p, err
}

// announce waits until every replica is alive and makes them the Service's
// endpoints.
func (s *service) announce(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var addresses []string
	for _, p := range s.pods {
		if err := plane.Await(ctx, patience, func(ctx context.Context) error {
			if p.process.Ended() {
				log, _ := os.ReadFile(p.process.Log)
				return fmt.Errorf("%s ended: %s", p.process.Name, log)
			}
			return s.alive(ctx, p)
		}); err != nil {
			return err
		}
		addresses = append(addresses, p.address)
	}
	return s.h.hosts.Set(s.deploy.Name+"."+s.deploy.Namespace, addresses...)
}

// alive asks what the kubelet asks by the container's liveness probe.
func (s *service) alive(ctx context.Context, p *pod) error {
	probe, url := s.deploy.Spec.Template.Spec.Containers[0].LivenessProbe.HTTPGet, s.url(p)
	if probe.Scheme == corev1.URISchemeHTTPS {
		url = "https" + strings.TrimPrefix(url, "http")
	}
	return plane.Healthy(ctx, url+probe.Path)
}

// url is where the replica's HTTP port answers.
func (s *service) url(p *pod) string {
	for _, port := range s.deploy.Spec.Template.Spec.Containers[0].Ports {
		if port.Name == "http" {
			return fmt.Sprintf("http://%s:%d", p.address, port.ContainerPort)
		}
	}
	return ""
}

// freeze stops a replica as a kernel would that no longer schedules it.
func (s *service) freeze(i int) { s.pods[i].process.Signal(syscall.SIGSTOP) }

// kill ends a replica without a word; its address stays announced, as it does
// until a kubelet notices.
func (s *service) kill(i int) { s.pods[i].process.Kill() }

// revive puts new replicas in the place of some, under new addresses.
func (s *service) revive(ctx context.Context, indices ...int) error {
	for _, i := range indices {
		p, err := s.start(ctx)
		if err != nil {
			return err
		}
		s.mu.Lock()
		s.pods[i] = p
		s.mu.Unlock()
	}
	return s.announce(ctx)
}

// roll replaces every replica as a rolling update does: the new one is ready and
// announced before the old one is told to end.
func (s *service) roll(ctx context.Context) error {
	for i := range s.pods {
		old := s.pods[i]
		if err := s.revive(ctx, i); err != nil {
			return err
		}
		old.process.Stop()
	}
	return nil
}

// metric is the sum of all series of that name at a replica's /metrics.
func (h *home) metric(t *testing.T, url, name string) float64 {
	t.Helper()
	response, err := http.Get(url + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	sum := 0.0
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		series, value, _ := strings.Cut(lines.Text(), " ")
		if rest, ok := strings.CutPrefix(series, name); ok && (rest == "" || rest[0] == '{') {
			v, err := strconv.ParseFloat(value, 64)
			if err != nil {
				t.Fatal(err)
			}
			sum += v
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return sum
}

// body is what a Deployment answers over HTTP, where it can be asked from here.
func (h *home) body(t *testing.T, s *service, path string) string {
	t.Helper()
	if len(s.pods) == 0 {
		return "not asked: its pods are out of reach"
	}
	response, err := http.Get(s.url(s.pods[0]) + path)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// rolledOut waits for the Deployment of a cluster.
func (s *service) rolledOut(ctx context.Context) error {
	return plane.Await(ctx, patience, func(ctx context.Context) error {
		var d appsv1.Deployment
		w := workload{Namespace: s.deploy.Namespace, Name: s.deploy.Name}
		if err := s.h.Client.Get(ctx, w.key(), &d); err != nil {
			return err
		}
		if d.Status.ObservedGeneration < d.Generation || d.Status.AvailableReplicas < *d.Spec.Replicas || d.Status.UpdatedReplicas < *d.Spec.Replicas {
			return fmt.Errorf("%s: %d of %d available", w.key(), d.Status.AvailableReplicas, *d.Spec.Replicas)
		}
		return nil
	})
}
