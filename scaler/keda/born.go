package keda

import (
	"context"
	"net"
	"time"

	"google.golang.org/grpc/peer"
)

// born is a listener whose connections know when they were made. The address of
// a connection's peer is the one thing of it that a stream gets to see, so it
// carries the time.
type born struct{ net.Listener }

// Accept waits for a connection and notes when it came.
func (l born) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return bornConn{c, bornAddr{c.RemoteAddr(), time.Now()}}, nil
}

type bornConn struct {
	net.Conn
	peer bornAddr
}

// RemoteAddr is the peer's address, with the time.
func (c bornConn) RemoteAddr() net.Addr { return c.peer }

type bornAddr struct {
	net.Addr
	at time.Time
}

// life is how long a stream that opens now may stay open and still end well.
func life(ctx context.Context, now time.Time) time.Duration {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return margin
	}
	addr, ok := p.Addr.(bornAddr)
	if !ok {
		return margin
	}
	return lifeOf(addr, now)
}

// margin is a little less than the grace.
const margin = ageGrace - 5*time.Second

// lifeOf is life for a connection's age. grpc asks a connection to close at
// nine tenths of its age limit at the earliest, opens no stream on it from then
// on, and cuts it off after the grace. A stream that ends a little within the
// grace after the one or, if it opened later, after its own opening, is never
// cut off.
func lifeOf(addr bornAddr, now time.Time) time.Duration {
	return max(margin, addr.at.Add(maxAge*9/10+margin).Sub(now))
}
