package faults_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"
)

// soak is how long to go on, as scripts/soak says it.
type soak struct {
	lasts, every time.Duration // of it all, and between two faults
	rate         int
	seed         uint64
}

func soaking(t *testing.T) soak {
	t.Helper()
	if os.Getenv("SOAK") == "" {
		t.Skip("scripts/soak runs it")
	}
	var s soak
	var err error
	if s.lasts, err = time.ParseDuration(os.Getenv("SOAK")); err != nil {
		t.Fatal(err)
	}
	if s.every, err = time.ParseDuration(os.Getenv("SOAK_EVERY")); err != nil {
		t.Fatal(err)
	}
	if s.rate, err = strconv.Atoi(os.Getenv("SOAK_RATE")); err != nil {
		t.Fatal(err)
	}
	if s.seed, err = strconv.ParseUint(os.Getenv("SOAK_SEED"), 10, 64); err != nil {
		t.Fatal(err)
	}
	return s
}

// Hours of load with a fault now and then break no invariant and leave the
// processes as large as they were. Those that are measured are never killed.
func TestSoak(t *testing.T) {
	s := soaking(t)
	fmt.Printf("soak of %v at %d calls a second, a fault every %v, seed %d\n", s.lasts, s.rate, s.every, s.seed)
	w := newWorld(t, plan{forecasters: 2, rate: s.rate, workloads: 12})
	dice := rand.New(rand.NewPCG(s.seed, 0)) //nolint:gosec // a fault is no secret
	sizes := w.measure(t)
	choices := w.choices(t)
	began := time.Now()
	for n := 1; time.Since(began)+s.every <= s.lasts; n++ {
		due := began.Add(time.Duration(n) * s.every)
		w.load.enter(newFinding("", "", ""), false)
		calm := newFinding(fmt.Sprintf("Q%d", n), "nothing happens", "")
		results.add(calm)
		w.load.enter(calm, false)
		x := choices[dice.IntN(len(choices))]
		time.Sleep(time.Until(due.Add(-x.lasts - 10*time.Second)))
		w.judgePhase(calm, w.load.enter(newFinding("", "", ""), false), fault{})
		w.verdict(t, calm)
		x.id = fmt.Sprintf("Q%db", n)
		w.row(t, x)
	}
	sizes.verdict(t, s)
}

// choices are the faults that the dice are thrown for.
func (w *world) choices(t *testing.T) []fault {
	t.Helper()
	first := w.forecasters[0]
	all := []fault{
		{what: "the first forecaster is killed", strike: first.kill, mend: func() { first.start(t) }, lasts: 5 * time.Second},
		{what: "the first forecaster hangs", strike: func() { first.signal(t, syscall.SIGSTOP) }, mend: func() { first.signal(t, syscall.SIGCONT) }, lasts: 10 * time.Second},
		{what: "no forecaster answers, until forecasts are stale", strike: func() { w.lie(hang) }, mend: func() { w.lie(nil) }, lasts: staleAfter + 2*time.Second, becomes: "stale"},
	}
	for _, x := range untruths() {
		all = append(all, fault{what: "the source " + x.what, strike: func() { w.source.set(x.mood) }, mend: func() { w.source.set(truthful) }, lasts: 4 * time.Second})
	}
	for _, x := range falsehoods() {
		all = append(all, fault{what: "each forecaster " + x.what, strike: func() { w.lie(x.lie) }, mend: func() { w.lie(nil) }, lasts: 3 * time.Second})
	}
	for i := range all {
		all[i].heals = 12 * time.Second
	}
	return all
}

func (w *world) lie(l lie) {
	for _, r := range w.relays {
		if r.honest(); l != nil {
			r.tell(l)
		}
	}
}

// sizes are what processes used over time.
type sizes struct {
	mu   sync.Mutex
	of   map[string][]size
	stop func()
}

type size struct {
	at   time.Time
	heap float64
	level
}

// measure looks at the scaler and the second forecaster every other second.
func (w *world) measure(t *testing.T) *sizes {
	t.Helper()
	z := &sizes{of: map[string][]size{}}
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	z.stop = func() { cancel(); done.Wait() }
	t.Cleanup(z.stop)
	done.Go(func() {
		for ctx.Err() == nil {
			for _, s := range []*service{w.scalers[0], w.forecasters[1]} {
				if m, err := s.metrics(ctx); err == nil {
					z.mu.Lock()
					z.of[s.binary] = append(z.of[s.binary], size{time.Now(), m["go_memstats_heap_inuse_bytes"], level{goroutines: m["go_goroutines"], descriptors: m["process_open_fds"]}})
					z.mu.Unlock()
				}
			}
			time.Sleep(2 * time.Second)
		}
	})
	return z
}

// verdict compares the end with the beginning, warming up aside. A slope of
// the heap means something once there is an hour to see it in.
func (z *sizes) verdict(t *testing.T, s soak) {
	t.Helper()
	z.stop()
	for name, all := range z.of {
		if len(all) < 20 {
			t.Errorf("the %s was measured %d times only", name, len(all))
			continue
		}
		quarter := len(all) / 4
		early, late := mean(all[quarter:2*quarter]), mean(all[len(all)-quarter:])
		hours := late.at.Sub(early.at).Hours()
		slope := (late.heap - early.heap) / (1 << 20) / hours
		results.figure("soak: the %s went from %.0f goroutines, %.0f descriptors, heap %.1f MiB to %.0f, %.0f, %.1f; %+.2f MiB/h", name,
			early.goroutines, early.descriptors, early.heap/(1<<20), late.goroutines, late.descriptors, late.heap/(1<<20), slope)
		if late.goroutines > early.goroutines*1.2+10 || late.descriptors > early.descriptors*1.2+10 {
			t.Errorf("the %s grew from %+v to %+v", name, early, late)
		}
		if grown := late.heap - early.heap; grown > 4<<20 && slope > 1 || s.lasts > time.Hour && slope > 1 {
			t.Errorf("the %s's heap grew by %.1f MiB, %.2f MiB/h", name, grown/(1<<20), slope)
		}
	}
}

func mean(all []size) size {
	var sum size
	for _, s := range all {
		sum.heap += s.heap / float64(len(all))
		sum.goroutines += s.goroutines / float64(len(all))
		sum.descriptors += s.descriptors / float64(len(all))
	}
	sum.at = all[len(all)/2].at
	return sum
}
