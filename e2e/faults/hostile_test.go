package faults_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	pb "github.com/kedacore/keda/v2/pkg/scalers/externalscaler"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/kedastral/kedastral/e2e/kedalike"
)

// stranger dials from an address of the loopback that is not the callers'.
func stranger(address string) (net.Conn, error) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 66)}, Timeout: time.Second}
	return d.Dial("tcp", address)
}

// crowd opens connections, says something on each, and holds them for a while.
func crowd(address, greeting string, connections int, hold time.Duration) {
	var open []net.Conn
	for range connections {
		if c, err := stranger(address); err == nil {
			_, _ = io.WriteString(c, greeting)
			open = append(open, c)
		}
	}
	time.Sleep(hold)
	for _, c := range open {
		_ = c.Close()
	}
}

// Nobody who floods, dawdles or asks nonsense at the forecaster's door holds up
// those who ask properly.
func TestForecasterBesieged(t *testing.T) {
	t.Parallel()
	w := newWorld(t, plan{forecasters: 1})
	f := w.forecasters[0]
	w.row(t, fault{
		id: "F10", what: "two thousand connections drip their headers at the forecaster", made: "raw sockets from another address",
		strike: func() { go crowd(f.http, "GET / HTTP/1.1\r\nHost: a\r\nX-A: ", 2000, 5*time.Second) },
		lasts:  6 * time.Second, heals: 5 * time.Second, quiet: true,
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
		strike: func() {
			var callers sync.WaitGroup
			for caller := range 8 {
				callers.Go(func() {
					for i := caller; i < 10_000; i += 8 {
						response, err := http.Get(fmt.Sprintf("http://%s/forecast/current?workload=demo/nobody-%d", f.http, i))
						if err != nil {
							t.Errorf("asked for what nobody forecasts: %v", err)
							return
						}
						_, _ = io.Copy(io.Discard, response.Body)
						response.Body.Close()
						if response.StatusCode != http.StatusNotFound {
							t.Errorf("asked for what nobody forecasts: %d; want 404", response.StatusCode)
						}
					}
				})
			}
			callers.Wait()
		},
		rolls: true, lasts: time.Second, heals: 5 * time.Second, quiet: true,
		grows: level{goroutines: 16, descriptors: 16},
	})
}

// Nobody who abuses the scaler's door holds up KEDA.
func TestScalerBesieged(t *testing.T) {
	t.Parallel()
	w := newWorld(t, plan{})
	s := w.scalers[0]
	for _, x := range []struct {
		id, what string
		do       func(address string)
	}{
		{"S9a", "two thousand connections say nothing to the scaler", func(a string) { crowd(a, "", 2000, 4*time.Second) }},
		{"S9c", "streams are opened and reset, two thousand on each of many connections", reset},
		{"S9d", "pings are sent, two thousand on each of many connections", pings},
		{"S9e", "streams are hoarded", hoard},
		{"S9f", "metadata of ten thousand keys, and fields of 4 MB", oversized},
	} {
		w.row(t, fault{
			id: x.id, what: x.what, made: "from another address of the loopback",
			strike: func() { go x.do(s.grpc) }, lasts: 5 * time.Second, heals: 5 * time.Second, quiet: true,
		})
	}
}

// raw is an HTTP/2 connection that keeps to no rules.
func raw(address string, frames func(f *http2.Framer) error) {
	for until := time.Now().Add(4 * time.Second); time.Now().Before(until); time.Sleep(50 * time.Millisecond) {
		c, err := stranger(address)
		if err != nil {
			continue
		}
		_ = c.SetDeadline(until)
		go func() { _, _ = io.Copy(io.Discard, c) }()
		_, _ = io.WriteString(c, http2.ClientPreface)
		framer := http2.NewFramer(c, nil)
		if framer.WriteSettings() == nil {
			_ = frames(framer)
		}
		_ = c.Close()
	}
}

func reset(address string) {
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
		_ = encoder.WriteField(h)
	}
	raw(address, func(f *http2.Framer) error {
		for id := uint32(1); id < 4_000; id += 2 {
			if err := f.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: block.Bytes(), EndHeaders: true}); err != nil {
				return err
			}
			if err := f.WriteRSTStream(id, http2.ErrCodeCancel); err != nil {
				return err
			}
		}
		return nil
	})
}

func pings(address string) {
	raw(address, func(f *http2.Framer) error {
		for range 2_000 {
			if err := f.WritePing(false, [8]byte{1}); err != nil {
				return err
			}
		}
		return nil
	})
}

// rude is a client of the scaler's from the other address.
func rude(address string) (pb.ExternalScalerClient, func()) {
	conn, err := grpc.NewClient("passthrough:"+address, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(_ context.Context, a string) (net.Conn, error) { return stranger(a) }))
	if err != nil {
		return nil, func() {}
	}
	return pb.NewExternalScalerClient(conn), func() { _ = conn.Close() }
}

func hoard(address string) {
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Second)
	defer cancel()
	var hoarders sync.WaitGroup
	for range 10 {
		api, done := rude(address)
		defer done()
		for range 60 {
			hoarders.Go(func() {
				if stream, err := api.StreamIsActive(ctx, kedalike.Ref("demo", "w0", nil)); err == nil {
					for err == nil {
						_, err = stream.Recv()
					}
				}
			})
		}
	}
	hoarders.Wait()
}

func oversized(address string) {
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Second)
	defer cancel()
	api, done := rude(address)
	defer done()
	many := map[string]string{}
	for i := range 10_000 {
		many[fmt.Sprint("key", i)] = "metadataS3cret"
	}
	for ctx.Err() == nil {
		_, _ = api.GetMetrics(ctx, &pb.GetMetricsRequest{ScaledObjectRef: kedalike.Ref("demo", "w0", many)})
		_, _ = api.GetMetrics(ctx, &pb.GetMetricsRequest{ScaledObjectRef: kedalike.Ref("demo", strings.Repeat("w", 4<<20), nil)})
		_, _ = api.IsActive(ctx, nil)
	}
}
