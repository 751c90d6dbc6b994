package faults_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	pb "github.com/kedacore/keda/v2/pkg/scalers/externalscaler"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// stranger dials from an address of the loopback that is not the callers'.
func stranger(address string) (net.Conn, error) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 66)}, Timeout: time.Second}
	return d.Dial("tcp", address)
}

// sockets is how many connections a siege holds: five thousand, or what this
// process may have. Go has raised its limit as far as it goes.
func sockets() int {
	const wanted, others, sieges = 5000, 1500, 2 // which may go on at a time
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0
	}
	room := (int(min(limit.Cur, 1<<20)) - others) / sieges
	if room < wanted {
		results.figure("sieges are of %d connections and not of %d: no process may have more than %d descriptors here", room, wanted, limit.Max)
	}
	return min(wanted, room)
}

// crowd opens connections, says something on each, and holds them for a while.
func crowd(f *finding, address, greeting string, hold time.Duration) {
	var open []net.Conn
	wanted := sockets()
	for range wanted {
		if c, err := stranger(address); err == nil {
			_, _ = io.WriteString(c, greeting) // it may be cut off already
			open = append(open, c)
		}
	}
	time.Sleep(hold)
	for _, c := range open {
		_ = c.Close()
	}
	f.remark("%d connections", len(open))
	if len(open) < wanted || wanted == 0 {
		f.broke(expected, "%d of %d connections were opened", len(open), wanted)
	}
}

// Nobody who floods, dawdles or asks nonsense at the forecaster's door holds up
// those who ask properly.
func TestForecasterBesieged(t *testing.T) {
	t.Parallel()
	w := newWorld(t, plan{forecasters: 1})
	f := w.forecasters[0]
	w.row(t, fault{
		id: "F10", what: "five thousand connections drip their headers at the forecaster", made: "raw sockets from another address",
		lasts: 6 * time.Second, heals: 5 * time.Second, quiet: true,
		beside: func(found *finding) {
			w.visited(found, f, func() { crowd(found, f.http, "GET / HTTP/1.1\r\nHost: a\r\nX-A: ", 5*time.Second) })
		},
	})
	w.row(t, fault{
		id: "F11", what: "hostile names are asked for", made: "GET with paths, zeros, escapes, megabytes and lookalikes",
		strike: func() {
			for _, name := range []string{"../../etc/passwd", "a/b\x00", "a/b\nlevel=ERROR msg=forged", "a/\x1b[31mred", strings.Repeat("a", 8<<10), "ａ/ｂ", "demo/w0/", "demo/W0", "%", "a/b?c", "/"} {
				response, err := http.Get("http://" + f.http + "/forecast/current?workload=" + url.QueryEscape(name))
				if err != nil {
					t.Errorf("asked for %.30q: %v", name, err)
					continue
				}
				response.Body.Close()
				if response.StatusCode != http.StatusBadRequest {
					t.Errorf("asked for %.30q: %d; want 400", name, response.StatusCode)
				}
			}
		},
		lasts: 3 * time.Second, heals: 5 * time.Second, quiet: true,
		during: func(found *finding) {
			if log := f.log.String(); strings.Contains(log, "\x1b") || strings.Contains(log, "\nlevel=ERROR") || strings.Contains(log, "\x00") {
				found.broke(discreet, "a hostile name is in the log as it came")
			}
		},
	})
	w.row(t, fault{
		id: "F12", what: "ten thousand names that nobody forecasts are asked for", made: "GET from 8 callers",
		beside: func(found *finding) { askTheForecasterForNobody(found, f.http) },
		lasts:  time.Second, heals: 5 * time.Second, quiet: true,
	})
}

// askTheForecasterForNobody asks for ten thousand workloads that do not exist.
func askTheForecasterForNobody(f *finding, address string) {
	const names, callers = 10_000, 8
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: callers}, Timeout: 5 * time.Second}
	defer client.CloseIdleConnections()
	var all sync.WaitGroup
	for caller := range callers {
		all.Go(func() {
			for i := caller; i < names; i += callers {
				response, err := client.Get(fmt.Sprintf("http://%s/forecast/current?workload=demo/nobody-%d", address, i))
				if err != nil {
					f.broke(expected, "asked for what nobody forecasts: %v", err)
					return
				}
				_, _ = io.Copy(io.Discard, response.Body) // the status says it
				response.Body.Close()
				if response.StatusCode != http.StatusNotFound {
					f.broke(expected, "asked for what nobody forecasts: %d; want 404", response.StatusCode)
				}
			}
		})
	}
	all.Wait()
}

// Nobody who abuses the scaler's door holds up KEDA.
func TestScalerBesieged(t *testing.T) {
	t.Parallel()
	w := newWorld(t, plan{})
	s := w.scalers[0]
	for _, x := range []struct {
		id, what string
		do       func(f *finding, address string)
	}{
		{"S9a", "five thousand connections say nothing to the scaler", func(f *finding, a string) { crowd(f, a, "", 4*time.Second) }},
		{"S9c", "streams are opened and reset, twenty thousand on each of many connections", reset},
		{"S9d", "pings are sent, two thousand on each of many connections", pings},
		{"S9e", "streams are hoarded", hoard},
		{"S9f", "metadata of ten thousand keys, and fields of 4 MB", oversized},
	} {
		w.row(t, fault{
			id: x.id, what: x.what, made: "from another address of the loopback",
			beside: func(f *finding) { x.do(f, s.grpc) }, lasts: 5 * time.Second, heals: 5 * time.Second, quiet: true,
		})
	}
}

// raw is HTTP/2 that keeps to no rules, over one connection after another, each
// of which the server has to end. What is said on each is also how often.
func raw(f *finding, address string, frames func(f *http2.Framer) (int, error)) {
	connections, said := 0, 0
	var cut atomic.Int64
	var open sync.WaitGroup
	for until := time.Now().Add(4 * time.Second); time.Now().Before(until); time.Sleep(50 * time.Millisecond) {
		c, err := stranger(address)
		if err != nil {
			continue
		}
		connections++
		_ = c.SetDeadline(time.Now().Add(5 * time.Second))
		open.Go(func() {
			_, err := io.Copy(io.Discard, c)
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				cut.Add(1)
			}
			_ = c.Close()
		})
		_, _ = io.WriteString(c, http2.ClientPreface)
		framer := http2.NewFramer(c, nil)
		if framer.WriteSettings() == nil {
			n, _ := frames(framer) // it may be cut off
			said += n
		}
	}
	open.Wait()
	f.remark("%d times over %d connections, %d cut off", said, connections, cut.Load())
	if int(cut.Load()) < connections || connections < 5 || said < 1000 {
		f.broke(expected, "%d times over %d connections, of which %d were cut off", said, connections, cut.Load())
	}
}

func reset(f *finding, address string) {
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for _, h := range []hpack.HeaderField{
		{Name: ":method", Value: "POST"},
		{Name: ":scheme", Value: "http"},
		{Name: ":path", Value: pb.ExternalScaler_GetMetrics_FullMethodName},
		{Name: ":authority", Value: "a"},
		{Name: "content-type", Value: "application/grpc"},
		{Name: "te", Value: "trailers"},
	} {
		_ = encoder.WriteField(h) // into memory
	}
	raw(f, address, func(f *http2.Framer) (int, error) {
		for n := range 20_000 {
			id := uint32(2*n + 1) //nolint:gosec // some ten thousands
			if err := f.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: block.Bytes(), EndHeaders: true}); err != nil {
				return n, err
			}
			if err := f.WriteRSTStream(id, http2.ErrCodeCancel); err != nil {
				return n, err
			}
		}
		return 20_000, nil
	})
}

func pings(f *finding, address string) {
	raw(f, address, func(f *http2.Framer) (int, error) {
		for n := range 2_000 {
			if err := f.WritePing(false, [8]byte{1}); err != nil {
				return n, err
			}
		}
		return 2_000, nil
	})
}
