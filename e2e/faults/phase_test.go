package faults_test

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// phase is what happened between two moments of a row.
type phase struct {
	finding *finding
	silent  bool // the scaler is down: calls may break off

	mu        sync.Mutex
	began     time.Time
	asked     int
	open      map[int]time.Time // calls under way, by number
	calls     []span            // answered
	witnessed []span
	late      []span // when the pacer was
	starved   []span // when a service was ready to run and the machine ran others
	errors    int
	foreign   int // calls for another namespace that were answered
	broken    int // calls that reached nobody
}

func newPhase(f *finding, silent bool) *phase {
	return &phase{finding: f, silent: silent, began: time.Now(), open: map[int]time.Time{}}
}

// begin notes that a call is under way.
func (p *phase) begin(at time.Time) (call int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked++
	p.open[p.asked] = at
	return p.asked
}

// answered notes what came of a call.
func (p *phase) answered(call int, s span, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, call)
	p.calls = append(p.calls, s)
	if err != nil {
		p.errors++
	}
}

func (p *phase) stranger() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.foreign++
}

// lost notes that a call reached nobody, or that the suite ended before it did.
func (p *phase) lost(call, broken int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, call)
	p.broken += broken
}

func (p *phase) witness(s span) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.witnessed = append(p.witnessed, s)
}

func (p *phase) delay(s span) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.late = append(p.late, s)
}

func (p *phase) starve(s span) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.starved = append(p.starved, s)
}

// tally is what a phase came to.
type tally struct {
	answers, errors, broken, foreign, witnessed int
	rate                                        float64         // answers a second
	took, own, machine                          []time.Duration // of calls, without what the machine took, and of the witness; from least to most
}

// tally of the phase up to now. A call that is not answered by then has taken
// that long. Where the fault is that a scaler may not run, that is no excuse.
func (p *phase) tally(now time.Time, x fault) tally {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := slices.Clone(p.calls)
	for from := range maps.Values(p.open) {
		all = append(all, span{from, now})
	}
	machine := slices.Concat(p.witnessed, p.late)
	if !x.rationed {
		machine = append(machine, p.starved...)
	}
	return tally{
		answers: len(p.calls), errors: p.errors, broken: p.broken, foreign: p.foreign, witnessed: len(p.witnessed), rate: float64(len(p.calls)) / now.Sub(p.began).Seconds(),
		took: lengths(all), own: own(all, machine), machine: lengths(p.witnessed),
	}
}

// What a call may take besides what the machine takes.
const (
	outside = 25 * time.Millisecond  // 9 of 10 that are answered from memory
	most    = 250 * time.Millisecond // 99 of 100: the budget
	hanging = time.Second            // any
)

// judge is whether calls were answered in time. Of those from memory single ones
// are held up where the machine is busy, and it cannot be told from without by
// whom: that few are is for judgeHandled to say.
func (got tally) judge(f *finding, x fault) {
	if x.down {
		return
	}
	own := func(q float64) time.Duration { return quantile(got.own, q) }
	f.P99, f.Own, f.Slowest = ms(quantile(got.took, 0.99)), ms(own(0.99)), ms(quantile(got.took, 1))
	f.remark("the witness took %.0f ms, at most %.0f; calls took longer by %.1f of 10, %.1f of 100, at most %.1f",
		ms(quantile(got.machine, 0.99)), ms(quantile(got.machine, 1)), ms(own(0.9)), ms(own(0.99)), ms(own(1)))
	usual := outside
	if x.waits || x.rationed || x.slow > 0 {
		usual = most + x.slow
	}
	if own(0.9) > usual || own(0.99) > most+x.slow || own(1) > hanging+x.slow {
		f.broke(budget, "calls took longer than the machine by %v (9 of 10), %v (99 of 100), %v (all); allowed are %v, %v, %v",
			own(0.9), own(0.99), own(1), usual, most+x.slow, hanging+x.slow)
	}
	if got.witnessed < got.answers/2 {
		f.broke(busy, "the witness answered %d times beside %d calls: it tells nothing", got.witnessed, got.answers)
	}
}

func lengths(all []span) (out []time.Duration) {
	for _, s := range all {
		out = append(out, s.took())
	}
	slices.Sort(out)
	return out
}
