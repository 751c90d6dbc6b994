package plane

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"
)

// Nodes is how many nodes kwok plays: two, so that spreading over nodes works.
const Nodes = 2

// settings are given whole, because kwok fills none in for a configuration that
// comes from a file.
const settings = `
---
apiVersion: config.kwok.x-k8s.io/v1alpha1
kind: KwokConfiguration
options:
  manageAllNodes: true
  cidr: 10.244.0.0/16
  nodeLeaseDurationSeconds: 40
  nodeLeaseParallelism: 4
  nodePlayStageParallelism: 4
  podPlayStageParallelism: 8
`

// ReadyDelay is the annotation of a pod that says how long it takes to be ready.
const ReadyDelay = "kedastral.e2e/ready-delay"

// startKwok starts kwok and waits for its nodes.
func (p *Plane) startKwok(ctx context.Context) error {
	stages, err := p.kwokStages()
	if err != nil {
		return err
	}
	config, err := p.write("kwok.yaml", append(stages, settings...))
	if err != nil {
		return err
	}
	port, err := freePort()
	if err != nil {
		return err
	}
	if _, err := p.procs.Spawn("kwok", nil, p.tool("kwok"), "--kubeconfig="+p.root, "--config="+config,
		"--server-address=127.0.0.1:"+port); err != nil {
		return err
	}
	for i := range Nodes {
		if err := p.addNode(ctx, fmt.Sprintf("kwok-%d", i)); err != nil {
			return err
		}
	}
	return nil
}

// kwokStages are the lives of a node and of a pod, as kwok's module has them,
// but a pod becomes ready only after the time that its annotation [ReadyDelay]
// says: how long a real one takes to start.
func (p *Plane) kwokStages() ([]byte, error) {
	stages, err := Render(filepath.Join(p.src.Kwok, "kustomize/stage/fast"))
	if err != nil {
		return nil, err
	}
	var all []byte
	for _, stage := range stages {
		if stage.GetName() == "pod-ready" {
			stage.Object["spec"].(map[string]any)["delay"] = map[string]any{
				"durationMilliseconds": int64(0),
				"durationFrom":         map[string]any{"expressionFrom": `.metadata.annotations["` + ReadyDelay + `"]`},
			}
		}
		text, err := yaml.Marshal(stage.Object)
		if err != nil {
			return nil, fmt.Errorf("encoding stage %s: %w", stage.GetName(), err)
		}
		all = append(append(all, "---\n"...), text...)
	}
	return all, nil
}

func (p *Plane) addNode(ctx context.Context, name string) error {
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{
		Name:        name,
		Annotations: map[string]string{"kwok.x-k8s.io/node": "fake"},
		Labels:      map[string]string{corev1.LabelHostname: name, corev1.LabelTopologyZone: "zone-" + name},
	}}
	node.Status.Allocatable = corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse("64"), corev1.ResourceMemory: resource.MustParse("256Gi"), corev1.ResourcePods: resource.MustParse("1000"),
	}
	node.Status.Capacity = node.Status.Allocatable
	if err := p.Client.Create(ctx, node); err != nil {
		return fmt.Errorf("adding node %s: %w", name, err)
	}
	return Await(ctx, time.Minute, func(ctx context.Context) error {
		if err := p.Client.Get(ctx, client.ObjectKeyFromObject(node), node); err != nil {
			return err
		}
		for _, condition := range node.Status.Conditions {
			if condition.Type == corev1.NodeReady && condition.Status == corev1.ConditionTrue {
				return nil
			}
		}
		return errors.New("node " + name + " is not ready")
	})
}
