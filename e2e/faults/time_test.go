package faults_test

import (
	"syscall"
	"testing"
	"time"
)

// A scaler that was suspended does not take its memory for the present.
func TestSuspended(t *testing.T) {
	t.Parallel()
	w := newWorld(t, plan{scalers: 2, rate: 400})
	s := w.scalers[0]
	var complained map[*service]complaint
	w.row(t, fault{
		id: "T3", what: "a scaler is suspended for long, and wakes without a forecaster", made: "SIGSTOP for twice STALE_AFTER, SIGCONT; another scaler goes on",
		strike: func() { complained = w.complaints(); w.relays[0].tell(hang); s.signal(t, syscall.SIGSTOP) },
		lasts:  2 * staleAfter,
		during: func(f *finding) {
			s.signal(t, syscall.SIGCONT)
			time.Sleep(time.Second) // of answers, each judged
			w.mustBecome(f, "stale", complained)
		},
		mend: w.relays[0].honest, heals: 9 * time.Second, slow: 30 * time.Second, lossy: true,
	})
}
