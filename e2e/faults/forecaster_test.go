package faults_test

import (
	"syscall"
	"testing"
	"time"
)

func TestForecasterGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, plan{forecasters: 1})
	f := w.forecasters[0]
	w.row(t, fault{
		id: "F3", what: "the forecaster hangs, until forecasts are stale", made: "SIGSTOP, SIGCONT",
		strike: func() { f.signal(t, syscall.SIGSTOP) }, mend: func() { f.signal(t, syscall.SIGCONT) },
		lasts: staleAfter + 2*time.Second, becomes: "stale", heals: 8 * time.Second,
	})
	w.row(t, fault{
		id: "F1", what: "the forecaster is killed, and started again", made: "SIGKILL",
		strike: f.kill, mend: func() { f.start(t) },
		lasts: 4 * time.Second, becomes: "held", heals: 10 * time.Second,
	})
}
