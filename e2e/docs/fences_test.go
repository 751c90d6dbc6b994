package docs_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/kedastral/kedastral/shared/docstest"
)

// Every fence says how it is checked, and those that need no shell are.
func TestFences(t *testing.T) {
	for _, d := range documents(t) {
		for _, f := range d.Fences {
			if fault := check(t, f); fault != "" {
				t.Errorf("%s: %s", at(d, f.Line), fault)
			}
		}
	}
}

func check(t *testing.T, f docstest.Fence) string {
	t.Helper()
	kind := f.Kind()
	switch {
	case kind == "sh run", kind == "console run", kind == "sh cluster", kind == "text", strings.HasPrefix(kind, "sh serve http"), option(f, "put") != "":
		return "" // the last is checked when the document is typed in
	case kind == "sh tree":
		return scripts(f)
	case kind == "json":
		if !json.Valid([]byte(f.Text)) {
			return "not JSON"
		}
		return ""
	case kind == "promql":
		return queries(t, f)
	case option(f, "file") != "":
		return excerpt(t, f, option(f, "file"))
	}
	return "a fence of kind " + strconv.Quote(kind) + ": must say how it is checked; go doc ./e2e/docs lists the kinds"
}

// option is the value of one of a fence's words KEY=VALUE.
func option(f docstest.Fence, key string) string {
	for _, word := range f.Info[min(1, len(f.Info)):] {
		if value, ok := strings.CutPrefix(word, key+"="); ok {
			return value
		}
	}
	return ""
}

// scripts checks calls of this tree's scripts.
func scripts(f docstest.Fence) string {
	for _, line := range lines(f.Text) {
		words := strings.Fields(line)
		for strings.Contains(words[0], "=") && len(words) > 1 {
			words = words[1:] // a variable before the command
		}
		path := filepath.Join(root, words[0])
		info, err := os.Stat(path)
		if err != nil || info.Mode()&0o111 == 0 {
			return words[0] + " is no script of this tree"
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err.Error()
		}
		usage, _, _ := strings.Cut(string(content), "\nset ")
		for _, word := range words[1:] {
			if strings.HasPrefix(word, "-") && !strings.Contains(usage, "-"+strings.TrimLeft(word, "-")) && !strings.Contains(usage, "FLAG") {
				return words[0] + " does not say in its usage that it takes " + word
			}
		}
	}
	return ""
}

// lines are a text's commands: comments and blank lines are left out.
func lines(text string) []string {
	var out []string
	for line := range strings.SplitSeq(strings.ReplaceAll(text, "\\\n", " "), "\n") {
		line, _, _ = strings.Cut(line+" ", " # ")
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			out = append(out, line)
		}
	}
	return out
}

// queries lets promtool read PromQL, as the rules it would be in.
func queries(t *testing.T, f docstest.Fence) string {
	t.Helper()
	var rules strings.Builder
	rules.WriteString("groups:\n- name: docs\n  rules:\n")
	for i, query := range lines(f.Text) {
		quoted, err := json.Marshal(query)
		if err != nil {
			return err.Error()
		}
		fmt.Fprintf(&rules, "  - record: r%d\n    expr: %s\n", i, quoted)
	}
	path := filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(path, []byte(rules.String()), 0o600); err != nil {
		return err.Error()
	}
	if out, err := exec.Command(prometheusTool(t, "promtool"), "check", "rules", path).CombinedOutput(); err != nil {
		return string(out)
	}
	return ""
}

func prometheusTool(t *testing.T, tool string) string {
	t.Helper()
	if dir := os.Getenv("PROMETHEUS_DIR"); dir != "" {
		return filepath.Join(dir, tool)
	}
	path, err := exec.LookPath(tool)
	if err != nil {
		t.Fatalf("%s is not on the PATH and PROMETHEUS_DIR is not set: scripts/prometheus finds or unpacks it", tool)
	}
	return path
}

var comment = regexp.MustCompile(`(^|\s+)#.*`)

// excerpt checks that a fence is a part of a file.
func excerpt(t *testing.T, f docstest.Fence, path string) string {
	t.Helper()
	want, whole := bare(f.Text), "\n"+bare(text(t, path))
	for indent := range 13 {
		shift := "\n" + strings.Repeat(" ", indent)
		if strings.Contains(whole, strings.TrimRight(shift+strings.ReplaceAll(strings.TrimRight(want, "\n"), "\n", shift), " ")+"\n") {
			return ""
		}
	}
	return "differs from " + path + ", of which it must be a part"
}

// bare is YAML without comments and blank lines.
func bare(yaml string) string {
	var b strings.Builder
	for line := range strings.SplitSeq(yaml, "\n") {
		if line = strings.TrimRight(comment.ReplaceAllString(line, ""), " "); line != "" {
			b.WriteString(line + "\n")
		}
	}
	return b.String()
}
