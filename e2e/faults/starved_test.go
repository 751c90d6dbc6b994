package faults_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// starved notes when a service was ready to run and this machine ran others: the
// kernel counts for every thread how long it has waited for a processor. Whoever
// waits for anything else, be it a lock or an answer, is not counted there.
func (s *service) starved(ctx context.Context, note func(span)) {
	const every = 10 * time.Millisecond
	of, waited := int64(0), map[string]time.Duration{}
	for ctx.Err() == nil {
		time.Sleep(every)
		pid, now := s.pid.Load(), time.Now()
		if pid != of {
			of = pid
			clear(waited)
		}
		first := len(waited) == 0
		for thread, total := range delays(pid) {
			if d := total - waited[thread]; !first && d > time.Millisecond {
				note(span{now.Add(-every - d), now})
			}
			waited[thread] = total
		}
	}
}

// delays are how long the threads of processes have waited for a processor.
func delays(pids ...int64) map[string]time.Duration {
	all := map[string]time.Duration{}
	for _, pid := range pids {
		threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid)) // the pattern is good
		for _, path := range threads {
			text, err := os.ReadFile(path)
			if err != nil {
				continue // it has ended
			}
			var ran, waited int64
			if _, err := fmt.Sscan(string(text), &ran, &waited); err == nil {
				all[path] = time.Duration(waited)
			}
		}
	}
	return all
}

// longestWait is how long a thread of processes has waited for a processor at
// most since an earlier look.
func longestWait(before map[string]time.Duration, pids ...int64) (longest time.Duration) {
	for thread, total := range delays(pids...) {
		longest = max(longest, total-before[thread])
	}
	return longest
}
