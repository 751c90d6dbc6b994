package keda_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	pb "github.com/kedacore/keda/v2/pkg/scalers/externalscaler"
)

// The HTTP/2 frames that the abuse is made of.
const (
	frameData         = 0x0
	frameHeaders      = 0x1
	frameReset        = 0x3
	frameSettings     = 0x4
	framePing         = 0x6
	frameContinuation = 0x9

	endStream, endHeaders = 0x1, 0x4
)

// frame is an HTTP/2 frame as it is sent.
func frame(kind, flags byte, stream uint32, payload []byte) []byte {
	b := make([]byte, 9, 9+len(payload))
	binary.BigEndian.PutUint32(b, uint32(len(payload))<<8)
	b[3], b[4] = kind, flags
	binary.BigEndian.PutUint32(b[5:], stream)
	return append(b, payload...)
}

// field is a header field as HPACK writes it when nothing is remembered.
func field(name, value string) []byte {
	b := []byte{0}
	for _, text := range []string{name, value} {
		n := len(text)
		if n < 127 {
			b = append(b, byte(n))
		} else {
			b = append(b, 127)
			for n -= 127; n >= 128; n >>= 7 {
				b = append(b, byte(n)|128)
			}
			b = append(b, byte(n))
		}
		b = append(b, text...)
	}
	return b
}

// callHeader is the header of a call of GetMetrics.
func callHeader() []byte {
	var b []byte
	for _, f := range [][2]string{
		{":method", "POST"},
		{":scheme", "http"},
		{":authority", "a"},
		{":path", pb.ExternalScaler_GetMetrics_FullMethodName},
		{"content-type", "application/grpc"},
		{"te", "trailers"},
	} {
		b = append(b, field(f[0], f[1])...)
	}
	return b
}

// attack opens a connection, says hello and then what is given. It reads and
// forgets all answers and returns once the server has hung up, or after most.
func attack(addr string, says []byte, most time.Duration) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(most))
	go func() {
		_, _ = io.WriteString(c, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
		_, _ = c.Write(frame(frameSettings, 0, 0, nil))
		_, _ = c.Write(says)
	}()
	_, _ = io.Copy(io.Discard, c)
}

// repeated is what part makes for n odd stream numbers, one after the other.
func repeated(n int, part func(stream uint32) []byte) []byte {
	var b bytes.Buffer
	for i := range n {
		b.Write(part(uint32(2*i + 1)))
	}
	return b.Bytes()
}

// TestAbuseOfTheConnection: streams reset as fast as they are opened, streams
// hoarded, pings without end, headers without end, thousands of header fields,
// four megabytes of one field, nonsense, and connections that say nothing. A
// good client is answered all along, and nothing is left behind.
func TestAbuseOfTheConnection(t *testing.T) {
	w, _ := wired(t, good, 1024)
	addr := strings.TrimPrefix(w.conn.Target(), "passthrough:")
	if _, err := w.IsActive(t.Context(), ref("web")); err != nil {
		t.Fatal(err)
	}
	before := runtime.NumGoroutine()

	open := func(stream uint32) []byte { return frame(frameHeaders, endHeaders, stream, callHeader()) }
	huge := append([]byte{0, 0, 0x40, 0, 0}, make([]byte, 4<<20)...) // a message of 4 MiB, in frames of 16 KiB
	kinds := map[string][]byte{
		"rapid reset": repeated(5_000, func(s uint32) []byte {
			return append(open(s), frame(frameReset, 0, s, []byte{0, 0, 0, 8})...)
		}),
		"hoarded streams": repeated(5_000, open),
		"pings":           repeated(5_000, func(uint32) []byte { return frame(framePing, 0, 0, make([]byte, 8)) }),
		"endless headers": append(frame(frameHeaders, 0, 1, callHeader()), repeated(2_000, func(s uint32) []byte {
			return frame(frameContinuation, 0, 1, field(fmt.Sprint("x-", s), strings.Repeat("y", 1000)))
		})...),
		"10,000 fields": func() []byte {
			b := frame(frameHeaders, 0, 1, callHeader())
			for i := range 10_000 {
				b = append(b, frame(frameContinuation, 0, 1, field(fmt.Sprint("x-", i), "y"))...)
			}
			return append(b, frame(frameContinuation, endHeaders, 1, nil)...)
		}(),
		"a huge message": append(open(1), repeated(len(huge)>>14, func(s uint32) []byte {
			at := int(s/2) << 14
			return frame(frameData, 0, 1, huge[at:at+1<<14])
		})...),
		"data of no stream": repeated(1_000, func(s uint32) []byte { return frame(frameData, endStream, s, []byte("x")) }),
		"nonsense":          bytes.Repeat([]byte("GET / HTTP/1.1\r\n\r\n"), 1_000),
		"silence":           nil,
	}
	var attackers sync.WaitGroup
	for _, says := range kinds {
		attackers.Go(func() { attack(addr, says, 3*time.Second) })
	}
	done := make(chan struct{})
	go func() { attackers.Wait(); close(done) }()
	answered := 0
	for under := true; under; {
		select {
		case <-done:
			under = false
		default:
			began := time.Now()
			if r, err := w.IsActive(t.Context(), ref("web")); err != nil || !r.GetResult() {
				t.Fatalf("under abuse: IsActive() = %v, %v; want an answer", r, err)
			}
			if took := time.Since(began); took > time.Second {
				t.Errorf("under abuse an answer took %v", took)
			}
			answered++
			time.Sleep(time.Millisecond)
		}
	}
	if answered < 50 {
		t.Errorf("only %d answers while under abuse; too few to tell anything", answered)
	}
	for range 100 {
		if runtime.NumGoroutine() <= before+2 {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Errorf("%d goroutines ten seconds after the abuse; before it %d", runtime.NumGoroutine(), before)
}
