package keda_test

import (
	"encoding/binary"
	"io"
	"net"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// The limits are told to every client as it connects.
func TestLimitsAreAnnounced(t *testing.T) {
	w, _ := wired(t, good, 10)
	c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(w.conn.Target(), "passthrough:"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_, _ = io.WriteString(c, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"+string(frame(frameSettings, 0, 0, nil)))
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

// Streams hoarded by one client are refused in words, and leave calls theirs.
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
	if _, err := w.IsActive(t.Context(), ref("web")); err != nil {
		t.Errorf("IsActive() beside them = %v; want an answer", err)
	}
}
