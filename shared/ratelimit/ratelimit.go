// Package ratelimit bounds how often each peer may ask, so that one which asks
// without end costs the others nothing.
//
// A peer is an address; of IPv6 it is the network of 64 bits, for a machine may
// have all addresses of one. Each has a bucket of its own that holds ten
// seconds' worth: who was quiet may make up for it at once, as all scalers do
// when a forecaster comes back. Only so many peers are remembered. One that was
// forgotten starts with a full bucket, so who owns more networks than that is
// not held back by this but by the limit of connections.
package ratelimit

import (
	"fmt"
	"math"
	"net"
	"net/netip"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"
)

// remembered is how many peers have a bucket, at some 200 bytes each.
const remembered = 8192

// burst is how many seconds' worth a bucket holds.
const burst = 10

// Peers tells who may ask now. A nil *Peers lets everybody.
type Peers struct {
	perSecond rate.Limit
	buckets   *lru.Cache[netip.Addr, *rate.Limiter]
}

// New lets each peer ask so often a second; 0 is without limit, and nil.
func New(perSecond float64) (*Peers, error) {
	if perSecond == 0 {
		return nil, nil //nolint:nilnil // nil is what lets everybody
	}
	if !(perSecond > 0) || math.IsInf(perSecond, 0) {
		return nil, fmt.Errorf("rate limit %v a second: must be positive, or 0 for none", perSecond)
	}
	buckets, err := lru.New[netip.Addr, *rate.Limiter](remembered)
	if err != nil {
		return nil, fmt.Errorf("making the table of peers: %w", err)
	}
	return &Peers{rate.Limit(perSecond), buckets}, nil
}

// Allow is whether the peer may ask now, and counts it if so. If not, it may
// after wait.
func (p *Peers) Allow(peer netip.Addr, now time.Time) (wait time.Duration, ok bool) {
	if p == nil {
		return 0, true
	}
	bucket := p.bucket(network(peer))
	if bucket.AllowN(now, 1) {
		return 0, true
	}
	missing := max(0, 1-bucket.TokensAt(now))
	return time.Duration(missing / float64(p.perSecond) * float64(time.Second)), false
}

func (p *Peers) bucket(peer netip.Addr) *rate.Limiter {
	if bucket, ok := p.buckets.Get(peer); ok {
		return bucket
	}
	fresh := rate.NewLimiter(p.perSecond, int(math.Ceil(burst*float64(p.perSecond))))
	if before, ok, _ := p.buckets.PeekOrAdd(peer, fresh); ok {
		return before
	}
	return fresh
}

// network is what addresses of one peer have in common.
func network(peer netip.Addr) netip.Addr {
	peer = peer.Unmap().WithZone("")
	if peer.Is6() {
		if prefix, err := peer.Prefix(64); err == nil {
			return prefix.Addr()
		}
	}
	return peer
}

// PeerOf is the address of a connection's other end, the zero Addr where it
// has none: all such are one peer.
func PeerOf(remote net.Addr) netip.Addr {
	if tcp, ok := remote.(*net.TCPAddr); ok {
		return tcp.AddrPort().Addr()
	}
	return netip.Addr{}
}
