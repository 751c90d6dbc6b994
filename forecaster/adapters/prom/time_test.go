package prom_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kedastral/kedastral/forecaster/adapters"
	"github.com/kedastral/kedastral/forecaster/adapters/prom"
)

// pipes is a network without sockets, whose time a bubble can turn.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	dials int
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { close(p.done); return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{} }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	p.dials++
	select {
	case p.conns <- far:
		return near, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// bubble runs a test in a time of its own with a Prometheus that is reached
// through pipes.
func bubble(t *testing.T, answer func(int, question, http.ResponseWriter), test func(*testing.T, *fake, *pipes, prom.Options)) {
	synctest.Test(t, func(t *testing.T) {
		f, network := &fake{}, &pipes{conns: make(chan net.Conn), done: make(chan struct{})}
		server := &http.Server{Handler: f.handler(t, answer)}
		var serving sync.WaitGroup
		serving.Go(func() {
			if err := server.Serve(network); !errors.Is(err, http.ErrServerClosed) {
				t.Error(err)
			}
		})
		defer func() {
			if err := server.Close(); err != nil {
				t.Error(err)
			}
			serving.Wait()
		}()
		test(t, f, network, prom.Options{URL: "http://prometheus.example", Dial: network.dial})
	})
}

func TestRotatedToken(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	write := func(content string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	accepted := "first"
	script := func(i int, q question, w http.ResponseWriter) {
		if q.header.Get("Authorization") != "Bearer "+accepted {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		answers(load)(i, q, w)
	}
	write("first")
	bubble(t, script, func(t *testing.T, _ *fake, _ *pipes, o prom.Options) {
		o.Token.File = file
		server, err := prom.NewServer(o)
		if err != nil {
			t.Fatal(err)
		}
		defer server.Close()
		a, err := server.Adapter(query())
		if err != nil {
			t.Fatal(err)
		}
		for _, step := range []struct {
			name   string
			do     func()
			reason string
		}{
			{"at first", func() {}, ""},
			{"ten seconds after a change", func() { write("second"); accepted = "second"; time.Sleep(10 * time.Second) }, ""},
			{"while the file is empty", func() { write(""); time.Sleep(10 * time.Second) }, ""},
			{"while the file is gone", func() { _ = os.Remove(file); time.Sleep(10 * time.Second) }, ""},
			{"right after a change", func() { write("third"); accepted = "third"; time.Sleep(time.Second) }, adapters.ReasonAuth},
			{"after the refusal", func() {}, ""},
		} {
			step.do()
			_, err := a.Collect(t.Context(), 600)
			if got := adapters.Reason(err); got != step.reason {
				t.Errorf("%s: %v; want the reason %q", step.name, err, step.reason)
			}
		}
	})
}

func TestRetryAfter(t *testing.T) {
	for _, tt := range []struct {
		status int
		header string
		waits  time.Duration // less than a second more or less; 0: it gives up and says so
		says   string
	}{
		{429, "1", time.Second, ""},
		{503, "8", 8 * time.Second, ""},
		{503, "Sat, 01 Jan 2000 00:00:05 GMT", 5 * time.Second, ""}, // a bubble begins in 2000
		{429, "30", 0, "for another "},
		{429, "86400", 0, "for another "},
	} {
		wish := tt.header
		script := func(i int, q question, w http.ResponseWriter) {
			if wish == "" {
				answers(load)(i, q, w)
				return
			}
			w.Header().Set("Retry-After", wish)
			w.WriteHeader(tt.status)
			wish = ""
		}
		bubble(t, script, func(t *testing.T, f *fake, _ *pipes, o prom.Options) {
			server, err := prom.NewServer(o)
			if err != nil {
				t.Fatal(err)
			}
			defer server.Close()
			a, _ := server.Adapter(query())
			b, _ := server.Adapter(query())
			began := time.Now()
			_, err = a.Collect(t.Context(), 600)
			took := time.Since(began)
			if tt.waits > 0 {
				if err != nil || took < tt.waits || took > tt.waits+time.Second {
					t.Errorf("%d, Retry-After %s: %v after %v; want the second answer after %v", tt.status, tt.header, err, took, tt.waits)
				}
				return
			}
			// All workloads are held back, none of them by waiting.
			if _, other := b.Collect(t.Context(), 600); adapters.Reason(other) != adapters.ReasonRateLimited {
				t.Errorf("another workload: %v; want that it is held back too", other)
			}
			if adapters.Reason(err) != adapters.ReasonRateLimited || !strings.Contains(err.Error(), tt.says) || time.Since(began) > 2*time.Second {
				t.Errorf("%d, Retry-After %s: %v after %v; want %q at once", tt.status, tt.header, err, took, tt.says)
			}
			if got := len(f.questions()); got != 1 {
				t.Errorf("asked %d times; want once", got)
			}
			time.Sleep(time.Minute) // the longest that is kept
			collect(t, b, 600)
		})
	}
}

// However often it is asked, the name is resolved anew every minute or so.
func TestConnectionsAreNotKeptForGood(t *testing.T) {
	bubble(t, answers(load), func(t *testing.T, f *fake, network *pipes, o prom.Options) {
		server, err := prom.NewServer(o)
		if err != nil {
			t.Fatal(err)
		}
		defer server.Close()
		a, err := server.Adapter(query())
		if err != nil {
			t.Fatal(err)
		}
		const minutes = 10
		for range minutes * 6 {
			collect(t, a, 600)
			time.Sleep(10 * time.Second)
		}
		if network.dials < minutes || network.dials > minutes+1 {
			t.Errorf("connected %d times in %d minutes and %d questions; want once a minute", network.dials, minutes, len(f.questions()))
		}
	})
}

func TestThePauseIsJittered(t *testing.T) {
	seen := map[time.Duration]bool{}
	for range 5 {
		bubble(t, says(500, ""), func(t *testing.T, _ *fake, _ *pipes, o prom.Options) {
			o.RetryPause = time.Second
			server, err := prom.NewServer(o)
			if err != nil {
				t.Fatal(err)
			}
			defer server.Close()
			a, _ := server.Adapter(query())
			began := time.Now()
			_, _ = a.Collect(t.Context(), 600)
			took := time.Since(began)
			if took < 500*time.Millisecond || took > 1500*time.Millisecond {
				t.Errorf("paused %v; want a second, give or take half", took)
			}
			seen[took] = true
		})
	}
	if len(seen) < 2 {
		t.Error("all pauses are the same: many workloads would try again together")
	}
}
