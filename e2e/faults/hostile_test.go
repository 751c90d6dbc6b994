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
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	pb "github.com/kedacore/keda/v2/pkg/scalers/externalscaler"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/kedastral/kedastral/e2e/kedalike"
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
		{"S9c", "streams are opened and reset, two thousand on each of many connections", reset},
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

// raw is HTTP/2 that keeps to no rules, one connection after another. What is
// said on each is also how often.
func raw(f *finding, address string, frames func(f *http2.Framer) (int, error)) {
	connections, said := 0, 0
	for until := time.Now().Add(4 * time.Second); time.Now().Before(until); time.Sleep(50 * time.Millisecond) {
		c, err := stranger(address)
		if err != nil {
			continue
		}
		connections++
		_ = c.SetDeadline(until)
		go func() { _, _ = io.Copy(io.Discard, c) }()
		_, _ = io.WriteString(c, http2.ClientPreface)
		framer := http2.NewFramer(c, nil)
		if framer.WriteSettings() == nil {
			n, _ := frames(framer) // it may be cut off
			said += n
		}
		_ = c.Close()
	}
	f.remark("%d times over %d connections", said, connections)
	if connections < 5 || said < 1000 {
		f.broke(expected, "no siege: %d times over %d connections", said, connections)
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
		for n := range 2_000 {
			id := uint32(2*n + 1) //nolint:gosec // some thousands
			if err := f.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: block.Bytes(), EndHeaders: true}); err != nil {
				return n, err
			}
			if err := f.WriteRSTStream(id, http2.ErrCodeCancel); err != nil {
				return n, err
			}
		}
		return 2_000, nil
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

// rude is a client of the scaler's from the other address.
func rude(address string) (pb.ExternalScalerClient, func()) {
	conn, err := grpc.NewClient("passthrough:"+address, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(_ context.Context, a string) (net.Conn, error) { return stranger(a) }))
	if err != nil {
		return nil, func() {}
	}
	return pb.NewExternalScalerClient(conn), func() { _ = conn.Close() }
}

// hoard opens six hundred streams over ten connections and never closes one.
func hoard(f *finding, address string) {
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Second)
	defer cancel()
	var hoarders sync.WaitGroup
	var open, refused atomic.Int64
	for range 10 {
		api, done := rude(address)
		defer done()
		for range 60 {
			hoarders.Go(func() {
				stream, err := api.StreamIsActive(ctx, kedalike.Ref("demo", "w0", nil))
				if err == nil {
					_, err = stream.Recv()
				}
				switch {
				case err == nil:
					open.Add(1)
					<-ctx.Done()
				case status.Code(err) == codes.ResourceExhausted:
					refused.Add(1)
				}
			})
		}
	}
	hoarders.Wait()
	f.remark("%d streams were open, %d refused", open.Load(), refused.Load())
	if open.Load() == 0 || refused.Load() == 0 {
		f.broke(expected, "of 600 streams %d were open and %d refused", open.Load(), refused.Load())
	}
}

// oversized asks with more than any question of KEDA's holds, and is refused.
func oversized(f *finding, address string) {
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Second)
	defer cancel()
	api, done := rude(address)
	defer done()
	many := map[string]string{}
	for i := range 10_000 {
		many[fmt.Sprint("key", i)] = "metadataS3cret"
	}
	asked := 0
	refused := func(what string, want codes.Code, err error) {
		if ctx.Err() == nil && status.Code(err) != want {
			f.broke(expected, "asked with %s: %v; want %v", what, err, want)
		}
		asked++
	}
	for ctx.Err() == nil {
		_, err := api.GetMetrics(ctx, &pb.GetMetricsRequest{ScaledObjectRef: kedalike.Ref("demo", "w0", many)})
		refused("metadata of ten thousand keys", codes.ResourceExhausted, err)
		_, err = api.GetMetrics(ctx, &pb.GetMetricsRequest{ScaledObjectRef: kedalike.Ref("demo", strings.Repeat("w", 4<<20), nil)})
		refused("a name of 4 MB", codes.ResourceExhausted, err)
		_, err = api.IsActive(ctx, nil)
		refused("nothing", codes.PermissionDenied, err)
	}
	f.remark("%d questions", asked)
}
