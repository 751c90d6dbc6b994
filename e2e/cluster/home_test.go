//go:build e2e

package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/config"

	"github.com/kedastral/kedastral/e2e/cluster/plane"
)

// manifests is where the product's kustomizations lie, seen from here.
const manifests = "../../manifests/kustomize"

// home is the cluster that the suite runs on and the outside world around it.
type home struct {
	Client client.Client
	Config *rest.Config

	local   *plane.Plane // nil on a cluster given by KUBECONFIG
	hosts   *plane.Hosts
	work    string
	procs   *plane.Processes
	overlay []*unstructured.Unstructured

	load   *gauges          // what Prometheus scrapes
	oracle *oracle          // the forecaster whose plans the tests dictate
	wire   *wire            // the scaler that writes down what KEDA asks
	keys   *plane.Authority // signs what KEDA and the scaler of team-c show one another
	prom   *prometheus      // holds the load's history
	day    day              // the load of shop/web
	stage  func() error     // sets the day and starts prom, the first time
}

// open starts or finds the cluster, applies overlays/e2e, and starts what stands
// outside. Our own binaries are started by the tests that need them.
func open(ctx context.Context, out io.Writer) (*home, error) {
	work, err := os.MkdirTemp("", "kedastral-e2e-")
	if err != nil {
		return nil, fmt.Errorf("making a work folder: %w", err)
	}
	h := &home{work: work, procs: &plane.Processes{Logs: work}}
	if os.Getenv("KUBECONFIG") != "" {
		err = h.find()
	} else {
		err = h.start(ctx, out)
	}
	if err == nil {
		err = h.furnish(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, h.close(true))
	}
	return h, nil
}

func (h *home) find() (err error) {
	if h.Config, err = config.GetConfig(); err != nil {
		return fmt.Errorf("reading KUBECONFIG: %w", err)
	}
	h.Config.QPS = -1 // no limit: the tests watch many objects by polling
	if h.Client, err = client.New(h.Config, client.Options{}); err != nil {
		return fmt.Errorf("making a client: %w", err)
	}
	return nil
}

func (h *home) start(ctx context.Context, out io.Writer) (err error) {
	src := plane.Sources{Work: h.work}
	for variable, into := range map[string]*string{"E2E_TOOLS": &src.Tools, "E2E_KEDA": &src.KEDA, "E2E_KWOK": &src.Kwok} {
		if *into = os.Getenv(variable); *into == "" {
			return fmt.Errorf("%s is not set: run scripts/e2e local", variable)
		}
	}
	if h.hosts, err = plane.NewHosts(h.work); err != nil {
		return err
	}
	h.local, err = plane.Start(ctx, src, func(format string, args ...any) {
		fmt.Fprintf(out, "e2e: "+format+"\n", args...)
	})
	if err != nil {
		return err
	}
	h.Client, h.Config = h.local.Client, h.local.Config
	return nil
}

// furnish applies our manifests and starts the outside world.
func (h *home) furnish(ctx context.Context) (err error) {
	if h.overlay, err = plane.Render(filepath.Join(manifests, "overlays/e2e")); err != nil {
		return err
	}
	if h.keys, err = plane.NewAuthority("kedastral-e2e"); err != nil {
		return err
	}
	if err := h.applyOverlay(ctx); err != nil {
		return err
	}
	h.load, h.oracle = newGauges(), newOracle()
	if _, err := h.publish(ctx, "oracle.kedastral", 8081, h.oracle); err != nil {
		return err
	}
	if h.wire, err = openWire(ctx, h); err != nil {
		return err
	}
	target, err := h.publish(ctx, "load.kedastral", 9100, h.load)
	if err != nil {
		return err
	}
	if h.prom, err = newPrometheus(ctx, h, target); err != nil {
		return err
	}
	h.stage = sync.OnceValue(func() error { return h.stageDay(ctx) })
	for _, namespace := range []string{"team-a", "team-b"} {
		if _, err := h.serve(ctx, namespace, "kedastral-scaler"); err != nil {
			return err
		}
	}
	return nil
}

// applyOverlay applies overlays/e2e, with the Secrets that it expects before the
// pods that mount them.
func (h *home) applyOverlay(ctx context.Context) error {
	first, rest := namespacesFirst(h.overlay)
	if err := plane.Apply(ctx, h.Client, first); err != nil {
		return err
	}
	for _, namespace := range h.certified() {
		if err := h.certify(ctx, namespace); err != nil {
			return err
		}
	}
	return plane.Apply(ctx, h.Client, rest)
}

// certified are the namespaces whose pods mount Secrets.
func (h *home) certified() []string { return []string{"team-c", "vault"} }

// close ends everything. The work folder is kept when something went wrong.
func (h *home) close(keep bool) error {
	h.procs.Stop()
	var err error
	if h.local != nil {
		err = h.local.Stop()
	}
	if keep {
		fmt.Println("e2e: logs are kept in", h.work)
		return err
	}
	return errors.Join(err, os.RemoveAll(h.work))
}

// memory prints the most that each process held. envtest keeps its two to
// itself, so all children are looked up by their names.
func (h *home) memory(out io.Writer) {
	if h.local == nil {
		return
	}
	total := 0
	fmt.Fprintln(out, "e2e: peak memory, MiB")
	for _, p := range plane.Children() {
		fmt.Fprintf(out, "e2e: %6d  %s\n", p.PeakMiB, p.Name)
		total += p.PeakMiB
	}
	fmt.Fprintf(out, "e2e: %6d  in all\n", total)
}

func namespacesFirst(objects []*unstructured.Unstructured) (first, rest []*unstructured.Unstructured) {
	for _, object := range objects {
		if object.GetKind() == "Namespace" {
			first = append(first, object)
		} else {
			rest = append(rest, object)
		}
	}
	return first, rest
}

// apply applies objects in order.
func (h *home) apply(ctx context.Context, objects ...*unstructured.Unstructured) error {
	return plane.Apply(ctx, h.Client, objects)
}
