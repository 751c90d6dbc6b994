//go:build e2e

package cluster

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/kedastral/kedastral/e2e/cluster/plane"
)

// kustomization is what a user may apply: an overlay, the examples, or a
// component, which is put over the bases that it is made for.
type kustomization struct {
	path string // below manifests
	dir  string // to render
}

// kustomizations are found by looking, so that nothing is added unseen.
func kustomizations(t *testing.T) []kustomization {
	t.Helper()
	var all []kustomization
	read := map[string]bool{}
	for _, pattern := range []string{"overlays/*", "overlays/*/*", "examples"} {
		for _, path := range glob(t, pattern+"/kustomization.yaml") {
			full, err := filepath.Abs(filepath.Join(manifests, path))
			if err != nil {
				t.Fatal(err)
			}
			if read[full] {
				continue // a part of what was found before
			}
			k := kustomization{filepath.Dir(path), filepath.Join(manifests, filepath.Dir(path))}
			k.render(t, func(path string) { read[path] = true })
			all = append(all, k)
		}
	}
	for _, pattern := range []string{"components/*", "components/*/*"} {
		for _, path := range glob(t, pattern+"/kustomization.yaml") {
			path = filepath.Dir(path)
			all = append(all, kustomization{path, onBases(t, path)})
		}
	}
	return all
}

// glob is what matches below manifests, by its path there.
func glob(t *testing.T, pattern string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(manifests, pattern))
	if err != nil || len(found) == 0 {
		t.Fatalf("%s: nothing there, %v", pattern, err)
	}
	for i, path := range found {
		if found[i], err = filepath.Rel(manifests, path); err != nil {
			t.Fatal(err)
		}
	}
	return found
}

// onBases writes a kustomization that puts the component over the base it is
// named after, or over both, in a namespace of the suite.
func onBases(t *testing.T, component string) string {
	t.Helper()
	dir := t.TempDir()
	bases := []string{"forecaster", "scaler"}
	if name := filepath.Base(component); slices.Contains(bases, name) {
		bases = []string{name}
	}
	up := func(path string) string {
		t.Helper()
		full, err := filepath.Abs(filepath.Join(manifests, path))
		if err != nil {
			t.Fatal(err)
		}
		path, err = filepath.Rel(dir, full)
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
	content := map[string]any{"namespace": "team-a", "components": []string{up(component)}}
	var resources []string
	var settings []map[string]any
	for _, base := range bases {
		resources = append(resources, up("base/"+base))
		literals := []string{"FORECASTER_URL=https://kedastral-forecaster.kedastral.svc:8081"}
		if base == "forecaster" {
			literals = []string{"WORKLOADS=team-a/web", "WORKLOAD_TEAM_A_WEB_QUERY=up", "WORKLOAD_TEAM_A_WEB_TARGET_PER_POD=1"}
			if component == "components/redis" || component == "components/lease/forecaster" {
				literals = append(literals, "REDIS_URL=redis://redis.db.svc:6379") // as they say that an overlay must
			}
		}
		settings = append(settings, map[string]any{"name": "kedastral-" + base, "behavior": "merge", "literals": literals})
	}
	content["resources"], content["configMapGenerator"] = resources, settings
	text, err := yaml.Marshal(content)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "kustomization.yaml"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// render is the kustomization's objects; those without a namespace that want one
// are in one of the suite's.
func (k kustomization) render(t *testing.T, reads ...func(string)) []*unstructured.Unstructured {
	t.Helper()
	objects, err := plane.Render(k.dir, reads...)
	if err != nil {
		t.Fatal(err)
	}
	if k.path == "examples" {
		for _, object := range objects {
			object.SetNamespace("team-a")
		}
	}
	return objects
}

// elsewhere are files that no API server takes: Prometheus' own, which promtool
// checks.
var elsewhere = []string{"rules/rules.yaml", "rules/tests.yaml", "rules/tests-days.yaml"}

// Every file of the manifests is part of something that the suite has validated.
func TestNoManifestIsLeftOut(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	read := map[string]bool{}
	for _, k := range kustomizations(t) {
		k.render(t, func(path string) {
			full, err := filepath.EvalSymlinks(path)
			if err != nil {
				return // kustomize tries several names for a kustomization
			}
			mu.Lock()
			defer mu.Unlock()
			read[full] = true
		})
	}
	root, err := filepath.Abs(manifests)
	if err != nil {
		t.Fatal(err)
	}
	if err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if slices.ContainsFunc(elsewhere, func(file string) bool { return path == filepath.Join(root, "components/monitoring", file) }) {
			return nil
		}
		if err == nil && !entry.IsDir() && !read[path] && !strings.HasSuffix(path, ".md") {
			t.Errorf("%s: no overlay, component or example reads it", path)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d files are read", len(read))
}
