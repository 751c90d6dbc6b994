package e2e_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// kindStub stands for docker, kind and kubectl: it writes down how it was called,
// fails where it is told to, and does what scripts/e2e-kind needs of it on files
// of the test.
const kindStub = `#!/usr/bin/env bash
set -euo pipefail
name=$(basename "$0")
shown="$*"
case "$name $shown" in
  "docker exec "*) echo "docker exec $2 $3" >>"$STUB/calls" ;;
  "kubectl apply "*) echo "$name $shown" >>"$STUB/calls"; cat >"$STUB/applied" ;;
  *) echo "$name $shown" >>"$STUB/calls" ;;
esac
if [[ -n ${STUB_FAIL:-} && "$name $shown" == $STUB_FAIL* ]]; then
  echo "$name: told to fail" >&2
  exit 7
fi
case "$name $shown" in
  "docker exec "*) shift 2; exec "${@//\/etc\/kubernetes/$STUB}" ;;
  "docker network inspect "*) printf 'fc00:f853:ccd:e793::1\n172.18.0.1\n' ;;
  "kind create "*) echo "kubeconfig" >"$KUBECONFIG" ;;
  "kubectl get --raw /version") printf '{\n  "major": "1",\n  "minor": "%s+",\n}\n' "${STUB_MINOR:-36}" ;;
  "kubectl kustomize "*) printf '        image: registry.example/kedacore/keda:main\n        image: registry.example/kedacore/keda-metrics-apiserver:main\n          image: {}\n' ;;
esac
`

// kindRun is one run of scripts/e2e-kind with stubs on its path.
type kindRun struct {
	dir    string
	output string
	err    error
}

// runKind runs the script; its command writes down what it was given.
func runKind(t *testing.T, env ...string) kindRun {
	t.Helper()
	dir := t.TempDir()
	bin := filepath.Join(dir, "bin")
	for _, sub := range []string{bin, filepath.Join(dir, "manifests"), filepath.Join(dir, "tmp")} {
		if err := os.Mkdir(sub, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"docker", "kind", "kubectl"} {
		if slices.Contains(env, "WITHOUT="+name) {
			continue
		}
		if err := os.WriteFile(filepath.Join(bin, name), []byte(kindStub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"basename", "bash", "cat", "dirname", "env", "grep", "mktemp", "mv", "rm", "sed", "sh"} {
		path, err := exec.LookPath(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(path, filepath.Join(bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	manifest := "spec:\n  containers:\n  - command:\n    - kube-controller-manager\n    - --leader-elect=true\n    image: kcm\n"
	if err := os.WriteFile(filepath.Join(dir, "manifests/kube-controller-manager.yaml"), []byte(manifest), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "../scripts/e2e-kind", "bash", "-c",
		`echo "suite $(cat "$KUBECONFIG") $E2E_HOST_IP $0 $1" >>"$STUB/calls"; exit "${SUITE_ENDS:-0}"`, "-test.v", "-test.run=X")
	cmd.Env = append([]string{"PATH=" + bin, "STUB=" + dir, "TMPDIR=" + filepath.Join(dir, "tmp"), "E2E_KEDA=/keda"}, env...)
	said, err := cmd.CombinedOutput()
	return kindRun{dir: dir, output: string(said), err: err}
}

// file is one that the stubs left; empty where they did not.
func (r kindRun) file(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(r.dir, name))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(text), root, "ROOT")
}

// left are temporary files that the script did not remove.
func (r kindRun) left(t *testing.T) []string {
	t.Helper()
	left, err := filepath.Glob(filepath.Join(r.dir, "tmp/*"))
	if err != nil {
		t.Fatal(err)
	}
	return left
}

const (
	kindCreate = "kind create cluster --name kedastral-e2e --config ROOT/e2e/cluster/kind.yaml --wait 3m"
	kindDelete = "kind delete cluster --name kedastral-e2e"
)

func TestKindHomeIsBuiltUsedAndRemoved(t *testing.T) {
	t.Parallel()
	r := runKind(t)
	if r.err != nil {
		t.Fatalf("%v: %s", r.err, r.output)
	}
	want := strings.Join([]string{
		"docker info",
		kindCreate,
		"kubectl get --raw /version",
		"docker exec kedastral-e2e-control-plane sh",
		"docker build --target forecaster --build-arg VERSION=e2e -t kedastral-forecaster:e2e ROOT",
		"kind load docker-image --name kedastral-e2e kedastral-forecaster:e2e",
		"docker build --target scaler --build-arg VERSION=e2e -t kedastral-scaler:e2e ROOT",
		"kind load docker-image --name kedastral-e2e kedastral-scaler:e2e",
		"kubectl kustomize /keda/config/default",
		"kubectl apply --server-side -f -",
		"kubectl -n keda wait deployment --all --for=condition=Available --timeout=5m",
		"kubectl -n kube-system wait pod -l component=kube-controller-manager --for=condition=Ready --timeout=3m",
		"docker network inspect kind -f {{range .IPAM.Config}}{{println .Gateway}}{{end}}",
		"suite kubeconfig 172.18.0.1 -test.v -test.run=X",
		kindDelete, "",
	}, "\n")
	calls := r.file(t, "calls")
	calls = strings.Replace(calls, // a pipe's two sides begin in either order
		"kubectl apply --server-side -f -\nkubectl kustomize /keda/config/default\n",
		"kubectl kustomize /keda/config/default\nkubectl apply --server-side -f -\n", 1)
	if diff := cmp.Diff(want, calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	wantKEDA := "        image: registry.example/kedacore/keda:2.21.0\n        image: registry.example/kedacore/keda-metrics-apiserver:2.21.0\n          image: {}\n"
	if diff := cmp.Diff(wantKEDA, r.file(t, "applied")); diff != "" {
		t.Errorf("KEDA's manifests (-want +got):\n%s", diff)
	}
	wantFlags := "spec:\n  containers:\n  - command:\n    - kube-controller-manager\n" +
		"    - --horizontal-pod-autoscaler-sync-period=1s\n    - --horizontal-pod-autoscaler-downscale-stabilization=5s\n" +
		"    - --concurrent-horizontal-pod-autoscaler-syncs=20\n    - --leader-elect=true\n    image: kcm\n"
	if diff := cmp.Diff(wantFlags, r.file(t, "manifests/kube-controller-manager.yaml")); diff != "" {
		t.Errorf("the controllers' manifest (-want +got):\n%s", diff)
	}
	if left := r.left(t); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// Whatever fails, the cluster and the kubeconfig are removed and the status tells.
func TestKindHomeIsRemovedWhenAnythingFails(t *testing.T) {
	t.Parallel()
	for _, fails := range []string{
		"STUB_FAIL=kind create", "STUB_FAIL=kubectl get", "STUB_FAIL=docker exec", "STUB_FAIL=docker build --target scaler",
		"STUB_FAIL=kind load", "STUB_FAIL=kubectl kustomize", "STUB_FAIL=kubectl apply", "STUB_FAIL=kubectl -n keda wait",
		"STUB_FAIL=docker network", "SUITE_ENDS=3", "STUB_MINOR=34",
	} {
		t.Run(fails, func(t *testing.T) {
			t.Parallel()
			r := runKind(t, fails)
			if r.err == nil {
				t.Error("ended well; must not")
			}
			if !strings.HasSuffix(r.file(t, "calls"), kindDelete+"\n") {
				t.Errorf("the cluster is not removed in the end:\n%s", r.file(t, "calls"))
			}
			if left := r.left(t); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

func TestKindHomeOptions(t *testing.T) {
	t.Parallel()
	kept := runKind(t, "E2E_KEEP=1", "E2E_NODE_IMAGE=kindest/node:v1.36.4")
	if calls := kept.file(t, "calls"); strings.Contains(calls, kindDelete) || !strings.Contains(calls, kindCreate+" --image kindest/node:v1.36.4\n") {
		t.Errorf("E2E_KEEP and E2E_NODE_IMAGE: must keep the cluster, and make it from that image:\n%s", calls)
	}
	for _, want := range []struct{ env, says string }{
		{"WITHOUT=kind", "kind is missing: install docker with buildx, kubectl, and a kind"},
		{"STUB_FAIL=docker info", "docker does not answer: start its daemon"},
		{"STUB_MINOR=34", "its nodes run Kubernetes 1.34: set E2E_NODE_IMAGE"},
		{"E2E_KEDA=", "run scripts/e2e kind"},
	} {
		if r := runKind(t, want.env); r.err == nil || !strings.Contains(r.output, want.says) {
			t.Errorf("%s: %v, %q; want it to say %q", want.env, r.err, r.output, want.says)
		}
	}
}
