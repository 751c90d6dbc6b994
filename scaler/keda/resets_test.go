package keda_test

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/kedastral/kedastral/scaler/keda"
	"github.com/kedastral/kedastral/shared/tlsconfig/tlstest"
)

// TestResetsWithoutEnd: whoever opens streams and resets them loses its
// connection, in plain text and under TLS, once it has reset more than calls that
// could have been given up while nobody answered; what a client gives up costs none.
func TestResetsWithoutEnd(t *testing.T) {
	ca := tlstest.NewAuthority(t, "authority", time.Hour)
	secure := &tls.Config{Certificates: []tls.Certificate{ca.Certificate(t, tlstest.Server("localhost"))}, NextProtos: []string{"h2"}}
	trusting := &tls.Config{RootCAs: ca.Pool(), ServerName: "localhost", NextProtos: []string{"h2"}}
	for _, tt := range []struct {
		name   string
		secure bool
		resets int
		cut    bool
	}{
		{"given up", false, 4_000, false},
		{"without end", false, 20_000, true},
		{"given up under TLS", true, 4_000, false},
		{"without end under TLS", true, 20_000, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, _ := newServer(t, good)
			how := keda.Transport{Server: s, MaxInFlight: 1024, Grace: time.Second}
			if tt.secure {
				how.TLS = secure
			}
			addr := strings.TrimPrefix(transport(t, how).conn.Target(), "passthrough:")
			c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			if tt.secure {
				c = tls.Client(c, trusting)
			}
			t.Cleanup(func() { _ = c.Close() })
			patience := 500 * time.Millisecond
			if tt.cut {
				patience = 10 * time.Second
			}
			if cut := resets(t.Context(), c, tt.resets, patience); cut != tt.cut {
				t.Errorf("after %d resets the connection is cut off: %v; want %v", tt.resets, cut, tt.cut)
			}
		})
	}
}

// resets opens streams and resets them; it is whether the server hung up by then.
func resets(ctx context.Context, c net.Conn, n int, patience time.Duration) bool {
	go func() {
		_, _ = io.WriteString(c, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
		_, _ = c.Write(frame(frameSettings, 0, 0, nil))
		_, _ = c.Write(repeated(n, func(s uint32) []byte {
			return append(frame(frameHeaders, endHeaders, s, callHeader()), frame(frameReset, 0, s, []byte{0, 0, 0, 8})...)
		}))
	}()
	ended := make(chan struct{})
	go func() { _, _ = io.Copy(io.Discard, c); close(ended) }()
	select {
	case <-ended:
		return true
	case <-time.After(patience):
	case <-ctx.Done():
	}
	return false
}
