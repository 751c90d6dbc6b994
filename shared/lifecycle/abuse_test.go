package lifecycle_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kedastral/kedastral/shared/lifecycle"
)

// abuse opens a raw connection, says what is given, and goes on saying drip
// once a second until the server hangs up. It returns how long that took.
func abuse(t *testing.T, addr, says, drip string) time.Duration {
	began := time.Now()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 66)}} // a peer of its own
	c, err := dialer.DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Errorf("Dial = %v", err)
		return 0
	}
	defer func() { _ = c.Close() }()
	_, _ = io.WriteString(c, says)
	if drip != "" {
		var dripping sync.WaitGroup
		over := make(chan struct{})
		defer dripping.Wait()
		defer close(over)
		dripping.Go(func() {
			for {
				select {
				case <-over:
					return
				case <-time.After(time.Second):
				}
				if _, err := io.WriteString(c, drip); err != nil {
					return
				}
			}
		})
	}
	_ = c.SetReadDeadline(began.Add(30 * time.Second))
	if _, err := io.Copy(io.Discard, c); err != nil {
		if timeout := net.Error(nil); errors.As(err, &timeout) && timeout.Timeout() {
			t.Errorf("%.40q: still connected after 30s", says)
		}
	}
	return time.Since(began)
}

// TestAbuseHoldsNobodyUp: connections that say nothing, half a request, a header
// a second, a body a byte a second or endless headers, more of them than may be
// open at once. Each is hung up on in its time; a client that is connected is
// answered at once all along, and a new one as soon as the first are gone.
func TestAbuseHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	raw := listen(t)
	end := serve(t, lifecycle.Limit(raw, 120), func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, "whole")
	}, time.Second)
	addr := raw.Addr().String()
	connected := &http.Client{Transport: &http.Transport{}, Timeout: 10 * time.Second}
	ask := func(c *http.Client) (time.Duration, error) {
		began := time.Now()
		resp, err := c.Get("http://" + addr)
		if err != nil {
			return time.Since(began), err
		}
		_, err = io.Copy(io.Discard, resp.Body)
		return time.Since(began), errors.Join(err, resp.Body.Close())
	}
	if _, err := ask(connected); err != nil {
		t.Fatal(err)
	}

	var abusers sync.WaitGroup
	for _, kind := range []struct {
		says, drip string
		within     time.Duration // until it is hung up on, once it is accepted
	}{
		{"", "", 5 * time.Second},
		{"GET / HTT", "", 5 * time.Second},
		{"GET / HTTP/1.1\r\nHost: a\r\n", "X-A: b\r\n", 5 * time.Second},
		{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n", "x", 10 * time.Second},
		{"GET / HTTP/1.1\r\nHost: a\r\nX-Long: " + strings.Repeat("x", 64<<10), "", time.Second},
	} {
		for range 36 { // 180 in all
			abusers.Go(func() {
				// Another wave may be before it in the queue.
				if took := abuse(t, addr, kind.says, kind.drip); took > kind.within+15*time.Second {
					t.Errorf("%.40q was hung up on after %v; want %v from being accepted", kind.says, took, kind.within)
				}
			})
		}
	}
	time.Sleep(200 * time.Millisecond)
	newcomer := make(chan error, 1)
	go func() {
		took, err := ask(&http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 30 * time.Second})
		if took > 25*time.Second {
			err = errors.Join(err, fmt.Errorf("answered after %v", took))
		}
		newcomer <- err
	}()
	for range 50 {
		if took, err := ask(connected); err != nil || took > 2*time.Second {
			t.Errorf("the connected client: %v after %v; want an answer at once", err, took)
		}
		time.Sleep(100 * time.Millisecond)
	}
	abusers.Wait()
	if err := <-newcomer; err != nil {
		t.Errorf("the new client: %v", err)
	}
	if took, err := ask(connected); err != nil || took > time.Second {
		t.Errorf("afterwards: %v after %v", err, took)
	}
	connected.CloseIdleConnections()
	if err := end(); err != nil {
		t.Errorf("ServeHTTP = %v", err)
	}
}
