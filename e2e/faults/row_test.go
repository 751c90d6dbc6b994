package faults_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// fault is one row: what is done to a world and what has to come of it.
type fault struct {
	id, what, made string

	strike func()
	mend   func()
	lasts  time.Duration // between the two
	heals  time.Duration // allowed until all is well again

	becomes string                // the state that every trigger is in before it is mended, if it is to be one
	quiet   bool                  // all stays fresh
	during  func(f *finding)      // a look before it is mended
	after   func(f *finding)      // a look when all is well again
	well    func(time.Time) error // whether all is well again after the mending at an instant; nil is world.since
	down    bool                  // the scaler is away: calls may break off
	again   bool                  // a scaler is another process afterwards
	slow    time.Duration         // allowed of a call besides the budget
	grows   level                 // what may be more afterwards, being bounded otherwise
	lossy   bool                  // what the relay sends may be lost on the way
	rolls   bool                  // the strike takes its time: it is judged, too
}

func newFinding(id, what, made string) *finding {
	return &finding{ID: id, Fault: what, Made: made, Verdict: "ok", Checked: map[invariant]string{}, began: time.Now()}
}

// row strikes, looks, mends, waits, and reports.
func (w *world) row(t *testing.T, x fault) {
	t.Helper()
	t.Run(x.id, func(t *testing.T) {
		f := newFinding(x.id, x.what, x.made)
		results.add(f)
		defer w.verdict(t, f)
		before := w.levels(f)
		w.watch.slowest()
		if x.rolls {
			w.load.enter(f, x.down)
		}
		w.unsure(x.lossy)
		x.strike()
		if !x.rolls {
			w.load.enter(f, x.down)
		}
		struck := time.Now()
		w.wait(f, x, struck)
		if x.becomes != "" {
			w.mustBecome(f, x.becomes)
		}
		if x.during != nil {
			x.during(f)
			f.ok(expected)
		}
		meanwhile := w.load.enter(f, x.down)
		w.judgePhase(f, meanwhile, x)
		mended := time.Now()
		if x.mend != nil {
			x.mend()
		}
		if x.again {
			w.watch.forget()
		}
		w.recover(f, x, mended)
		w.unsure(false)
		w.load.enter(f, false)
		if x.after != nil {
			x.after(f)
			f.ok(expected)
		}
		w.back(f, before, x)
		w.load.enter(newFinding("", "", ""), false)
	})
}

// wait lets the fault last. What is to stay quiet may be held for a moment, as
// it is when a tick of a busy machine is late, and not for longer.
func (w *world) wait(f *finding, x fault, struck time.Time) {
	fresh := time.Now()
	for time.Since(struck) < x.lasts {
		time.Sleep(50 * time.Millisecond)
		err := w.well()
		if err == nil || time.Since(struck) < digestion {
			fresh = time.Now()
		}
		if out := time.Since(fresh); x.quiet && out > 500*time.Millisecond+2*w.load.late() {
			f.broke(expected, "forecasts are not fresh for %v: %v", out.Round(time.Millisecond), err)
		}
	}
}

func (w *world) unsure(lossy bool) {
	for _, r := range w.relays {
		r.unsure.Store(lossy)
	}
}

// recover waits until all is well again.
func (w *world) recover(f *finding, x fault, mended time.Time) {
	well := x.well
	if well == nil {
		well = w.since
	}
	f.Allowed = x.heals.Seconds()
	took, err := within(x.heals+10*time.Second, func() error { return well(mended.Add(-time.Second)) })
	f.Recovery = took.Seconds()
	if err != nil || took > x.heals {
		f.broke(heals, "not well %v after the fault was over (allowed are %v): %v", took.Round(time.Millisecond), x.heals, err)
	}
	f.ok(heals)
}

// judgePhase is what the calls during the fault come to.
func (w *world) judgePhase(f *finding, p *phase, x fault) {
	f.Rate = p.rate(time.Now())
	f.P99, f.Slowest = ms(p.quantile(0.99)), ms(p.quantile(1))
	p.mu.Lock()
	f.Calls, f.Errors = p.answers, p.errors
	lag := p.lag
	p.mu.Unlock()
	f.remark("the machine was late by up to %.0f ms; %d of %d answers were errors; %d calls broke off", ms(lag), f.Errors, f.Calls, p.broken)
	limit := 250*time.Millisecond + 2*lag + x.slow // to the scaler and back
	if p.quantile(0.99) > limit || p.quantile(1) > limit+time.Second {
		f.broke(budget, "p99 %.0f ms, slowest %.0f ms; allowed are %v", f.P99, f.Slowest, limit)
	}
	if half := p.quantile(0.5); half > 100*time.Millisecond && x.slow == 0 {
		f.broke(budget, "every other call took more than %v: it was not answered from memory", half)
	}
	if page := w.watch.slowest(); page > 2*time.Second+lag+x.slow {
		f.broke(budget, "a page took %v", page)
	}
	if x.down {
		f.remark("nobody was there to answer")
	} else if f.Rate < 100 {
		f.broke(busy, "%.0f calls a second answered; nothing is proved below 100", f.Rate)
	}
	f.ok(told, ignorance, number, forward, budget, constant, apart)
	if !x.down {
		f.ok(busy)
	}
	if f.Errors > 0 {
		f.ok(stale)
	}
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// mustBecome is whether every trigger is in the state, and says so: a stale one
// with its reason, a count, and a line in the log.
func (w *world) mustBecome(f *finding, want string) {
	if _, err := within(staleAfter+4*time.Second, func() error { return w.all(want) }); err != nil {
		f.broke(expected, "%v", err)
	}
	f.ok(expected)
	if want != "stale" {
		return
	}
	for _, s := range w.scalers {
		states, err := s.status(w.t.Context())
		for _, st := range states {
			if st.Reason == "" {
				f.broke(stale, "%s is stale without a reason", st.Workload)
			}
		}
		if all, merr := s.metrics(w.t.Context()); err != nil || merr != nil || sum(all, "kedastral_scaler_refusals_total") == 0 {
			f.broke(stale, "no refusal is counted: %v", errors.Join(err, merr))
		}
		if !strings.Contains(s.log.String(), "to=stale") {
			f.broke(stale, "no log line says stale")
		}
	}
	f.ok(stale)
}

// level is what a process uses.
type level struct{ goroutines, descriptors, heap, series float64 }

func (w *world) levels(f *finding) map[*service]level {
	all := map[*service]level{}
	for _, s := range w.services() {
		m, err := s.metrics(w.t.Context())
		if err != nil {
			f.broke(bounded, "%s: %v", s.binary, err)
			continue
		}
		all[s] = level{m["go_goroutines"], m["process_open_fds"], m["go_memstats_heap_inuse_bytes"], float64(len(m))}
	}
	return all
}

// back waits until every process is as large as it was.
func (w *world) back(f *finding, before map[*service]level, x fault) {
	for s, was := range before {
		if x.again && s.binary == "scaler" || !slices.Contains(w.services(), s) {
			continue // it is another process, or none
		}
		took, err := within(30*time.Second, func() error {
			m, err := s.metrics(w.t.Context())
			if err != nil {
				return err
			}
			for name, most := range map[string]float64{
				"go_goroutines": was.goroutines*1.2 + 20 + x.grows.goroutines, "process_open_fds": was.descriptors*1.2 + 16 + x.grows.descriptors, "go_memstats_heap_inuse_bytes": was.heap*1.5 + 16<<20 + x.grows.heap,
			} {
				if m[name] > most {
					return fmt.Errorf("%s is %.0f; it was at most %.0f", name, m[name], most)
				}
			}
			if grown := float64(len(m)) - was.series; grown > 200 {
				f.broke(series, "%s has %.0f more series", s.binary, grown)
			}
			return nil
		})
		if err != nil {
			f.broke(bounded, "%s after %v: %v", s.binary, took.Round(time.Second), err)
		}
	}
	f.ok(bounded, series)
}

// verdict looks for secrets and fails the test when anything broke.
func (w *world) verdict(t *testing.T, f *finding) {
	for _, s := range w.services() {
		for _, log := range s.logs {
			text := log.String()
			if i := strings.Index(text, "S3cret"); i >= 0 {
				f.broke(discreet, "the %s's log: …%s…", s.binary, text[max(0, i-100):min(len(text), i+40)])
			}
			if strings.Contains(text, "panic") && !strings.Contains(f.What(), "panic") {
				i := strings.Index(text, "panic")
				f.broke(expected, "the %s panicked: …%s…", s.binary, text[max(0, i-100):min(len(text), i+300)])
			}
		}
	}
	f.ok(discreet)
	f.Seconds = time.Since(f.began).Seconds()
	if f.Verdict != "ok" {
		t.Errorf("%s, %s: %v %v", f.ID, f.Fault, f.Checked, f.Remarks)
	}
}

// What is what was done.
func (f *finding) What() string { return f.Fault }
