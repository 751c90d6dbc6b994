package plane

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"net/http"
	"path/filepath"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// kedaPorts are where KEDA's three processes listen, all on loopback.
type kedaPorts struct{ metrics, webhooks, grpc, health string }

// startKEDA applies the manifests of KEDA's module, with the addresses of
// processes in the place of Deployments, and starts the three processes.
func (p *Plane) startKEDA(ctx context.Context) error {
	authority, err := NewAuthority("keda")
	if err != nil {
		return err
	}
	certs := p.work("keda-certs")
	if _, err := authority.Issue(certs, "keda", "localhost",
		"keda-operator.keda.svc", "keda-metrics-apiserver.keda.svc", "keda-admission-webhooks.keda.svc"); err != nil {
		return err
	}
	var ports kedaPorts
	for _, port := range []*string{&ports.metrics, &ports.webhooks, &ports.grpc, &ports.health} {
		if *port, err = freePort(); err != nil {
			return err
		}
	}
	objects, err := Render(filepath.Join(p.src.KEDA, "config/default"))
	if err != nil {
		return err
	}
	if objects, err = rewire(objects, ports, authority.PEM); err != nil {
		return err
	}
	if err := Apply(ctx, p.Client, objects); err != nil {
		return err
	}
	config, err := p.AccountConfig(ctx, "keda", "keda-operator")
	if err != nil {
		return err
	}
	return p.runKEDA(ctx, config, certs, ports)
}

// runKEDA starts the operator, then the two that depend on it, and waits until
// the aggregated API answers.
func (p *Plane) runKEDA(ctx context.Context, config, certs string, ports kedaPorts) error {
	env := []string{"POD_NAMESPACE=keda", "KEDA_CLUSTER_OBJECT_NAMESPACE=keda", "WATCH_NAMESPACE="}
	if _, err := p.procs.Spawn("keda-operator", env, p.tool("keda-operator"),
		"--kubeconfig="+config, "--cert-dir="+certs, "--metrics-bind-address=127.0.0.1:0",
		"--health-probe-bind-address=127.0.0.1:"+ports.health,
		"--metrics-service-bind-address=127.0.0.1:"+ports.grpc,
		"--kube-api-qps=100", "--kube-api-burst=200"); err != nil { // the tests make dozens of ScaledObjects at once
		return err
	}
	// The adapter's client backs off when it finds nobody, so it starts second.
	if err := Await(ctx, 2*time.Minute, func(ctx context.Context) error {
		return Healthy(ctx, "http://127.0.0.1:"+ports.health+"/readyz")
	}); err != nil {
		return fmt.Errorf("waiting for keda-operator: %w", err)
	}
	if _, err := p.procs.Spawn("keda-adapter", env, p.tool("keda-adapter"),
		"--kubeconfig="+config, "--lister-kubeconfig="+config, "--authentication-kubeconfig="+config, "--authorization-kubeconfig="+config,
		"--bind-address=127.0.0.1", "--secure-port="+ports.metrics, "--port=0", "--cert-dir="+certs,
		"--tls-cert-file="+filepath.Join(certs, "tls.crt"), "--tls-private-key-file="+filepath.Join(certs, "tls.key"),
		"--metrics-service-address=localhost:"+ports.grpc); err != nil {
		return err
	}
	if _, err := p.procs.Spawn("keda-webhooks", env, p.tool("keda-webhooks"),
		"--kubeconfig="+config, "--cert-dir="+certs, "--port="+ports.webhooks,
		"--metrics-bind-address=127.0.0.1:0", "--health-probe-bind-address=127.0.0.1:0"); err != nil {
		return err
	}
	return Await(ctx, 2*time.Minute, p.externalMetricsServed)
}

// rewire leaves KEDA's Deployments out and points its Services at loopback: the
// API server turns an ExternalName Service into that host and the port that the
// APIService or the webhook names, and still verifies the Service's own name.
func rewire(objects []*unstructured.Unstructured, ports kedaPorts, ca []byte) ([]*unstructured.Unstructured, error) {
	var kept []*unstructured.Unstructured
	bundle := base64.StdEncoding.EncodeToString(ca)
	for _, object := range objects {
		var err error
		switch object.GetKind() {
		case "Deployment":
			continue
		case "Service":
			object.Object["spec"] = map[string]any{"type": "ExternalName", "externalName": "localhost"}
		case "APIService":
			err = connect(object.Object["spec"].(map[string]any), ports.metrics, bundle)
		case "ValidatingWebhookConfiguration":
			for _, hook := range object.Object["webhooks"].([]any) {
				hook := hook.(map[string]any)
				hook["failurePolicy"] = "Fail" // so that a webhook that is not asked shows
				if err = connect(hook["clientConfig"].(map[string]any), ports.webhooks, bundle); err != nil {
					break
				}
			}
		}
		if err != nil {
			return nil, fmt.Errorf("rewiring %s %s: %w", object.GetKind(), object.GetName(), err)
		}
		kept = append(kept, object)
	}
	return kept, nil
}

// connect sets the port and the authority of a reference to a Service.
func connect(spec map[string]any, port, bundle string) error {
	var number int64
	if _, err := fmt.Sscan(port, &number); err != nil {
		return fmt.Errorf("port %q: %w", port, err)
	}
	spec["caBundle"] = bundle
	delete(spec, "insecureSkipTLSVerify")
	return unstructured.SetNestedField(spec, number, "service", "port")
}

func (p *Plane) externalMetricsServed(ctx context.Context) error {
	service := &unstructured.Unstructured{}
	service.SetAPIVersion("apiregistration.k8s.io/v1")
	service.SetKind("APIService")
	if err := p.Client.Get(ctx, client.ObjectKey{Name: "v1beta1.external.metrics.k8s.io"}, service); err != nil {
		return err
	}
	conditions, _, err := unstructured.NestedSlice(service.Object, "status", "conditions")
	if err != nil {
		return err
	}
	for _, condition := range conditions {
		if c, ok := condition.(map[string]any); ok && c["type"] == "Available" && c["status"] == "True" {
			return nil
		}
	}
	return fmt.Errorf("external metrics are not served: %v", conditions)
}

// prober believes any certificate, as the kubelet does.
var prober = &http.Client{Transport: &http.Transport{
	DisableKeepAlives: true,
	TLSClientConfig:   &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // the kubelet does not look either
}}

// Healthy is an error unless url answers 200.
func Healthy(ctx context.Context, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := prober.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, response.Status)
	}
	return nil
}
