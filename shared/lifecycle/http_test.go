package lifecycle_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/kedastral/kedastral/shared/lifecycle"
)

func listen(t *testing.T) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln
}

// serve serves handler until the returned function, which waits for the end.
func serve(t *testing.T, ln net.Listener, handler http.HandlerFunc, grace time.Duration) (end func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	srv := lifecycle.NewServer(handler, slog.New(slog.DiscardHandler))
	go func() { done <- lifecycle.ServeHTTP(ctx, srv, ln, grace) }()
	return func() error { cancel(); return <-done }
}

func TestServeHTTPFinishesWhatIsUnderWay(t *testing.T) {
	ln := listen(t)
	arrived, finish := make(chan struct{}), make(chan struct{})
	end := serve(t, ln, func(w http.ResponseWriter, _ *http.Request) {
		close(arrived)
		<-finish
		fmt.Fprint(w, "whole")
	}, 10*time.Second)
	body := make(chan string, 1)
	go func() { body <- get("http://" + ln.Addr().String()) }()
	<-arrived
	ended := make(chan error, 1)
	go func() { ended <- end() }()
	select {
	case err := <-ended:
		t.Errorf("ServeHTTP = %v before the request was answered", err)
	case <-time.After(50 * time.Millisecond):
	}
	close(finish)
	if got := <-body; got != "whole" {
		t.Errorf("answer = %q; want whole", got)
	}
	if err := <-ended; err != nil {
		t.Errorf("ServeHTTP = %v", err)
	}
}

func TestServeHTTPCutsOffWhatOutlastsTheGrace(t *testing.T) {
	ln := listen(t)
	arrived := make(chan struct{})
	end := serve(t, ln, func(_ http.ResponseWriter, r *http.Request) { close(arrived); <-r.Context().Done() }, 20*time.Millisecond)
	answer := make(chan string, 1)
	go func() { answer <- get("http://" + ln.Addr().String()) }()
	<-arrived
	if err := end(); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "still under way 20ms after") {
		t.Errorf("ServeHTTP = %v; want the requests cut off", err)
	}
	if got := <-answer; !strings.Contains(got, "EOF") {
		t.Errorf("the request cut off got %q; want EOF", got)
	}
}

func TestServeHTTPTellsWhyItCouldNotServe(t *testing.T) {
	ln := listen(t)
	ln.Close()
	srv := lifecycle.NewServer(http.NotFoundHandler(), slog.New(slog.DiscardHandler))
	if err := lifecycle.ServeHTTP(t.Context(), srv, ln, time.Second); !errors.Is(err, net.ErrClosed) {
		t.Errorf("ServeHTTP on a closed listener = %v", err)
	}
}

func TestServerRefusesEndlessHeaders(t *testing.T) {
	ln := listen(t)
	end := serve(t, ln, func(http.ResponseWriter, *http.Request) {}, time.Second)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+ln.Addr().String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Long", strings.Repeat("x", 64<<10))
	resp, err := new(http.Transport).RoundTrip(req)
	if err == nil {
		resp.Body.Close()
	}
	if err != nil || resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("64 KiB of header = %v, %v; want 431", resp, err)
	}
	if err := end(); err != nil {
		t.Errorf("ServeHTTP = %v", err)
	}
}

func TestLimitHoldsConnectionsBack(t *testing.T) {
	ln := lifecycle.Limit(listen(t), 2)
	for i := range 3 {
		callFrom(t, fmt.Sprintf("127.0.0.%d", i+1), ln.Addr())
	}
	accepted := make(chan net.Conn)
	ended := make(chan error, 1)
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				ended <- err
				return
			}
			accepted <- c
		}
	}()
	first, second := <-accepted, <-accepted
	t.Cleanup(func() { hangUp(t, second) })
	select {
	case <-accepted:
		t.Error("a third connection was accepted of two allowed")
	case <-time.After(50 * time.Millisecond):
	}
	hangUp(t, first)
	hangUp(t, first) // a second close frees no second place
	third := <-accepted
	t.Cleanup(func() { hangUp(t, third) })
	ln.Close()
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept after Close = %v; want net.ErrClosed", err)
	}
}

// callFrom opens a connection from an address of the loopback.
func callFrom(t *testing.T, from string, to net.Addr) net.Conn {
	t.Helper()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	c, err := dialer.DialContext(t.Context(), to.Network(), to.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { hangUp(t, c) })
	return c
}

func hangUp(t *testing.T, c net.Conn) {
	t.Helper()
	if err := c.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		t.Errorf("Close = %v", err)
	}
}

// get is the body of the answer, or the error's text.
func get(url string) string {
	resp, err := http.Get(url) //nolint:noctx // the test ends it by ending the server
	if err != nil {
		return err.Error()
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err.Error()
	}
	return string(body)
}
