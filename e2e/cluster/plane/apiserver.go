package plane

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// startAPIServer starts etcd and the API server through envtest, which makes
// their keys, waits for them and cleans up. The flags beyond its own make the
// server a full one: it vouches for itself to aggregated APIs, admits as a real
// one does, and starts where no interface but loopback exists.
func (p *Plane) startAPIServer(context.Context) error {
	front, err := NewAuthority("front-proxy")
	if err != nil {
		return err
	}
	pair, err := front.Issue(p.work("front-proxy"), "front-proxy-client")
	if err != nil {
		return err
	}
	p.env = &envtest.Environment{
		BinaryAssetsDirectory:    p.src.Tools,
		ControlPlaneStartTimeout: 3 * time.Minute, // a loaded machine needs more than the default 20 s
		ControlPlaneStopTimeout:  30 * time.Second,
	}
	server := p.env.ControlPlane.GetAPIServer()
	server.CertDir = p.work("apiserver")
	if err := os.MkdirAll(server.CertDir, 0o700); err != nil {
		return fmt.Errorf("making the API server's folder: %w", err)
	}
	server.Configure().
		Set("requestheader-client-ca-file", pair.CA).
		Set("requestheader-allowed-names", "front-proxy-client").
		Set("requestheader-username-headers", "X-Remote-User").
		Set("requestheader-group-headers", "X-Remote-Group").
		Set("requestheader-extra-headers-prefix", "X-Remote-Extra-").
		Set("proxy-client-cert-file", pair.Cert).
		Set("proxy-client-key-file", pair.Key).
		Set("service-cluster-ip-range", "10.96.0.0/16").
		Set("advertise-address", "10.111.0.1"). // need not exist; without one the server looks for a default route
		Set("endpoint-reconciler-type", "none").
		Disable("disable-admission-plugins") // envtest would switch ServiceAccount off
	if p.Config, err = p.env.Start(); err != nil {
		return err
	}
	p.Config.QPS = -1 // no limit: the tests watch many objects by polling
	if p.Client, err = client.New(p.Config, client.Options{}); err != nil {
		return fmt.Errorf("making a client: %w", err)
	}
	p.root, err = p.write("admin.kubeconfig", p.env.KubeConfig)
	return err
}

// startControllers starts the controllers and the scheduler, each as the user
// that a real cluster knows them by. The HPA runs every second instead of every
// fifteen; its tolerance stays at the default, so that tests see both.
func (p *Plane) startControllers(context.Context) error {
	ca, err := p.write("root-ca.crt", p.Config.CAData)
	if err != nil {
		return err
	}
	flags := map[string][]string{
		"kube-scheduler": nil,
		"kube-controller-manager": {
			"--use-service-account-credentials=true",
			"--root-ca-file=" + ca,
			"--service-account-private-key-file=" + filepath.Join(p.env.ControlPlane.GetAPIServer().CertDir, "sa-signer.key"),
			"--horizontal-pod-autoscaler-sync-period=1s",
			"--horizontal-pod-autoscaler-downscale-stabilization=5s",
			"--concurrent-horizontal-pod-autoscaler-syncs=20",
		},
	}
	for name, more := range flags {
		config, err := p.userConfig(name)
		if err != nil {
			return err
		}
		args := append([]string{
			"--kubeconfig=" + config, "--authentication-kubeconfig=" + config, "--authorization-kubeconfig=" + config,
			"--bind-address=127.0.0.1", "--leader-elect=false", "--cert-dir=" + p.work(name),
		}, more...)
		if _, err := p.procs.Spawn(name, nil, p.tool(name), args...); err != nil {
			return err
		}
	}
	return nil
}

// userConfig is a kubeconfig for system:NAME.
func (p *Plane) userConfig(name string) (string, error) {
	user, err := p.env.AddUser(envtest.User{Name: "system:" + name, Groups: []string{}}, nil)
	if err != nil {
		return "", fmt.Errorf("adding user system:%s: %w", name, err)
	}
	config, err := user.KubeConfig()
	if err != nil {
		return "", fmt.Errorf("making a kubeconfig for system:%s: %w", name, err)
	}
	return p.write(name+".kubeconfig", config)
}
