package faults_test

import (
	"context"
	"regexp"
	"strings"
	"sync"
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

	becomes  string                // the state that every trigger is in before it is mended, if it is to be one
	quiet    bool                  // all stays fresh
	beside   func(f *finding)      // what goes on meanwhile; the fault lasts until it has ended, too
	during   func(f *finding)      // a look before it is mended
	after    func(f *finding)      // a look when all is well again
	well     func(time.Time) error // whether all is well again after the mending at an instant; nil is world.since
	down     bool                  // the scaler is away: calls may break off
	again    bool                  // a scaler is another process afterwards
	waits    bool                  // answers may take the whole budget
	rationed bool                  // the same, by what a scaler may compute
	slow     time.Duration         // that and so much more: a scaler is suspended
	lossy    bool                  // what the relay sends may be lost on the way
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
		before, complained := w.levels(f), w.complaints()
		w.watch.slowest()
		w.unsure(x.lossy)
		if x.strike != nil {
			x.strike()
		}
		w.load.enter(f, x.down)
		timed := w.handled()
		w.endure(f, x)
		if x.becomes != "" {
			w.mustBecome(f, x.becomes, complained)
		}
		if x.during != nil {
			x.during(f)
			f.ok(expected)
		}
		meanwhile := w.load.enter(f, x.down)
		w.judgePhase(f, meanwhile, x)
		w.judgeHandled(f, timed, x)
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
		w.back(f, before, x, mended)
		w.load.enter(newFinding("", "", ""), false)
	})
}

// endure lets the fault last, and looks meanwhile whether what is to stay quiet
// does.
func (w *world) endure(f *finding, x fault) {
	struck := time.Now()
	looking, stop := context.WithCancel(context.Background())
	var looks sync.WaitGroup
	if x.quiet {
		looks.Go(func() { w.disquieted(looking, f) })
	}
	if x.beside != nil {
		x.beside(f)
	}
	time.Sleep(time.Until(struck.Add(x.lasts)))
	stop()
	looks.Wait()
	if x.quiet {
		f.ok(expected)
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
	got := p.tally(time.Now(), x)
	f.Rate, f.Calls, f.Errors = got.rate, got.answers, got.errors
	f.remark("%d of %d answers were errors; %d calls broke off", f.Errors, f.Calls, got.broken)
	if x.down {
		f.remark("nobody was there to answer")
	} else if f.Rate < 100 {
		f.broke(busy, "%.0f calls a second answered; nothing is proved below 100", f.Rate)
	}
	got.judge(f, x)
	if page := w.watch.slowest(); page > 2*time.Second+x.slow {
		f.broke(budget, "a page took %v", page)
	}
	if got.answers > 0 {
		f.ok(told, ignorance, number, forward, budget, constant, busy)
	}
	if got.foreign > 0 {
		f.ok(apart)
	}
	if f.Errors > 0 {
		f.ok(stale)
	}
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// verdict looks for secrets and fails the test when anything broke.
func (w *world) verdict(t *testing.T, f *finding) {
	for _, s := range w.services() {
		for _, log := range s.logs {
			text := log.String()
			if i := strings.Index(text, "S3cret"); i >= 0 {
				f.broke(discreet, "the %s's log: …%s…", s.binary, text[max(0, i-100):min(len(text), i+40)])
			}
			if at := regexp.MustCompile(`panic(:|=|ked)`).FindStringIndex(text); at != nil {
				f.broke(expected, "the %s panicked: …%s…", s.binary, text[max(0, at[0]-100):min(len(text), at[0]+300)])
			}
		}
	}
	f.ok(discreet)
	f.Seconds = time.Since(f.began).Seconds()
	if f.Verdict != "ok" {
		t.Errorf("%s, %s: %v %v", f.ID, f.Fault, f.Checked, f.Remarks)
	}
}
