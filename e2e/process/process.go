// Package process runs binaries beside a test or a demonstration and keeps what
// they log.
//
// A process has exactly the environment that it is given. It is in a group of
// its own, so that an interrupt meant for who started it leaves it to be ended
// in order, and where the kernel can it dies with who started it.
package process

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/kedastral/kedastral/shared/telemetry/logtest"
)

// Process is a running binary.
type Process struct {
	Name string
	Log  logtest.Log
	cmd  *exec.Cmd
	done chan struct{}
}

// Start runs a binary.
func Start(binary string, environment map[string]string, args ...string) (*Process, error) {
	p := &Process{Name: filepath.Base(binary), cmd: exec.Command(binary, args...), done: make(chan struct{})}
	p.cmd.Env = []string{}
	for name, value := range environment {
		p.cmd.Env = append(p.cmd.Env, name+"="+value)
	}
	p.cmd.Stdout, p.cmd.Stderr = &p.Log, &p.Log
	p.cmd.SysProcAttr = attributes()
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", p.Name, err)
	}
	go func() {
		_ = p.cmd.Wait() // how it ended is in its state and its log
		close(p.done)
	}()
	return p, nil
}

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// PID is the process's number.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// ExitCode is what the process ended with, -1 for one that a signal ended. It
// must have ended.
func (p *Process) ExitCode() int {
	<-p.done
	return p.cmd.ProcessState.ExitCode()
}

// Signal sends a signal.
func (p *Process) Signal(s os.Signal) error {
	if err := p.cmd.Process.Signal(s); err != nil {
		return fmt.Errorf("sending %v to %s: %w", s, p.Name, err)
	}
	return nil
}

// Kill ends the process at once and waits for it.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill() // it may have ended already
	<-p.done
}

// Stop asks the process to end, by SIGTERM. It is an error if it does not in
// time, and is then killed, or if it ends with anything but 0.
func (p *Process) Stop(within time.Duration) error {
	if err := p.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-p.done:
	case <-time.After(within):
		p.Kill()
		return fmt.Errorf("%s still ran %v after SIGTERM", p.Name, within)
	}
	if code := p.ExitCode(); code != 0 {
		return fmt.Errorf("%s ended with %d on SIGTERM; want 0", p.Name, code)
	}
	return nil
}

// FreeAddresses are n addresses of the loopback that were free a moment ago.
func FreeAddresses(n int) ([]string, error) {
	addresses := make([]string, n)
	for i := range addresses {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("looking for a free port: %w", err)
		}
		defer l.Close() // not before the last is found, so that no two are the same
		addresses[i] = l.Addr().String()
	}
	return addresses, nil
}
