package lifecycle_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kedastral/kedastral/shared/lifecycle"
)

// pipes is a listener of connections that live by a bubble's time.
type pipes struct {
	calls chan net.Conn
	once  sync.Once
	ended chan struct{}
}

func newPipes() *pipes { return &pipes{calls: make(chan net.Conn), ended: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.calls:
		return c, nil
	case <-p.ended:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.ended) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.IPAddr{} }

func (p *pipes) dial() net.Conn {
	ours, theirs := net.Pipe()
	p.calls <- theirs
	return ours
}

// ask sends one request on a connection and reads the answer.
func ask(c net.Conn) error {
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
		return err
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && (resp.StatusCode != http.StatusOK || string(body) != "whole") {
		err = fmt.Errorf("status %d %q", resp.StatusCode, body)
	}
	return err
}

// A client that dawdles, in whatever way, loses its connection in time, and
// nobody else waits for it.
func TestDawdlersAreCutOff(t *testing.T) {
	for _, tt := range []struct {
		how    string
		begin  string        // sent at once
		drip   string        // sent every second after that
		deaf   bool          // does not read what it asked for
		within time.Duration // until the connection is gone
	}{
		{"says nothing", "", "", false, 5 * time.Second},
		{"drips its request", "GET / HT", "", false, 5 * time.Second},
		{"drips headers", "GET / HTTP/1.1\r\n", "X-A: b\r\n", false, 5 * time.Second},
		{"drips a body", "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n", "x", false, 10 * time.Second},
		{"does not read", "GET /huge HTTP/1.1\r\nHost: a\r\n\r\n", "", true, 10 * time.Second},
		{"asks once and stays", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "", false, 60 * time.Second},
	} {
		t.Run(tt.how, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ln := newPipes()
				ctx, end := context.WithCancel(t.Context())
				served := make(chan error, 1)
				srv := lifecycle.NewServer(http.HandlerFunc(answerWhole), slog.New(slog.DiscardHandler))
				closed := make(chan time.Time, 3)
				srv.ConnState = func(_ net.Conn, state http.ConnState) {
					if state == http.StateClosed {
						closed <- time.Now()
					}
				}
				go func() { served <- lifecycle.ServeHTTP(ctx, srv, ln, 2*time.Minute) }()
				defer func() {
					end()
					if err := <-served; err != nil {
						t.Errorf("ServeHTTP = %v", err)
					}
				}()

				var dawdling sync.WaitGroup
				defer dawdling.Wait()
				began, c := time.Now(), ln.dial()
				defer func() { _ = c.Close() }()
				dawdling.Go(func() { dawdle(c, tt.begin, tt.drip) })
				good := ln.dial() // keeps its connection
				defer func() { _ = good.Close() }()
				if err := ask(good); err != nil || time.Since(began) > time.Second {
					t.Errorf("another client: %v after %v; want its answer at once", err, time.Since(began))
				}
				if !tt.deaf {
					dawdling.Go(func() { _, _ = io.Copy(io.Discard, c) })
				}
				if took := (<-closed).Sub(began); took > tt.within+time.Second || took < tt.within/2 {
					t.Errorf("the connection lasted %v; want %v", took, tt.within)
				}
			})
		})
	}
}

// dawdle sends slowly until the other end has gone.
func dawdle(c net.Conn, begin, drip string) {
	_, err := io.WriteString(c, begin)
	for err == nil && drip != "" {
		time.Sleep(time.Second)
		_, err = io.WriteString(c, drip)
	}
}

func answerWhole(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/body":
		_, _ = io.Copy(io.Discard, r.Body)
	case "/huge":
		for range 1000 {
			if _, err := w.Write(make([]byte, 64<<10)); err != nil {
				return
			}
		}
	default:
		fmt.Fprint(w, "whole")
	}
}

// One peer that opens thousands of connections and holds them takes no place
// of another, neither of one that comes later nor of one that has been there.
func TestAFloodIsItsOwnersTrouble(t *testing.T) {
	ln := listen(t)
	var served atomic.Int64
	end := serve(t, lifecycle.Limit(ln, 64), func(w http.ResponseWriter, _ *http.Request) { served.Add(1); fmt.Fprint(w, "whole") }, time.Second)
	early := callFrom(t, "127.0.0.2", ln.Addr())
	if err := ask(early); err != nil {
		t.Fatal(err)
	}
	for range 1000 {
		c := callFrom(t, "127.0.0.66", ln.Addr())
		_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: ") // and no more; some are closed already
	}
	began := time.Now()
	for i := range 20 {
		if err := ask(early); err != nil {
			t.Fatalf("the client that was there before, question %d: %v", i, err)
		}
		if err := ask(callFrom(t, "127.0.0.3", ln.Addr())); err != nil {
			t.Fatalf("a client that comes later, question %d: %v", i, err)
		}
	}
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("forty questions took %v beside a flood; want no waiting for its time-outs", took)
	}
	if served.Load() != 41 {
		t.Errorf("%d questions answered; want 41", served.Load())
	}
	hangUp(t, early)
	if err := end(); err != nil && served.Load() == 0 {
		t.Error(err)
	}
}
