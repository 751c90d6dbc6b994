package keda

import (
	"sync"
	"time"
)

// quiet is how long after a complaint the same one is not repeated.
const quiet = 10 * time.Second

// limiter keeps a flood of refused requests from becoming a flood of log
// lines. Its keys are reasons, of which there are few.
type limiter struct {
	mu   sync.Mutex
	last map[string]time.Time
}

// allows is whether the complaint may be made again.
func (l *limiter) allows(key string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if last, ok := l.last[key]; ok && now.Sub(last) < quiet {
		return false
	}
	if l.last == nil {
		l.last = map[string]time.Time{}
	}
	l.last[key] = now
	return true
}
