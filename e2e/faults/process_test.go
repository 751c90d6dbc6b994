package faults_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// process is a running binary and what it has logged.
type process struct {
	name string
	cmd  *exec.Cmd
	log  *logged
	done chan struct{}
}

// logged is all a process has written.
type logged struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// patient is a command that gives way to what is being measured: compilers and
// fuzzers would have worlds late on a small machine.
func patient(command ...string) *exec.Cmd {
	return exec.Command("nice", append([]string{"-n", "19"}, command...)...)
}

// start runs a command with exactly this environment. Whoever starts it sees
// to its end.
func start(t *testing.T, environment map[string]string, command ...string) *process {
	t.Helper()
	p := &process{name: filepath.Base(command[0]), cmd: exec.Command(command[0], command[1:]...), log: &logged{}, done: make(chan struct{})}
	p.cmd.Env = []string{}
	for name, value := range environment {
		p.cmd.Env = append(p.cmd.Env, name+"="+value)
	}
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("starting %s: %v", p.name, err)
	}
	go func() {
		_ = p.cmd.Wait() // how it ended is in its state
		close(p.done)
	}()
	return p
}

func tail(text string, n int) string {
	if len(text) > n {
		return "… " + text[len(text)-n:]
	}
	return text
}

func (p *process) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Errorf("sending %v to %s: %v", s, p.name, err)
	}
}

// kill ends the process at once and waits for it.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may have ended already
	<-p.done
}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// stop asks the process to end and waits until it has.
func (p *process) stop(t *testing.T, within time.Duration) {
	t.Helper()
	p.signal(t, syscall.SIGTERM)
	select {
	case <-p.done:
		if code := p.cmd.ProcessState.ExitCode(); code != 0 {
			t.Errorf("%s ended with %d on SIGTERM; want 0", p.name, code)
		}
	case <-time.After(within):
		t.Errorf("%s still runs %v after SIGTERM", p.name, within)
		p.kill()
	}
}

// resident is the memory of the process in bytes, as field of its status.
func (p *process) resident(field string) int {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	for line := range strings.Lines(string(status)) {
		kib := 0
		if _, err := fmt.Sscanf(line, field+": %d kB", &kib); err == nil {
			return kib << 10
		}
	}
	return 0
}

// processor is how long the process has computed.
func (p *process) processor() time.Duration {
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	_, rest, _ := strings.Cut(string(stat), ") ") // the name may hold anything
	fields := strings.Fields(rest)
	ticks := 0
	for _, i := range []int{11, 12} { // utime and stime, in hundredths of a second
		if i < len(fields) {
			n, _ := strconv.Atoi(fields[i])
			ticks += n
		}
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

// freePort is a port of the loopback that was free a moment ago.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// within asks until the answer is nil or the time is over; it is how long that
// took and the last answer.
func within(limit time.Duration, ask func() error) (time.Duration, error) {
	began := time.Now()
	for {
		err := ask()
		if took := time.Since(began); err == nil || took > limit {
			return took, err
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func eventually(t *testing.T, limit time.Duration, what string, ask func() error) {
	t.Helper()
	if _, err := within(limit, ask); err != nil {
		t.Fatalf("%s: not within %v: %v", what, limit, err)
	}
}

// get asks a URL and hands back status and body.
func get(ctx context.Context, url string) (int, string, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return 0, "", err
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return response.StatusCode, string(body), err
}

// answers is whether a URL answers 200.
func answers(url string) func() error {
	return func() error {
		code, body, err := get(context.Background(), url)
		if err == nil && code != http.StatusOK {
			err = fmt.Errorf("GET %s: %d %.200s", url, code, body)
		}
		return err
	}
}
