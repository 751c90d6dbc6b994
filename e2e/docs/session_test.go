package docs_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/kedastral/kedastral/shared/docstest"
)

// patience is for one document, on a machine that has other things to do.
const patience = 8 * time.Minute

// Every command of every document does what the document says.
func TestCommands(t *testing.T) {
	tickets := make(chan struct{}, 2)
	var mu sync.Mutex
	typed := map[string]string{}
	t.Run("documents", func(t *testing.T) {
		for _, d := range documents(t) {
			s := script(d)
			if len(s.steps) == 0 {
				continue
			}
			t.Run(name(d), func(t *testing.T) {
				t.Parallel()
				tickets <- struct{}{}
				defer func() { <-tickets }()
				list := s.play(t)
				mu.Lock()
				defer mu.Unlock()
				typed[name(d)] = list
			})
		}
	})
	if len(typed) == 0 {
		t.Error("no document has a command: the README must")
	}
	for _, list := range typed {
		t.Log("executed:\n" + list)
	}
}

// step is one thing that is done in a document's shell.
type step struct {
	fence   docstest.Fence
	command string // what is typed
	serves  string // URL that answers once it runs in the background
	prints  string // what it must print
	checked bool   // prints counts
	list    string // how the list of what was executed calls it; not listed when empty
}

type session struct {
	document docstest.Document
	steps    []step
}

// script is what a document's fences make of its shell.
func script(d docstest.Document) session {
	s := session{document: d}
	for _, f := range d.Fences {
		switch kind := f.Kind(); {
		case kind == "sh run":
			s.steps = append(s.steps, step{fence: f, command: f.Text, list: f.Text})
		case strings.HasPrefix(kind, "sh serve http"):
			s.steps = append(s.steps, step{fence: f, command: f.Text, serves: f.Info[2], list: f.Text})
		case kind == "console run":
			s.steps = append(s.steps, conversation(f)...)
		case kind == "sh cluster":
			s.steps = append(s.steps, step{fence: f, command: rendering(f)})
		case option(f, "put") != "":
			s.steps = append(s.steps, step{fence: f, command: put(option(f, "put"), f.Text)})
		}
	}
	return s
}

// conversation is a step for each command and what follows it.
func conversation(f docstest.Fence) []step {
	var steps []step
	for _, line := range strings.SplitAfter(f.Text, "\n") {
		if command, ok := strings.CutPrefix(line, "$ "); ok {
			steps = append(steps, step{fence: f, command: command, list: command, checked: true})
			continue
		}
		if len(steps) == 0 {
			continue
		}
		last := &steps[len(steps)-1]
		if strings.HasSuffix(strings.TrimRight(last.command, "\n"), `\`) {
			last.command, last.list = last.command+line, last.list+line
			continue
		}
		last.prints += line
	}
	return steps
}

// put writes a file; a kustomization must render from then on.
func put(path, text string) string {
	command := fmt.Sprintf("mkdir -p \"$(dirname %[1]s)\"\ncat >%[1]s <<'THE END OF THE FILE'\n%[2]sTHE END OF THE FILE\n", path, text)
	if filepath.Base(path) == "kustomization.yaml" {
		command += "render " + filepath.Dir(path) + "\n"
	}
	return command
}

// play types the steps into one shell and returns the list of the commands.
func (s session) play(t *testing.T) string {
	t.Helper()
	dir := sandbox(t)
	outputs := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	shell, how := shell(ctx, s.bash(outputs))
	shell.Dir = dir
	shell.Env = environment(t)
	began := time.Now()
	var errs bytes.Buffer
	shell.Stderr = &errs
	failed := shell.Run()
	_ = syscall.Kill(-shell.Process.Pid, syscall.SIGKILL) // what it left running; nothing may be
	list := fmt.Sprintf("%s, %s, %.1f s\n", name(s.document), how, time.Since(began).Seconds())
	for i, step := range s.steps {
		out, err := os.ReadFile(filepath.Join(outputs, strconv.Itoa(i)))
		if errors.Is(err, fs.ErrNotExist) {
			if failed == nil {
				t.Errorf("%s: was not typed in", at(s.document, step.fence.Line))
			}
			continue
		}
		done := i+1 < len(s.steps) && exists(filepath.Join(outputs, strconv.Itoa(i+1)))
		if failed != nil && !done {
			t.Errorf("%s: %v\n%s%s\nit printed:\n%s", at(s.document, step.fence.Line), failed, step.command, errs.String(), out)
		}
		if step.list != "" {
			list += fmt.Sprintf("  %4d  %s\n", step.fence.Line, strings.ReplaceAll(strings.TrimSpace(step.list), "\n", "\n        "))
		}
		if step.checked {
			s.compare(t, step, string(out))
		}
	}
	return list
}

// environment is what a person's shell has; no variable of these tests is in it.
func environment(t *testing.T) []string {
	t.Helper()
	out := []string{"GOFLAGS=-trimpath", "PATH=" + filepath.Dir(prometheusTool(t, "prometheus")) + ":" + os.Getenv("PATH")}
	for _, name := range []string{"HOME", "USER", "LANG", "TMPDIR", "GOPATH", "GOCACHE", "GOMODCACHE", "GOROOT", "GOTOOLCHAIN", "XDG_CACHE_HOME"} {
		if value, ok := os.LookupEnv(name); ok {
			out = append(out, name+"="+value)
		}
	}
	return out
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// compare holds what a command printed against what the document says.
func (s session) compare(t *testing.T, step step, out string) {
	t.Helper()
	fault := differs(step.prints, out)
	if fault == "" {
		return
	}
	if docstest.Updating() && !strings.Contains(step.fence.Text, "…") && strings.Count(step.fence.Text, "$ ") == 1 {
		if err := s.document.Replace(step.fence, "$ "+step.command+out); err != nil {
			t.Error(err)
		}
		return
	}
	t.Errorf("%s: %s\n$ %sprinted:\n%s", at(s.document, step.fence.Line), fault, step.command, out)
}

// bash is the program that the shell runs: every step's output goes to a file
// of its own, and the first that fails ends it.
func (s session) bash(outputs string) string {
	var b strings.Builder
	b.WriteString("set -euo pipefail\n")
	b.WriteString("render() { if command -v kubectl; then kubectl kustomize \"$1\"; else echo not rendered: there is no kubectl; fi; }\n")
	for i, step := range s.steps {
		out := filepath.Join(outputs, strconv.Itoa(i))
		if step.serves == "" {
			fmt.Fprintf(&b, "{ :\n%s\n} >%s 2>&1 </dev/null\n", step.command, out)
			continue
		}
		fmt.Fprintf(&b, "{\n%s\n} >%s 2>&1 </dev/null &\n", step.command, out)
		fmt.Fprintf(&b, "for ((i = 0; ; i++)); do curl -fsS -o /dev/null %s 2>>%s.asked && break; kill -0 $! && [ $i -lt 3000 ] || exit 1; sleep 0.1; done\n", step.serves, out)
	}
	return b.String()
}

// shell is bash with a process group of its own and, where the system allows
// it, a network of its own, in which every port is free.
func shell(ctx context.Context, program string) (*exec.Cmd, string) {
	make := func(program string, flags uintptr) *exec.Cmd {
		cmd := exec.CommandContext(ctx, "bash", "-c", program)
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Cloneflags: flags, Pdeathsig: syscall.SIGKILL}
		if flags != 0 {
			cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getuid(), HostID: os.Getuid(), Size: 1}}
			cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getgid(), HostID: os.Getgid(), Size: 1}}
		}
		cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
		return cmd
	}
	const alone = syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET
	if make("ip link set lo up", alone).Run() == nil {
		return make("ip link set lo up\n"+program, alone), "without a network"
	}
	return make(program, 0), "on this machine's network"
}

// sandbox is a copy of the tree to work in.
func sandbox(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	list := exec.Command("git", "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	files, err := list.Output()
	if err != nil {
		t.Fatalf("listing the tree: %v", err)
	}
	for file := range strings.SplitSeq(strings.TrimSuffix(string(files), "\x00"), "\x00") {
		if err := clone(filepath.Join(root, file), filepath.Join(dir, file)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
	return dir
}

func clone(from, to string) error {
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return os.WriteFile(to, content, info.Mode().Perm())
}
