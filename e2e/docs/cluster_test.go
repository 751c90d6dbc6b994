package docs_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/kedastral/kedastral/shared/docstest"
)

// verbs are what the documents ask a cluster's tools, with the flags they use.
// A command that is not here is looked up in the tool's own help, and added.
var verbs = map[string][]string{
	"kubectl apply":        {"-k", "-f", "-n", "--server-side"},
	"kubectl create":       {"-n", "--from-file", "--from-literal"},
	"kubectl delete":       {"-n", "-k", "-f"},
	"kubectl describe":     {"-n"},
	"kubectl diff":         {"-k"},
	"kubectl exec":         {"-n"},
	"kubectl get":          {"-n", "-A", "-o", "-w", "-l", "--raw", "--field-selector"},
	"kubectl logs":         {"-n", "-f", "-l", "--tail", "--since", "--prefix", "--previous"},
	"chronyc tracking":     {},
	"kubectl port-forward": {"-n"},
	"kubectl rollout":      {"-n", "--timeout"},
	"kubectl wait":         {"-n", "--for", "--timeout", "--all"},
	"kubectl version":      {},
	"kind create":          {"--name", "--image", "--wait"},
	"kind load":            {"--name"},
	"kind delete":          {"--name"},
	"helm repo":            {},
	"helm install":         {"-n", "--namespace", "--create-namespace", "--version", "--wait", "--set"},
	"docker build":         {"--target", "--build-arg", "-t"},
	"docker buildx":        {"--platform", "--target", "-t", "--push"},
	"docker push":          {},
	"kubectl kustomize":    {},
}

// Every command for a cluster is one that its tool knows, about things that
// this tree has.
func TestClusterCommands(t *testing.T) {
	ours := tree(t, "manifests")
	var seen []string
	for _, d := range documents(t) {
		for _, f := range d.Fences {
			if f.Kind() != "sh cluster" {
				continue
			}
			for _, line := range lines(f.Text) {
				seen = append(seen, line)
				if fault := clusterCommand(line, ours); fault != "" {
					t.Errorf("%s: %s: %s", at(d, f.Line), line, fault)
				}
			}
		}
	}
	t.Logf("checked against a list:\n  %s", strings.Join(seen, "\n  "))
}

var ownName = regexp.MustCompile(`kedastral-[a-z-]+`)

func clusterCommand(line, ours string) string {
	for _, name := range ownName.FindAllString(line, -1) {
		if !strings.Contains(ours, name) {
			return "the manifests have nothing called " + name
		}
	}
	line, _, _ = strings.Cut(line, " | ")
	line, inside, _ := strings.Cut(line, " -- ") // what kubectl exec runs in a container
	if inside, ok := strings.CutPrefix(inside, "/forecaster "); ok {
		if fault := clusterCommand("forecaster "+inside, ours); fault != "" {
			return fault
		}
	}
	words := strings.Fields(line)
	tool, verb, flags := words[0], "", []string(nil)
	for i := 1; i < len(words); i++ {
		switch word := words[i]; {
		case strings.HasPrefix(word, "-") && word != "-":
			flag, _, _ := strings.Cut(word, "=")
			flags = append(flags, flag)
			if verb == "" && flag == "-n" {
				i++
			}
		case verb == "":
			verb = word
		}
	}
	switch tool {
	case "curl":
		return "" // the routes are looked up with all other mentions
	case "forecaster":
		return commandFlags(verb, flags)
	}
	known, ok := verbs[tool+" "+verb]
	if !ok {
		return "the list of what the documents ask a cluster's tools does not have it"
	}
	for _, flag := range flags {
		if !slices.Contains(known, flag) {
			return flag + " is not among the flags the list knows for it"
		}
	}
	return ""
}

// commandFlags looks flags up in the help of the forecaster itself.
func commandFlags(verb string, flags []string) string {
	help, _ := exec.Command(filepath.Join(binaries, "forecaster"), verb, "-help").CombinedOutput() // a help may end with an error
	for _, flag := range flags {
		if !strings.Contains(string(help), "\n  "+flag+" ") && !strings.Contains(string(help), "\n  "+flag+"\n") {
			return "forecaster " + verb + " has no flag " + flag
		}
	}
	return ""
}

// rendering is what can be done of cluster commands without a cluster: folders
// are rendered, files must be there.
func rendering(f docstest.Fence) string {
	var b strings.Builder
	for _, line := range lines(f.Text) {
		words := strings.Fields(line)
		for i, word := range words[:len(words)-1] {
			path := words[i+1]
			switch {
			case words[0] != "kubectl" || strings.Contains(path, "://"):
			case word == "-k" || word == "kustomize":
				b.WriteString("render " + path + "\n")
			case word == "-f" && words[1] != "logs":
				b.WriteString("test -f " + path + "\n")
			}
		}
	}
	return b.String()
}

// Every folder that can be applied renders.
func TestFoldersRender(t *testing.T) {
	if _, err := exec.LookPath("kubectl"); err != nil {
		t.Skip("kubectl is not on the PATH; the cluster suite renders them, too")
	}
	for _, pattern := range []string{"overlays/*", "examples"} {
		found, err := filepath.Glob(filepath.Join(root, "manifests/kustomize", pattern))
		if err != nil || len(found) == 0 {
			t.Fatalf("nothing matches %s: %v", pattern, err)
		}
		for _, dir := range found {
			if _, err := os.Stat(filepath.Join(dir, "kustomization.yaml")); err != nil {
				continue
			}
			if out, err := exec.Command("kubectl", "kustomize", dir).CombinedOutput(); err != nil {
				t.Errorf("rendering %s: %v\n%s", dir, err, out)
			}
		}
	}
}
