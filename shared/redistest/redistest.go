// Package redistest runs a real redis-server for a test.
//
// The one thing to know: a test that needs one is skipped where there is none,
// except where REDIS_DIR says that there must be: scripts/test sets it, with
// what scripts/redis finds or unpacks.
package redistest

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
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

// Server is a redis-server on a port of the loopback, in memory only.
type Server struct {
	Addr string // HOST:PORT; stays the same when it is started again

	t      *testing.T
	args   []string
	cmd    *exec.Cmd
	waited chan struct{}
	log    *output
}

type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// binary is the path of redis-server.
func binary(t *testing.T) string {
	t.Helper()
	if dir := os.Getenv("REDIS_DIR"); dir != "" {
		return filepath.Join(dir, "redis-server")
	}
	path, err := exec.LookPath("redis-server")
	if err != nil {
		t.Skip("redis-server is not on the PATH and REDIS_DIR is not set: scripts/redis finds or unpacks it")
	}
	return path
}

// Start runs a server until the test ends. The arguments are added to its
// command line, such as "--requirepass", "secret".
func Start(t *testing.T, args ...string) *Server {
	t.Helper()
	s := Reserve(t, args...)
	s.Run()
	return s
}

// Reserve is a server that does not run yet, with an address of its own.
//
// Its port, and the one 10,000 above, which a node of a cluster also takes, are
// below those that the system gives to connections: one of these would be in its
// place by the time it runs.
func Reserve(t *testing.T, args ...string) *Server {
	t.Helper()
	for range 100 {
		port := 11_000 + rand.IntN(11_000) //nolint:gosec // a port is no secret
		if free(t, port) && free(t, port+10_000) {
			return &Server{Addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), t: t, args: args, log: &output{}}
		}
	}
	t.Fatal("no port is free")
	return nil
}

func free(t *testing.T, port int) bool {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return false
	}
	return l.Close() == nil
}

// Port is that of Addr.
func (s *Server) Port() string {
	_, port, _ := net.SplitHostPort(s.Addr)
	return port
}

// Run starts the server, or starts it again, and returns when it listens.
// What it held before is gone.
func (s *Server) Run() {
	s.t.Helper()
	args := append([]string{"--bind", "127.0.0.1", "--port", s.Port(), "--save", "", "--appendonly", "no", "--daemonize", "no", "--dir", s.t.TempDir()}, s.args...)
	s.start(args...)
}

// Sentinel starts a Sentinel at the server's address, with this configuration
// besides the port.
func (s *Server) Sentinel(configuration string) {
	s.t.Helper()
	file := filepath.Join(s.t.TempDir(), "sentinel.conf")
	text := fmt.Sprintf("port %s\nbind 127.0.0.1\ndir %s\n%s", s.Port(), s.t.TempDir(), configuration)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	s.start(file, "--sentinel")
}

func (s *Server) start(args ...string) {
	s.t.Helper()
	cmd := exec.Command(binary(s.t), args...)
	cmd.Stdout, cmd.Stderr = s.log, s.log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		s.t.Fatalf("starting redis-server: %v", err)
	}
	waited := make(chan struct{})
	go func() {
		_ = cmd.Wait() // how it ended is of no interest
		close(waited)
	}()
	s.cmd, s.waited = cmd, waited
	s.t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended already
		<-waited
	})
	s.await()
}

// await returns when the server takes connections.
func (s *Server) await() {
	s.t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		conn, err := net.DialTimeout("tcp", s.Addr, time.Second)
		if err == nil {
			_ = conn.Close()
			return
		}
		select {
		case <-s.waited:
			s.t.Fatalf("redis-server ended at once:\n%s", s.log)
		default:
		}
	}
	s.t.Fatalf("redis-server does not listen:\n%s", s.log)
}

// Kill ends the server at once.
func (s *Server) Kill() {
	_ = s.cmd.Process.Kill() // it may have ended already
	<-s.waited
}

// Hang stops the server without ending it: connections stay, nothing answers.
func (s *Server) Hang() { s.signal(syscall.SIGSTOP) }

// Wake undoes Hang.
func (s *Server) Wake() { s.signal(syscall.SIGCONT) }

func (s *Server) signal(sig syscall.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatalf("sending %v to redis-server: %v", sig, err)
	}
}

// Do sends one command and returns the first line of the answer, with its
// type's mark: "+OK", ":1", "-ERR …", or the length "$5" of a text.
func (s *Server) Do(args ...string) string {
	s.t.Helper()
	lines := s.Ask(args...)
	return lines[0]
}

// Ask sends one command and returns the lines that come back at once.
func (s *Server) Ask(args ...string) []string {
	s.t.Helper()
	conn, err := net.DialTimeout("tcp", s.Addr, 5*time.Second)
	if err != nil {
		s.t.Fatalf("%s: %v", strings.Join(args, " "), err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	var command strings.Builder
	fmt.Fprintf(&command, "*%d\r\n", len(args))
	for _, arg := range args {
		fmt.Fprintf(&command, "$%d\r\n%s\r\n", len(arg), arg)
	}
	if _, err := conn.Write([]byte(command.String())); err != nil {
		s.t.Fatalf("%s: %v", strings.Join(args, " "), err)
	}
	answer := make([]byte, 1<<20)
	n, err := conn.Read(answer)
	if err != nil {
		s.t.Fatalf("%s: %v", strings.Join(args, " "), err)
	}
	return strings.Split(strings.TrimSuffix(string(answer[:n]), "\r\n"), "\r\n")
}
