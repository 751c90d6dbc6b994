package faults_test

import (
	"context"
	"fmt"
	"time"
)

// standstill is how long the pacer has to be late for the machine to have stood
// still rather than to have been busy.
const standstill = 100 * time.Millisecond

// disquieted looks whether every trigger is fresh, at every look. A forecast is
// replaced well before it is overdue: it is generated every interval, published
// within the delay that it tells, asked for within 1.35 s, and one forecaster that
// hangs costs a second more. Only a machine that stood still meanwhile makes it
// older than its snapshot says a newer one should be there.
func (w *world) disquieted(ctx context.Context, f *finding) {
	for ctx.Err() == nil {
		for _, s := range w.scalers {
			states, err := s.status(ctx)
			if ctx.Err() != nil {
				return
			}
			if err != nil || len(states) < len(w.workloads) {
				f.broke(expected, "%d triggers known to the scaler, want %d: %v", len(states), len(w.workloads), err)
			}
			for _, st := range states {
				if err := w.quiet(st, time.Now()); err != nil {
					f.broke(expected, "%v", err)
				}
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// quiet is nil if a trigger is fresh, or would be if the machine had not stood
// still.
func (w *world) quiet(st state, now time.Time) error {
	if st.State == "fresh" {
		return nil
	}
	stood := w.load.stood(st.GeneratedAt, now)
	age := now.Sub(st.GeneratedAt)
	for _, r := range w.relays {
		for _, d := range r.history(st.Workload) {
			if st.State == "held" && d.GeneratedAt.Equal(st.GeneratedAt) && age-stood < d.FreshFor() {
				return nil
			}
		}
	}
	return fmt.Errorf("%s is %s %s: its forecast is %.2f s old, in %.2f s of which the machine stood still", st.Workload, st.State, st.Reason, age.Seconds(), stood.Seconds())
}

// stood is for how long the machine stood still between two instants.
func (l *load) stood(from, to time.Time) (total time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.still {
		if left := min(s.to.Sub(from), to.Sub(s.from), s.took()); left > 0 {
			total += left
		}
	}
	return total
}
