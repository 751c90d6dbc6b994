package e2e_test

import (
	"encoding/json"
	"maps"
	"math"
	"net/http"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/kedastral/kedastral/e2e/kedalike"
	"github.com/kedastral/kedastral/e2e/process"
	"github.com/kedastral/kedastral/e2e/process/processtest"
	"github.com/kedastral/kedastral/shared/forecast"
)

// witness remembers what forecasters published, whoever of them, and under
// which tag.
type witness struct {
	mu        sync.Mutex
	snapshots map[time.Time]forecast.Snapshot
	tags      map[time.Time]map[string]string // by instant and forecaster
}

func (w *witness) look(t *testing.T, address, workload string) {
	code, header, body, err := processtest.Get(t.Context(), "http://"+address+forecast.Path+"?workload="+workload)
	if err != nil || code != http.StatusOK {
		return // it is down just now
	}
	var s forecast.Snapshot
	if err := json.Unmarshal([]byte(body), &s); err != nil {
		t.Errorf("%s answers with %.200s: %v", address, body, err)
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.snapshots[s.GeneratedAt] = s
	if w.tags[s.GeneratedAt] == nil {
		w.tags[s.GeneratedAt] = make(map[string]string)
	}
	w.tags[s.GeneratedAt][address] = header.Get("ETag")
}

// between is the least and the most that any snapshot young enough to be used
// asked for at an instant.
func (w *witness) between(at time.Time, lead time.Duration) (least, most int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	least = math.MaxInt32
	for generated, s := range w.snapshots {
		for _, around := range []time.Duration{-2 * time.Second, 0, 2 * time.Second} { // when exactly the scaler looked is not known
			age := at.Add(around).Sub(generated)
			if n, ok := s.Highest(age, lead); ok && age <= staleAfter {
				least, most = min(least, n), max(most, n)
			}
		}
	}
	return least, most
}

// told is one answer of the scaler.
type told struct {
	at    time.Time
	value float64
}

// TestReplicas: two forecasters read the same Prometheus and share nothing.
// They publish the same bytes, and while each in turn hangs, dies and returns,
// every question of KEDA is answered with what a forecast says, never less.
func TestReplicas(t *testing.T) {
	t.Parallel()
	address := processtest.FreeAddress(t)
	_, p := newPair(t, forgiving, address)
	first, other := p.forecaster, maps.Clone(p.forecasterEnv)
	other["HTTP_ADDR"] = address
	run := func(env map[string]string) *process.Process {
		started := processtest.Start(t, filepath.Join(binaries, "forecaster"), env)
		processtest.Eventually(t, time.Minute, "the forecaster is ready", processtest.Answers(t.Context(), "http://"+env["HTTP_ADDR"]+"/readyz"))
		return started
	}
	second := run(other)
	p.fresh(t, "fast", 30*time.Second)

	seen := &witness{snapshots: make(map[time.Time]forecast.Snapshot), tags: make(map[time.Time]map[string]string)}
	stop, all := make(chan struct{}), sync.WaitGroup{}
	all.Go(func() { repeat(stop, 200*time.Millisecond, func() { seen.look(t, p.forecasterHTTP, "demo/fast") }) })
	all.Go(func() { repeat(stop, 200*time.Millisecond, func() { seen.look(t, address, "demo/fast") }) })
	var mu sync.Mutex
	var answers []told
	for range 4 {
		all.Go(func() {
			repeat(stop, 10*time.Millisecond, func() {
				answer, err := p.keda.Ask(t.Context(), kedalike.Ref("demo", "fast", nil))
				if err != nil {
					t.Errorf("KEDA is told %v", err)
				}
				mu.Lock()
				answers = append(answers, told{time.Now(), answer.Value})
				mu.Unlock()
			})
		})
	}
	began := time.Now()
	time.Sleep(2 * interval)
	processtest.Signal(t, first, syscall.SIGSTOP)
	time.Sleep(2 * interval)
	processtest.Signal(t, first, syscall.SIGCONT)
	second.Kill()
	time.Sleep(2 * interval)
	run(other)
	first.Kill()
	time.Sleep(2 * interval)
	run(p.forecasterEnv)
	time.Sleep(2 * interval)
	close(stop)
	all.Wait()
	took := time.Since(began)

	wrong := 0
	for _, a := range answers {
		if least, most := seen.between(a.at, 30*time.Second); a.value < float64(least) || a.value > float64(most) {
			if wrong++; wrong < 10 {
				t.Errorf("%v after the beginning KEDA is told %v; every forecast says %d to %d", a.at.Sub(began).Round(time.Millisecond), a.value, least, most)
			}
		}
	}
	if rate := 3 * float64(len(answers)) / took.Seconds(); rate < 100 {
		t.Errorf("%.0f calls a second; fewer than 100 prove nothing", rate)
	} else {
		t.Logf("%d answers, %.0f calls a second, %d wrong", len(answers), rate, wrong)
	}
	same := 0
	for at, tags := range seen.tags {
		a, b := tags[p.forecasterHTTP], tags[address]
		if a == "" || b == "" {
			continue
		}
		if same++; a != b {
			t.Errorf("the forecasters publish %s and %s for %v; want the same", a, b, at)
		}
	}
	if same < 3 {
		t.Errorf("only %d instants were published by both; want more to compare", same)
	}
	t.Logf("%d instants were published by both with the same tag", same)
}

// repeat does something again and again until it is told to stop.
func repeat(stop chan struct{}, pause time.Duration, do func()) {
	for {
		select {
		case <-stop:
			return
		case <-time.After(pause):
			do()
		}
	}
}
