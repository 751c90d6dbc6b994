package plane

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Processes are children of ours, each with a log file.
type Processes struct {
	Logs string // folder of the log files

	mu   sync.Mutex
	list []*Process
}

// Process is one child.
type Process struct {
	Name string
	Log  string // its output, file

	cmd  *exec.Cmd
	done chan struct{}
}

// Spawn starts a program whose output goes to NAME.log. It has no environment
// but env.
func (ps *Processes) Spawn(name string, env []string, program string, args ...string) (*Process, error) {
	path := filepath.Join(ps.Logs, name+".log")
	out, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the log of %s: %w", name, err)
	}
	cmd := exec.Command(program, args...)
	cmd.Env = append([]string{"HOME=" + ps.Logs}, env...)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	p := &Process{Name: name, Log: path, cmd: cmd, done: make(chan struct{})}
	go func() {
		_ = cmd.Wait() // how it ended is for whoever ended it
		out.Close()
		close(p.done)
	}()
	ps.mu.Lock()
	defer ps.mu.Unlock()
	ps.list = append(ps.list, p)
	return p, nil
}

// Stop ends all, the newest first.
func (ps *Processes) Stop() {
	for _, p := range slices.Backward(ps.All()) {
		p.Stop()
	}
}

// All are the processes started so far, the ended ones included.
func (ps *Processes) All() []*Process {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	return slices.Clone(ps.list)
}

// Stop asks the process to end, and insists after fifteen seconds.
func (p *Process) Stop() {
	p.Signal(syscall.SIGCONT)
	p.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(15 * time.Second):
		p.Kill()
	}
}

// Kill ends the process at once.
func (p *Process) Kill() {
	p.Signal(syscall.SIGKILL)
	<-p.done
}

// Signal sends s to the process; one that has ended does not mind.
func (p *Process) Signal(s syscall.Signal) { _ = p.cmd.Process.Signal(s) }

// Ended tells whether the process is gone.
func (p *Process) Ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// Done is closed when the process is gone.
func (p *Process) Done() <-chan struct{} { return p.done }

// PID is the process's number.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Child is a process below this one and the most memory it held, in MiB.
type Child struct {
	Name    string
	PeakMiB int
}

// Children are all processes of this pid namespace but this one.
func Children() []Child {
	var list []Child
	files, err := filepath.Glob("/proc/[0-9]*/status")
	if err != nil {
		return nil
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil || file == fmt.Sprintf("/proc/%d/status", os.Getpid()) {
			continue // it has ended meanwhile
		}
		var child Child
		for line := range strings.Lines(string(text)) {
			switch key, value, _ := strings.Cut(line, ":"); key {
			case "Name":
				child.Name = strings.TrimSpace(value)
			case "VmHWM":
				if kib, err := strconv.Atoi(strings.Fields(value)[0]); err == nil {
					child.PeakMiB = kib / 1024
				}
			}
		}
		list = append(list, child)
	}
	return list
}

// freePort is a port that nobody listens on; in a network namespace of our own
// nobody else will take it before it is used.
func freePort() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("looking for a free port: %w", err)
	}
	defer listener.Close()
	return strconv.Itoa(listener.Addr().(*net.TCPAddr).Port), nil
}
