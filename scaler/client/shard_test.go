package client_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kedastral/kedastral/scaler/client"
	"github.com/kedastral/kedastral/shared/forecast"
	"github.com/kedastral/kedastral/shared/shard"
)

// fleet is shards that each answer for what they compute among so many, and
// count who was asked.
type fleet struct {
	counts []atomic.Int32 // what each shard takes the number of shards for
	down   []atomic.Bool
	asked  []atomic.Int32
	urls   []*url.URL
}

func newFleet(t *testing.T, size, count int) *fleet {
	t.Helper()
	f := &fleet{counts: make([]atomic.Int32, size), down: make([]atomic.Bool, size), asked: make([]atomic.Int32, size)}
	for i := range size {
		f.counts[i].Store(int32(count))
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			workload, shards := r.FormValue("workload"), int(f.counts[i].Load())
			f.asked[i].Add(1)
			switch {
			case f.down[i].Load():
				panic(http.ErrAbortHandler)
			case workload == "shop/unknown":
				problem(forecast.ErrNotFound)(w, r)
			case shard.Computes(workload, i, shards):
				good(w, r)
			default:
				problem(fmt.Errorf("%w: by others", forecast.ErrElsewhere))(w, r)
			}
		}))
		t.Cleanup(server.Close)
		f.urls = append(f.urls, parse(t, server.URL))
	}
	return f
}

func (f *fleet) dial(t *testing.T, shards int) rig {
	t.Helper()
	return connect(t, client.Options{URLs: f.urls[:shards], Sharded: true, Timeout: 5 * time.Second})
}

func (f *fleet) questions() (all int32) {
	for i := range f.asked {
		all += f.asked[i].Swap(0)
	}
	return all
}

// TestShards: the owner is asked, its backup when it cannot be reached, and
// nobody else.
func TestShards(t *testing.T) {
	f := newFleet(t, 5, 5)
	c := f.dial(t, 5)
	for i := range 40 {
		workload := fmt.Sprintf("shop/w-%d", i)
		rank := shard.Rank(workload, 5)
		if _, err := c.Latest(t.Context(), workload); err != nil || f.asked[rank[0]].Load() != 1 || f.questions() != 1 {
			t.Fatalf("%s: %v; want the answer of its owner %d alone", workload, err, rank[0])
		}
	}
	f.down[3].Store(true)
	for i := range 40 {
		workload := fmt.Sprintf("shop/w-%d", i)
		if _, err := c.Latest(t.Context(), workload); err != nil {
			t.Errorf("%s with shard 3 down: %v", workload, err)
		}
	}
	if n := f.questions(); n > 45 {
		t.Errorf("40 workloads took %d questions with a shard down; want little more than one each", n)
	}
}

// TestUnknownAsksTwo: a name nobody knows does not make the whole fleet work.
func TestUnknownAsksTwo(t *testing.T) {
	f := newFleet(t, 9, 9)
	if _, err := f.dial(t, 9).Latest(t.Context(), "shop/unknown"); !errors.Is(err, forecast.ErrNotFound) || f.questions() != 2 {
		t.Errorf("Latest of an unknown workload = %v; want %v from two shards", err, forecast.ErrNotFound)
	}
}

// TestCountChanges: while the number of shards is changed, one process after
// the other, every workload is found: by scalers that go by either number
// where it changes by one, by those that go by the larger where by more.
func TestCountChanges(t *testing.T) {
	for _, change := range [][2]int{{3, 4}, {4, 3}, {3, 6}, {6, 3}, {2, 3}, {1, 2}} {
		before, after := change[0], change[1]
		most := max(before, after)
		f := newFleet(t, most, before)
		for i := before; i < most; i++ {
			f.down[i].Store(true)
		}
		clients := []rig{f.dial(t, before), f.dial(t, after)}
		lookAround := func(when string) {
			t.Helper()
			for i := range 30 {
				for which, c := range clients {
					if _, err := c.Latest(t.Context(), fmt.Sprintf("shop/w-%d", i)); err != nil && ([]int{before, after}[which] == most || most-min(before, after) == 1) {
						t.Errorf("%d to %d shards, %s, scaler %d: %v", before, after, when, which, err)
					}
				}
			}
		}
		lookAround("at first")
		for i := before; i < most; i++ { // new pods first, which know the new number
			f.counts[i].Store(int32(after))
			f.down[i].Store(false)
		}
		time.Sleep(600 * time.Millisecond) // until those that were down are asked again
		for i := min(before, after) - 1; i >= 0; i-- {
			lookAround(fmt.Sprintf("down to %d", i))
			f.counts[i].Store(int32(after))
		}
		for i := after; i < most; i++ {
			f.down[i].Store(true)
		}
		lookAround("at last")
	}
}

// TestOverdueShardsAskTwo: when the owner has nothing new its backup is asked,
// and no shard that does not compute the workload.
func TestOverdueShardsAskTwo(t *testing.T) {
	var asked atomic.Int32
	var urls []*url.URL
	for range 9 {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			serveSnapshot(w, r, sample(r.FormValue("workload")), time.Duration(300-asked.Add(1))*time.Second)
		}))
		t.Cleanup(server.Close)
		urls = append(urls, parse(t, server.URL))
	}
	c := connect(t, client.Options{URLs: urls, Sharded: true, Timeout: 5 * time.Second})
	s, err := c.Latest(t.Context(), "shop/web")
	if err != nil || s.AgeAtReceipt != 298*time.Second || asked.Load() != shard.Copies {
		t.Errorf("Latest() = %v old, %v after %d questions; want the younger of two", s.AgeAtReceipt, err, asked.Load())
	}
}
