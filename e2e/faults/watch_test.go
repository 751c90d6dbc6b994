package faults_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"
)

// watch looks at the scalers' status the whole time.
type watch struct {
	mu     sync.Mutex
	newest map[string]time.Time // generatedAt, by scaler and workload
	slow   time.Duration        // the longest a page took
}

func newWatch(t *testing.T, w *world) *watch {
	t.Helper()
	v := &watch{newest: map[string]time.Time{}}
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() {
		for ctx.Err() == nil {
			for i, s := range w.scalers {
				v.look(ctx, w, i, s)
			}
			time.Sleep(100 * time.Millisecond)
		}
	})
	t.Cleanup(func() { cancel(); done.Wait() })
	return v
}

func (v *watch) look(ctx context.Context, w *world, i int, s *service) {
	began := time.Now()
	states, err := s.status(ctx)
	if err != nil {
		return // whether it may be down is the row's to say
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.slow = max(v.slow, time.Since(began))
	for _, st := range states {
		key := fmt.Sprint(i, st.Workload)
		if st.GeneratedAt.IsZero() {
			continue
		}
		if last := v.newest[key]; st.GeneratedAt.Before(last) {
			w.load.phase.Load().finding.broke(forward, "%s: the forecast of %v is followed by that of %v", st.Workload, last.Format(time.TimeOnly), st.GeneratedAt.Format(time.TimeOnly))
		}
		v.newest[key] = st.GeneratedAt
	}
}

// forget is for a scaler that was started again and knows nothing.
func (v *watch) forget() {
	v.mu.Lock()
	defer v.mu.Unlock()
	clear(v.newest)
}

// slowest is how long a page took at most since it was last asked.
func (v *watch) slowest() time.Duration {
	v.mu.Lock()
	defer v.mu.Unlock()
	slow := v.slow
	v.slow = 0
	return slow
}
