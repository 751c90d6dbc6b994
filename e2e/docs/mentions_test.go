package docs_test

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/kedastral/kedastral/shared/docstest"
)

// known are the names that documents may use.
type known struct {
	variables, settings, metrics, routes map[string]bool
	flags                                string // what the commands say of themselves
	tree                                 string // everything else that may define a name
}

// The names come from where other tests hold them against the code: the
// generated tables, the API's own description, and the commands' help.
func names(t *testing.T) known {
	t.Helper()
	k := known{variables: map[string]bool{}, settings: map[string]bool{}, metrics: map[string]bool{}, routes: map[string]bool{}}
	for _, found := range regexp.MustCompile("(?m)^\\| `(…_)?([A-Z_0-9]+)` \\|").FindAllStringSubmatch(text(t, "docs/configuration.md"), -1) {
		if found[1] != "" {
			k.settings[found[2]] = true
		} else {
			k.variables[found[2]] = true
		}
	}
	for _, found := range regexp.MustCompile("(?m)^\\| `(kedastral_[a-z_]+)` \\|").FindAllStringSubmatch(text(t, "docs/metrics.md"), -1) {
		k.metrics[found[1]] = true
	}
	k.metrics["kedastral_build_info"] = true
	var api struct {
		Paths map[string]any `json:"paths"`
	}
	if err := json.Unmarshal([]byte(text(t, "forecaster/api/openapi.json")), &api); err != nil {
		t.Fatal(err)
	}
	for path := range api.Paths {
		k.routes[path] = true
	}
	for _, of := range []string{"/", "/status", "/healthz", "/readyz", "/metrics", "/-/ready"} {
		k.routes[of] = true // the page, the scaler's, Prometheus'
	}
	for _, command := range [][]string{{"forecaster", "backtest", "-help"}, {"forecaster", "forecast", "-help"}, {"forecaster", "explain", "-help"}, {"forecaster", "help"}, {"demo", "-help"}} {
		out, _ := exec.Command(filepath.Join(binaries, command[0]), command[1:]...).CombinedOutput() // a help may end with an error
		k.flags += string(out)
	}
	k.tree = tree(t, "scripts", "manifests", "e2e", "docs") + text(t, "Dockerfile")
	if len(k.variables) < 20 || len(k.settings) < 20 || len(k.metrics) < 20 || len(k.routes) < 8 || !strings.Contains(k.flags, "-max-slo-minutes") {
		t.Fatalf("the names were not found: %d variables, %d settings, %d metrics, %d routes", len(k.variables), len(k.settings), len(k.metrics), len(k.routes))
	}
	return k
}

// Every variable, metric, route, flag and path that a document names exists.
func TestMentions(t *testing.T) {
	k := names(t)
	for _, d := range documents(t) {
		mentions := d.Spans
		for _, f := range d.Fences {
			if strings.Contains(f.Text, "unknown variable; did you mean") {
				continue // it shows what becomes of a misspelt one
			}
			for i, line := range strings.Split(f.Text, "\n") {
				mentions = append(mentions, docstest.Mention{Line: f.Line + i, Text: line})
			}
		}
		for _, m := range mentions {
			if fault := k.inAnyText(m.Text); fault != "" {
				t.Errorf("%s: %s", at(d, m.Line), fault)
			}
		}
		for _, m := range d.Spans {
			if fault := k.inSpan(d, m.Text); fault != "" {
				t.Errorf("%s: %s", at(d, m.Line), fault)
			}
		}
	}
}

var (
	variable = regexp.MustCompile(`\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b`)
	assigned = regexp.MustCompile(`^([A-Z][A-Z0-9_]+)=`)
	metric   = regexp.MustCompile(`\bkedastral_[a-z_]+`)
	route    = regexp.MustCompile(`localhost:80\d\d(/[^\s'"?#]*)`)
	flagged  = regexp.MustCompile(`^-{1,2}([a-z][a-z-]*)\b`)
	path     = regexp.MustCompile(`^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)+/?$`)
)

// inAnyText checks what is a name of ours wherever it stands.
func (k known) inAnyText(s string) string {
	for _, name := range variable.FindAllString(s, -1) {
		if !k.variable(name) {
			return "no process reads the variable " + name
		}
	}
	for _, name := range metric.FindAllString(s, -1) {
		base := name
		for _, part := range []string{"_bucket", "_sum", "_count"} {
			base = strings.TrimSuffix(base, part)
		}
		if !k.metrics[name] && !k.metrics[base] && !strings.HasSuffix(name, "_") {
			return "no process has the metric " + name
		}
	}
	for _, found := range route.FindAllStringSubmatch(s, -1) {
		if !k.routes[found[1]] {
			return "nothing answers at " + found[1]
		}
	}
	return ""
}

// inSpan checks what is a name only because it stands alone in `backquotes`.
func (k known) inSpan(d docstest.Document, s string) string {
	if found := assigned.FindStringSubmatch(s); found != nil && !k.variable(found[1]) {
		return "no process reads the variable " + found[1]
	}
	if found := flagged.FindStringSubmatch(s); found != nil && !strings.Contains(k.flags, "-"+found[1]) && !strings.Contains(k.tree, "-"+found[1]) {
		return "no command takes the flag " + found[0]
	}
	if strings.HasPrefix(s, "/") && !strings.HasPrefix(s, "/var/run/") && !strings.Contains(s, " ") { // Kubernetes mounts there
		bare, _, _ := strings.Cut(s, "?")
		if !k.routes[bare] && !strings.Contains(k.tree, s) {
			return "nothing answers at " + s
		}
	}
	if path.MatchString(s) && !k.path(d, s) {
		return "there is no " + s
	}
	return ""
}

// variable reports whether something reads a variable: a process, for a
// workload or for itself, or a script or a manifest of this tree.
func (k known) variable(name string) bool {
	if k.variables[name] || k.settings[name] {
		return true
	}
	if setting, ok := strings.CutPrefix(name, "DEFAULT_"); ok {
		return k.settings[setting]
	}
	if strings.HasPrefix(name, "WORKLOAD_") {
		return slices.ContainsFunc(slices.Collect(maps.Keys(k.settings)), func(setting string) bool { return strings.HasSuffix(name, "_"+setting) })
	}
	return regexp.MustCompile(`\b` + name + `\b`).MatchString(k.tree)
}

// path reports whether a path that begins like one of this tree's is there.
func (k known) path(d docstest.Document, s string) bool {
	first, _, _ := strings.Cut(s, "/")
	mine := false
	for _, base := range []string{root, filepath.Join(root, "manifests/kustomize"), filepath.Dir(d.Path)} {
		if _, err := os.Stat(filepath.Join(base, first)); err != nil {
			continue
		}
		mine = true
		if _, err := os.Stat(filepath.Join(base, s)); err == nil {
			return true
		}
	}
	return !mine || first == "out"
}
