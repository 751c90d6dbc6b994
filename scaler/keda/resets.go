package keda

import (
	"errors"
	"net"
	"time"

	"google.golang.org/grpc/credentials"
)

// maxResets is how many streams a peer may reset within resetWindow. KEDA may give
// up every call under way, and of a process that stood still for a minute it has
// given up as many every few seconds, all of which are read at once when that goes
// on. Beyond that a stream that is opened and reset costs its peer nothing and
// this process a handler, and no limit on open streams meets it.
const (
	maxResets   = 20 * maxConcurrent
	resetWindow = 10 * time.Second
)

// errResets ends the connection.
var errResets = errors.New("peer resets streams without end")

// watchful is transport security whose connections count the streams that their
// peers reset.
type watchful struct {
	credentials.TransportCredentials
}

// ServerHandshake watches what comes after the handshake.
func (w watchful) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	c, info, err := w.TransportCredentials.ServerHandshake(raw)
	if err != nil {
		return nil, nil, err
	}
	return &resetting{Conn: c, skip: len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")}, info, nil
}

// Clone is a copy.
func (w watchful) Clone() credentials.TransportCredentials {
	return watchful{w.TransportCredentials.Clone()}
}

// resetting is an HTTP/2 connection, read by one goroutine, that is over once its
// peer has reset too many streams within the window.
type resetting struct {
	net.Conn
	skip   int     // bytes before the next frame's header
	header [9]byte // of the frame that comes next
	have   int     // bytes of it

	since  time.Time // the window began
	resets int       // in it
}

func (c *resetting) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if resets := c.count(b[:n]); resets > 0 {
		if now := time.Now(); now.Sub(c.since) > resetWindow {
			c.since, c.resets = now, 0
		}
		if c.resets += resets; c.resets > maxResets {
			return 0, errResets
		}
	}
	return n, err
}

// count is how many frames that reset a stream begin in the bytes that were read
// next.
func (c *resetting) count(b []byte) (resets int) {
	const kind, reset = 3, 3 // where a header has its frame's, and which it is
	for len(b) > 0 {
		if c.skip > 0 {
			n := min(c.skip, len(b))
			c.skip, b = c.skip-n, b[n:]
			continue
		}
		n := copy(c.header[c.have:], b)
		if c.have, b = c.have+n, b[n:]; c.have < len(c.header) {
			break
		}
		c.have, c.skip = 0, int(c.header[0])<<16|int(c.header[1])<<8|int(c.header[2])
		if c.header[kind] == reset {
			resets++
		}
	}
	return resets
}
