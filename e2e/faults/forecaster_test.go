package faults_test

import (
	"regexp"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
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
	w.row(t, fault{
		id: "F1b", what: "the forecaster needs more memory than it may have, and is started again", made: "RLIMIT_DATA of what it has and 1 MiB, answers of the source as large as it reads them",
		strike: func() { confine(t, f, 1<<20); w.source.set(flood) },
		lasts:  4 * time.Second, becomes: "held", heals: 10 * time.Second,
		during: func(found *finding) {
			if !f.ended() { // a panic would be found in its log
				found.broke(expected, "the forecaster did not run out of memory: it has %d MiB", f.resident("VmRSS")>>20)
				return
			}
			found.remark("it ended by %v: %s", f.cmd.ProcessState, regexp.MustCompile(`(?m)^(fatal error|runtime/cgo|SIG).*$`).FindString(f.log.String()))
		},
		mend: func() { f.kill(); w.source.set(truthful); f.start(t) },
	})
}

// confine leaves a process so much more memory than it has. The limit is of the
// kernel's, needs no rights and no control group, and what cannot have more ends
// as it would where a control group's limit is: at once, in the midst of it all,
// be it for the heap or for a thread's stack.
func confine(t *testing.T, s *service, more int) {
	t.Helper()
	most := uint64(s.resident("VmData") + more) //nolint:gosec // some megabytes
	if err := unix.Prlimit(s.cmd.Process.Pid, unix.RLIMIT_DATA, &unix.Rlimit{Cur: most, Max: most}, nil); err != nil {
		t.Errorf("limiting the memory of the %s: %v", s.binary, err)
	}
}
