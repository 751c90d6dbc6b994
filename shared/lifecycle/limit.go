package lifecycle

import (
	"net"
	"sync"
)

// Limit is ln with at most n connections open at once. More wait in the
// kernel's queue, where they cost neither memory nor file descriptors.
//
// One peer has at most half of them, and loses what it opens beyond: whoever
// opens connections without end takes none of the places of others, and is
// out of the queue as soon as it is seen.
func Limit(ln net.Listener, n int) net.Listener {
	return &limited{
		Listener: ln, slots: make(chan struct{}, n), closed: make(chan struct{}),
		share: max(1, n/2), open: make(map[string]int),
	}
}

type limited struct {
	net.Listener
	slots  chan struct{}
	closed chan struct{}
	once   sync.Once
	share  int // of one peer

	mu   sync.Mutex
	open map[string]int // by peer; those without connections are not in it
}

func (l *limited) Accept() (net.Conn, error) {
	for {
		select {
		case l.slots <- struct{}{}:
		case <-l.closed:
			return nil, net.ErrClosed
		}
		c, err := l.Listener.Accept()
		if err != nil {
			<-l.slots
			return nil, err
		}
		peer := host(c)
		if l.enter(peer) {
			return &counted{Conn: c, release: func() { l.leave(peer); <-l.slots }}, nil
		}
		_ = c.Close() // it is not told why: it would have to be waited for
		<-l.slots
	}
}

func (l *limited) enter(peer string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[peer] >= l.share {
		return false
	}
	l.open[peer]++
	return true
}

func (l *limited) leave(peer string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[peer]--; l.open[peer] == 0 {
		delete(l.open, peer)
	}
}

// host is who is at the other end, whatever port it uses.
func host(c net.Conn) string {
	address := c.RemoteAddr().String()
	if name, _, err := net.SplitHostPort(address); err == nil {
		return name
	}
	return address
}

func (l *limited) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

type counted struct {
	net.Conn
	once    sync.Once
	release func()
}

func (c *counted) Close() error {
	err := c.Conn.Close()
	c.once.Do(c.release)
	return err
}
