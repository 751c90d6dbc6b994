package ratelimit_test

import (
	"math"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/kedastral/kedastral/shared/ratelimit"
)

func peers(t testing.TB, perSecond float64) *ratelimit.Peers {
	t.Helper()
	p, err := ratelimit.New(perSecond)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func addr(text string) netip.Addr { return netip.MustParseAddr(text) }

// Ten seconds' worth at once, then as often as the rate says; and whatever one
// peer does, another has all of its own.
func TestOnePeerTakesNothingFromAnother(t *testing.T) {
	p, now := peers(t, 5), time.Now()
	flood, quiet := addr("10.0.0.1"), addr("10.0.0.2")
	passed := 0
	for range 10_000 {
		if _, ok := p.Allow(flood, now); ok {
			passed++
		}
	}
	if passed != 50 {
		t.Errorf("%d of a flood passed at 5 a second; want ten seconds' worth, 50", passed)
	}
	if wait, ok := p.Allow(flood, now); ok || wait != 200*time.Millisecond {
		t.Errorf("Allow = %v, %t; want to wait for 200ms", wait, ok)
	}
	for i := range 50 {
		if _, ok := p.Allow(quiet, now); !ok {
			t.Fatalf("question %d of the other peer was refused", i+1)
		}
	}
	if _, ok := p.Allow(flood, now.Add(200*time.Millisecond)); !ok {
		t.Error("refused although the time it was told is over")
	}
}

// A peer has one bucket, however it writes its address; of IPv6 a whole
// network is one peer.
func TestWhoIsOnePeer(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		same bool
	}{
		{"10.0.0.1", "::ffff:10.0.0.1", true},
		{"10.0.0.1", "10.0.0.2", false},
		{"2001:db8::1", "2001:db8::ffff:1", true},
		{"2001:db8::1", "2001:db8:0:1::1", false},
		{"fe80::1%eth0", "fe80::2%eth1", true},
	} {
		p, now := peers(t, 0.1), time.Now()
		if _, ok := p.Allow(addr(tt.a), now); !ok {
			t.Fatal("the first question was refused")
		}
		if _, ok := p.Allow(addr(tt.b), now); ok == tt.same {
			t.Errorf("%s and %s: asked after each other, allowed %t; want %t", tt.a, tt.b, ok, !tt.same)
		}
	}
}

// However many peers come, what is remembered of them is bounded; the one that
// came last is remembered.
func TestMemoryIsBounded(t *testing.T) {
	p, now := peers(t, 0.1), time.Now()
	for i := range 100_000 {
		p.Allow(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), now)
	}
	if _, ok := p.Allow(addr("10.1.134.159"), now); ok {
		t.Error("the newest of 100,000 peers was forgotten")
	}
	if _, ok := p.Allow(addr("10.0.0.0"), now); !ok {
		t.Error("the oldest of 100,000 peers is still remembered")
	}
}

func TestNoLimit(t *testing.T) {
	p, err := ratelimit.New(0)
	if p != nil || err != nil {
		t.Fatalf("New(0) = %v, %v; want nil, which lets everybody", p, err)
	}
	for range 1000 {
		if _, ok := p.Allow(addr("10.0.0.1"), time.Now()); !ok {
			t.Fatal("refused without a limit")
		}
	}
	for _, bad := range []float64{-1, math.NaN(), math.Inf(1), math.Inf(-1)} {
		if _, err := ratelimit.New(bad); err == nil {
			t.Errorf("New(%v) = nil", bad)
		}
	}
}

func TestPeerOf(t *testing.T) {
	if got := ratelimit.PeerOf(&net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 7}); got.Unmap() != addr("10.0.0.1") {
		t.Errorf("PeerOf = %v; want 10.0.0.1", got)
	}
	if got := ratelimit.PeerOf(&net.UnixAddr{Name: "x"}); got.IsValid() {
		t.Errorf("PeerOf a socket = %v; want none", got)
	}
}

// A call is not to cost more for being counted.
func TestAllowAllocatesNothing(t *testing.T) {
	p, remote := peers(t, 1e6), net.Addr(&net.TCPAddr{IP: net.IPv4(10, 0, 0, 1).To4(), Port: 7})
	p.Allow(ratelimit.PeerOf(remote), time.Now())
	if n := testing.AllocsPerRun(1000, func() { p.Allow(ratelimit.PeerOf(remote), time.Now()) }); n != 0 {
		t.Errorf("%v allocations a call; want none", n)
	}
}

func BenchmarkAllow(b *testing.B) {
	p, peer := peers(b, 1e9), addr("10.0.0.1")
	for b.Loop() {
		p.Allow(peer, time.Now())
	}
}
