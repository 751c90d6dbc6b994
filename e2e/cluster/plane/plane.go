// Package plane runs a Kubernetes control plane with KEDA in it as plain
// processes: etcd, the API server, the controllers (the HPA's among them), the
// scheduler, kwok in the place of nodes and kubelets, and KEDA's operator,
// metrics adapter and admission webhooks. No container, no image, no cluster.
//
// The one thing to know: it lives in namespaces of its own (see [Isolate]), so
// every port is free, a file of hosts stands for the cluster's DNS, and a
// process that dies in any way takes everything it started with it.
//
// KEDA runs under its own service account and the manifests of its module, the
// HPA controller under its own too: what a test sees is what RBAC allows.
package plane

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// Sources says where the pieces lie.
type Sources struct {
	Tools string // folder of the control plane's binaries
	KEDA  string // KEDA's module
	Kwok  string // kwok's module
	Work  string // an empty folder for logs, keys and data
}

// Plane is a running control plane.
type Plane struct {
	Config *rest.Config
	Client client.Client

	src   Sources
	env   *envtest.Environment
	procs Processes
	root  string // kubeconfig of the administrator
}

// Start brings everything up and returns when KEDA's external metrics are
// served. What did start is stopped again on an error.
func Start(ctx context.Context, src Sources, log func(format string, args ...any)) (*Plane, error) {
	p := &Plane{src: src, procs: Processes{Logs: src.Work}}
	began := time.Now()
	for _, step := range []struct {
		name string
		run  func(context.Context) error
	}{
		{"etcd and kube-apiserver", p.startAPIServer},
		{"kube-controller-manager and kube-scheduler", p.startControllers},
		{"kwok", p.startKwok},
		{"KEDA", p.startKEDA},
	} {
		if err := step.run(ctx); err != nil {
			return nil, errors.Join(fmt.Errorf("starting %s: %w", step.name, err), p.Stop())
		}
		log("%5.1f s  %s", time.Since(began).Seconds(), step.name)
	}
	return p, nil
}

// Stop ends all processes, the newest first.
func (p *Plane) Stop() error {
	p.procs.Stop()
	if p.env == nil {
		return nil
	}
	if err := p.env.Stop(); err != nil {
		return fmt.Errorf("stopping etcd and kube-apiserver: %w", err)
	}
	return nil
}

// Processes are those that the plane started besides etcd and the API server.
func (p *Plane) Processes() *Processes { return &p.procs }

// Kubeconfig is the administrator's file.
func (p *Plane) Kubeconfig() string { return p.root }

func (p *Plane) tool(name string) string { return filepath.Join(p.src.Tools, name) }
func (p *Plane) work(name string) string { return filepath.Join(p.src.Work, name) }

// write puts content into a file of the work folder that only we can read.
func (p *Plane) write(name string, content []byte) (string, error) {
	path := p.work(name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		return "", fmt.Errorf("writing %s: %w", name, err)
	}
	return path, nil
}
