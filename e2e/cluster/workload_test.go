//go:build e2e

package cluster

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"math"
	"testing"
	"text/template"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kedastral/kedastral/e2e/cluster/plane"
)

// workload is a Deployment and the ScaledObject that scales it. What is left
// zero is as in template.
type workload struct {
	Namespace, Name string
	Replicas        int    // that the Deployment starts with; 1
	Min, Max        int    // of the ScaledObject; 1 (or 0 with Zero), 200
	Zero            bool   // may be scaled to zero
	Poll            int    // seconds of pollingInterval; 2 with Zero, else KEDA's own
	Tolerance       string // of the HPA, both ways; "0", or "default" for none
	Fallback        string // the field's YAML
	Triggers        string // YAML of a list; ours alone
	Push            bool   // ours as external-push
	Scaler          string // host of our scaler; the namespace's own
	Metadata        string // more keys of our trigger's metadata, as YAML pairs
	Trigger         string // more of our trigger, as YAML pairs
	Spec            string // more of the ScaledObject, as YAML pairs
	Advanced        string // more of its field advanced, as YAML pairs
	Secured         bool   // ours with the namespace's client certificate
	ReadyAfter      time.Duration
	Stabilize       int // seconds of scaleDown stabilization
}

// object is the workload as manifests. Pods keep the restricted standard; their
// image is only run on a real cluster, where it needs to exist.
var object = template.Must(template.New("workload").Parse(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: {{.Name}}, namespace: {{.Namespace}}}
spec:
  replicas: {{.Replicas}}
  selector: {matchLabels: {app: {{.Name}}}}
  template:
    metadata:
      labels: {app: {{.Name}}}
      annotations: {kedastral.e2e/ready-delay: {{.ReadyAfter}}}
    spec:
      terminationGracePeriodSeconds: 0
      automountServiceAccountToken: false
      enableServiceLinks: false
      securityContext: {runAsNonRoot: true, runAsUser: 65532, seccompProfile: {type: RuntimeDefault}}
      containers:
        - name: app
          image: kedastral-scaler:e2e
          env: [{name: NAMESPACE, value: idle}, {name: FORECASTER_URL, value: "http://idle:8081"}, {name: FORECASTER_AUTH, value: none}]
          readinessProbe: {httpGet: {path: /healthz, port: 8082}, initialDelaySeconds: {{.ReadySeconds}}, periodSeconds: 1}
          securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
---
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {name: {{.Name}}, namespace: {{.Namespace}}}
spec:
  scaleTargetRef: {name: {{.Name}}}
  {{if .Poll}}pollingInterval: {{.Poll}}{{end}}
  cooldownPeriod: 3
  minReplicaCount: {{.Min}}
  maxReplicaCount: {{.Max}}
  {{if .Fallback}}fallback: {{.Fallback}}{{end}}
  {{.Spec}}
  advanced:
    {{.Advanced}}
    horizontalPodAutoscalerConfig:
      behavior:
        scaleUp:
          {{if ne .Tolerance "default"}}tolerance: {{.Tolerance | printf "%q"}}{{end}}
          stabilizationWindowSeconds: 0
          policies: [{type: Pods, value: 1000, periodSeconds: 1}]
        scaleDown:
          {{if ne .Tolerance "default"}}tolerance: {{.Tolerance | printf "%q"}}{{end}}
          stabilizationWindowSeconds: {{.Stabilize}}
          policies: [{type: Percent, value: 100, periodSeconds: 1}]
  triggers:
  {{if .Scaler}}
  - type: {{if .Push}}external-push{{else}}external{{end}}
    name: predict
    {{.Trigger}}
    metadata: { scalerAddress: "{{.Scaler}}:50051" {{if .Metadata}}, {{.Metadata}}{{end}} }
    {{if .Secured}}authenticationRef: {name: kedastral-scaler-client}{{end}}
  {{end}}
  {{.Triggers}}
`))

// ReadySeconds is ReadyAfter for a readiness probe.
func (w workload) ReadySeconds() int { return int(w.ReadyAfter.Seconds()) }

// key is the workload's NAMESPACE/NAME.
func (w workload) key() client.ObjectKey {
	return client.ObjectKey{Namespace: w.Namespace, Name: w.Name}
}

// reactive is KEDA's own trigger on the load that we tell Prometheus, which it
// starts where nobody has yet.
func reactive(t *testing.T, of string, perPod int) string {
	t.Helper()
	if err := here.stage(); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf(`
  - type: prometheus
    name: react
    metadata: {serverAddress: "http://prometheus.kedastral.svc:9090", query: 'sum(e2e_load{workload=%q})', threshold: "%d"}
`, of, perPod)
}

// create applies the workload and has it removed when the test ends.
func (w workload) create(t *testing.T) workload {
	t.Helper()
	w.Replicas, w.Max = max(w.Replicas, 1), max(w.Max, 0)
	if w.Max == 0 {
		w.Max = 200
	}
	if w.Min == 0 && !w.Zero {
		w.Min = 1
	}
	if w.Zero && w.Poll == 0 {
		w.Poll = 2
	}
	if w.Tolerance == "" {
		w.Tolerance = "0"
	}
	if w.Scaler == "" {
		w.Scaler = "kedastral-scaler." + w.Namespace + ".svc"
	}
	if w.Scaler == "none" {
		w.Scaler = ""
	}
	w.apply(t, w.objects(t))
	t.Cleanup(func() { w.remove(t) })
	return w
}

func (w workload) objects(t *testing.T) []*unstructured.Unstructured {
	t.Helper()
	var text bytes.Buffer
	if err := object.Execute(&text, w); err != nil {
		t.Fatal(err)
	}
	objects, err := plane.Decode(text.Bytes())
	if err != nil {
		t.Fatalf("%v in %s", err, text.String())
	}
	return objects
}

func (w workload) apply(t *testing.T, objects []*unstructured.Unstructured) {
	t.Helper()
	if err := plane.Apply(t.Context(), here.Client, objects); err != nil {
		t.Fatal(err)
	}
}

func (w workload) remove(t *testing.T) {
	for _, object := range w.objects(t) {
		if err := here.Client.Delete(context.Background(), object); client.IgnoreNotFound(err) != nil {
			t.Errorf("deleting %s %s: %v", object.GetKind(), object.GetName(), err)
		}
	}
}

// now is what the objects say at this moment.
type now struct {
	Spec, Ready int // replicas of the Deployment
	Desired     int // by the HPA; -1 while there is none
}

func (w workload) now(ctx context.Context) (now, error) {
	var d appsv1.Deployment
	if err := here.Client.Get(ctx, w.key(), &d); err != nil {
		return now{}, err
	}
	n := now{Spec: int(*d.Spec.Replicas), Ready: int(d.Status.ReadyReplicas), Desired: -1}
	hpa, err := w.hpa(ctx)
	if err == nil {
		n.Desired = int(hpa.Status.DesiredReplicas)
	}
	return n, client.IgnoreNotFound(err)
}

// hpa is the one that KEDA made.
func (w workload) hpa(ctx context.Context) (hpa autoscalingv2.HorizontalPodAutoscaler, err error) {
	return hpa, here.Client.Get(ctx, client.ObjectKey{Namespace: w.Namespace, Name: "keda-hpa-" + w.Name}, &hpa)
}

// hears waits until the HPA has been told that count by our trigger. KEDA reports
// it divided by the replicas there are.
func (w workload) hears(t *testing.T, told int) {
	t.Helper()
	await(t, func(ctx context.Context) error {
		hpa, err := w.hpa(ctx)
		if err != nil {
			return err
		}
		for _, m := range hpa.Status.CurrentMetrics {
			if m.External == nil || m.External.Current.AverageValue == nil {
				continue
			}
			heard := float64(m.External.Current.AverageValue.MilliValue()) / 1000 * float64(hpa.Status.CurrentReplicas)
			if math.Abs(heard-float64(told)) < 0.5 {
				return nil
			}
			err = fmt.Errorf("%s: the HPA heard %.2f; want %d", w.Name, heard, told)
		}
		return cmp.Or(err, fmt.Errorf("%s: the HPA heard nothing", w.Name))
	})
}

// oracle is the workload's name on the wire.
func (w workload) oracle() string { return w.Namespace + "/" + w.Name }

// reaches waits until the Deployment wants and has n ready pods, and says how
// long that took.
func (w workload) reaches(t *testing.T, n int) time.Duration {
	t.Helper()
	began := time.Now()
	await(t, func(ctx context.Context) error {
		is, err := w.now(ctx)
		if err == nil && (is.Spec != n || is.Ready != n) {
			err = fmt.Errorf("%s: %d replicas wanted, %d ready; want %d", w.Name, is.Spec, is.Ready, n)
		}
		return err
	})
	return time.Since(began)
}

// stays watches that the Deployment wants n pods for as long as given.
func (w workload) stays(t *testing.T, n int, during time.Duration) {
	t.Helper()
	for end := time.Now().Add(during); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		is, err := w.now(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if is.Spec != n {
			t.Fatalf("%s: went to %d replicas; must stay at %d", w.Name, is.Spec, n)
		}
	}
}
