package client

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"sync"
	"time"

	"github.com/kedastral/kedastral/shared/forecast"
)

// How long an endpoint that cannot be reached is left alone: at first, at most,
// and at most where it asks for it.
const (
	shortest = 500 * time.Millisecond
	longest  = 5 * time.Second
	wished   = time.Minute // for as long as it asks itself; forecasts must not go stale over it
)

// An endpoint that failed, or asked for patience, a moment ago was not asked.
var (
	errLeftAlone = errors.New("failed a moment ago, left alone for a while")
	errPatience  = fmt.Errorf("%w: %w", errLeftAlone, forecast.ErrBusy)
)

// endpoint is one forecaster and whether it is worth asking.
type endpoint struct {
	host  string // for people
	base  *url.URL
	mu    sync.Mutex
	pause time.Duration // the next pause's length; 0 while all is well
	until time.Time     // when the pause ends
	probe bool          // somebody is trying whether it answers again
	told  bool          // an answer was logged since the last failure
	busy  bool          // it is left alone because it asked for it
}

func newEndpoint(u *url.URL) *endpoint {
	return &endpoint{host: u.Host, base: u.JoinPath(forecast.Path)}
}

// admits is nil when to ask now. After a failure one question at a time is let
// through once the pause is over, to see whether it answers again.
func (e *endpoint) admits(now time.Time) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.pause == 0:
		return nil
	case !e.probe && !now.Before(e.until):
		e.probe = true
		return nil
	case e.busy:
		return errPatience
	}
	return errLeftAlone
}

// succeeded ends the pauses; it reports whether that is news.
func (e *endpoint) succeeded() (news bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	news = !e.told
	e.pause, e.probe, e.told = 0, false, true
	return news
}

// failed starts a pause, of the given length if the endpoint asked for one,
// else twice as long as the last; it reports whether the failure is news. Of
// many questions that fail together only the first counts.
func (e *endpoint) failed(now time.Time, how *unreachable) (news bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.pause > 0 && !e.probe {
		return false
	}
	news = e.pause == 0 || e.busy != how.throttled
	e.probe, e.told, e.busy = false, false, how.throttled
	e.pause = min(max(2*e.pause, shortest), longest)
	wait := time.Duration((0.8 + 0.4*rand.Float64()) * float64(e.pause))
	e.until = now.Add(max(wait, min(how.leaveAlone, wished)))
	return news
}

// abandoned gives the turn back when the asker went away without an answer.
func (e *endpoint) abandoned() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.probe = false
}
