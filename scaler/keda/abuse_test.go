package keda_test

import (
	"encoding/binary"
	"io"
	"net"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	pb "github.com/kedacore/keda/v2/pkg/scalers/externalscaler"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// h2 speaks HTTP/2 without any of the manners of a client library.
type h2 struct{ net.Conn }

// The frames and flags of RFC 9113 that are sent here.
const (
	frameData, frameHeaders, frameReset, frameSettings, framePing, frameContinuation = 0x0, 0x1, 0x3, 0x4, 0x6, 0x9

	endStream, endHeaders = 0x1, 0x4
)

func dialRaw(t *testing.T, address string) h2 {
	t.Helper()
	c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(address, "passthrough:"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	return h2{c}
}

// greet opens the connection as a client does, and swallows what comes back.
func (c h2) greet() {
	_, _ = io.WriteString(c, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
	c.send(frameSettings, 0, 0, nil)
	go func() { _, _ = io.Copy(io.Discard, c) }()
}

// send writes a frame and reports whether the server still listens.
func (c h2) send(kind, flags byte, stream uint32, payload []byte) bool {
	frame := make([]byte, 9, 9+len(payload))
	binary.BigEndian.PutUint32(frame, uint32(len(payload))<<8)
	frame[3], frame[4] = kind, flags
	binary.BigEndian.PutUint32(frame[5:], stream)
	_, err := c.Write(append(frame, payload...))
	return err == nil
}

// headers are those of a call, in literals that enter no table.
func headers(method string) []byte {
	var block []byte
	text := func(s string) { block = append(append(block, byte(len(s))), s...) }
	for _, h := range [][2]string{
		{":method", "POST"},
		{":scheme", "http"},
		{":path", method},
		{":authority", "a"},
		{"content-type", "application/grpc"},
		{"te", "trailers"},
	} {
		block = append(block, 0)
		text(h[0])
		text(h[1])
	}
	return block
}

// call is the message of a GetMetrics call, framed.
func call(t *testing.T) []byte {
	t.Helper()
	raw, err := proto.Marshal(&pb.GetMetricsRequest{ScaledObjectRef: ref("web")})
	if err != nil {
		t.Fatal(err)
	}
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(raw))), raw...)
}

// Whatever somebody does to the port, KEDA's connection is answered, and what
// it cost is given back when the other has gone.
func TestAbuseIsItsOwnersTrouble(t *testing.T) {
	const getMetrics = pb.ExternalScaler_GetMetrics_FullMethodName
	message := call(t)
	for name, abuse := range map[string]func(h2){
		"rapid reset": func(c h2) {
			c.greet()
			for i := range uint32(5_000) {
				if !c.send(frameHeaders, endHeaders, 2*i+1, headers(getMetrics)) || !c.send(frameReset, 0, 2*i+1, []byte{0, 0, 0, 8}) {
					return
				}
			}
		},
		"calls without waiting": func(c h2) {
			c.greet()
			for i := range uint32(5_000) {
				if !c.send(frameHeaders, endHeaders, 2*i+1, headers(getMetrics)) || !c.send(frameData, endStream, 2*i+1, message) {
					return
				}
			}
		},
		"streams that never end": func(c h2) {
			c.greet()
			for i := range uint32(5_000) {
				if !c.send(frameHeaders, endHeaders, 2*i+1, headers(getMetrics)) {
					return
				}
			}
		},
		"push streams hoarded": func(c h2) {
			c.greet()
			raw, _ := proto.Marshal(ref("web"))
			body := append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(raw))), raw...)
			for i := range uint32(1_000) {
				if !c.send(frameHeaders, endHeaders, 2*i+1, headers(pb.ExternalScaler_StreamIsActive_FullMethodName)) || !c.send(frameData, endStream, 2*i+1, body) {
					return
				}
			}
		},
		"pings": func(c h2) {
			c.greet()
			for range 5_000 {
				if !c.send(framePing, 0, 0, make([]byte, 8)) {
					return
				}
			}
		},
		"settings": func(c h2) {
			c.greet()
			for range 5_000 {
				if !c.send(frameSettings, 0, 0, nil) {
					return
				}
			}
		},
		"headers without end": func(c h2) {
			c.greet()
			c.send(frameHeaders, 0, 1, headers(getMetrics))
			for range 5_000 {
				if !c.send(frameContinuation, 0, 1, make([]byte, 16<<10)) {
					return
				}
			}
		},
		"a message of 4 GB, announced": func(c h2) {
			c.greet()
			c.send(frameHeaders, endHeaders, 1, headers(getMetrics))
			c.send(frameData, 0, 1, []byte{0, 0xff, 0xff, 0xff, 0xff})
		},
		"nothing after the greeting":  func(c h2) { c.greet() },
		"nothing":                     func(h2) {},
		"garbage":                     func(c h2) { _, _ = c.Write(make([]byte, 1<<16)) },
		"a frame longer than allowed": func(c h2) { c.greet(); c.send(frameData, 0, 1, make([]byte, 1<<20)) },
	} {
		t.Run(name, func(t *testing.T) {
			w, _ := wired(t, good, 64)
			healthy(t, w, 3*time.Second) // before
			before := runtime.NumGoroutine()
			var attackers []h2
			for range 4 {
				attackers = append(attackers, dialRaw(t, w.conn.Target()))
			}
			done := make(chan struct{})
			for _, c := range attackers {
				go func() { abuse(c); done <- struct{}{} }()
			}
			for left := len(attackers); left > 0; {
				healthy(t, w, 3*time.Second)
				select {
				case <-done:
					left--
				case <-time.After(10 * time.Millisecond):
				}
			}
			healthy(t, w, 3*time.Second) // while they hold what they have
			for _, c := range attackers {
				_ = c.Close()
			}
			for end := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before+4; time.Sleep(20 * time.Millisecond) {
				if time.Now().After(end) {
					t.Fatalf("%d goroutines after the attackers left; want about the %d before", runtime.NumGoroutine(), before)
				}
			}
		})
	}
}

// healthy asks as KEDA does and wants every answer, in time.
func healthy(t *testing.T, w *wire, within time.Duration) {
	t.Helper()
	var took []time.Duration
	for range 20 {
		began := time.Now()
		got, err := w.GetMetrics(t.Context(), &pb.GetMetricsRequest{ScaledObjectRef: ref("web")})
		if err != nil || got.GetMetricValues()[0].GetMetricValue() != 5 {
			t.Fatalf("GetMetrics() = %v, %v; want 5", got, err)
		}
		took = append(took, time.Since(began))
	}
	if worst := slices.Max(took); worst > within {
		t.Errorf("the slowest of %d answers took %v; want less than %v", len(took), worst, within)
	}
}

// The limits are told to every client as it connects.
func TestLimitsAreAnnounced(t *testing.T) {
	w, _ := wired(t, good, 10)
	c := dialRaw(t, w.conn.Target())
	_, _ = io.WriteString(c, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
	c.send(frameSettings, 0, 0, nil)
	head := make([]byte, 9)
	if _, err := io.ReadFull(c, head); err != nil || head[3] != frameSettings {
		t.Fatalf("the first frame is %v, %v; want the settings", head, err)
	}
	body := make([]byte, binary.BigEndian.Uint32(head)>>8)
	if _, err := io.ReadFull(c, body); err != nil {
		t.Fatal(err)
	}
	const maxConcurrentStreams, maxHeaderListSize = 0x3, 0x6
	told := map[uint16]uint32{}
	for ; len(body) >= 6; body = body[6:] {
		told[binary.BigEndian.Uint16(body)] = binary.BigEndian.Uint32(body[2:])
	}
	if told[maxConcurrentStreams] != 256 || told[maxHeaderListSize] != 16<<10 {
		t.Errorf("settings %v; want 256 streams and 16 KiB of headers", told)
	}
}

// Streams hoarded by one connection leave calls on all others theirs, and are
// refused in words.
func TestHoardedStreamsAreRefused(t *testing.T) {
	w, _ := wired(t, good, 10)
	var refused int
	for range 140 {
		stream, err := w.StreamIsActive(t.Context(), ref("web"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := stream.Recv(); status.Code(err) == codes.ResourceExhausted {
			refused++
		}
	}
	if refused != 12 {
		t.Errorf("%d of 140 streams refused; want the 12 beyond 128", refused)
	}
	healthy(t, w, 3*time.Second)
}
