package dashboard

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/kedastral/kedastral/shared/forecast"
)

const (
	maxStreams = 64
	heartbeat  = 15 * time.Second // without a change; proxies end what is silent for longer
	writeLimit = 10 * time.Second // for one write; a reader this slow is cut off
	reconnect  = 3 * time.Second  // a browser waits this long before it comes back
)

func problemOf(status int, detail string) forecast.Problem {
	return forecast.NewProblem(status, detail)
}

// events answers GET /dashboard/events?since=REVISION with the rows that
// change, until the reader goes or the pages are closed.
func (p *Pages) events(w http.ResponseWriter, r *http.Request) {
	select {
	case p.seats <- struct{}{}:
		defer func() { <-p.seats }()
	default:
		w.Header().Set("Retry-After", "30")
		problemOf(http.StatusServiceUnavailable, fmt.Sprintf("%d pages are being kept up to date already; GET /dashboard/workloads answers all the same", maxStreams)).Write(w)
		return
	}
	s := stream{w: w, out: http.NewResponseController(w), known: r.URL.Query().Get("since")}
	if last := r.Header.Get("Last-Event-ID"); last != "" {
		s.known = last // the browser's own, after a break
	}
	// The server's limits are for requests that end. Each write below has its
	// own instead; a connection that has none, as in a test, needs none.
	if err := s.out.SetReadDeadline(time.Time{}); err != nil && !errors.Is(err, http.ErrNotSupported) {
		p.internal(w, r, fmt.Errorf("lifting the read limit of a stream: %w", err))
		return
	}
	h := w.Header()
	secure(h)
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // asks a proxy to pass events on at once
	if s.write(fmt.Sprintf("retry: %d\n\n", reconnect.Milliseconds())) != nil {
		return
	}
	s.told = time.Time{} // the first look is always told, if only what time it is
	p.follow(r, &s)
}

// follow sends changes until something ends.
func (p *Pages) follow(r *http.Request, s *stream) {
	look := time.NewTicker(p.Refresh)
	defer look.Stop()
	for {
		a, err := p.since(s.known)
		if err != nil {
			p.Log.ErrorContext(r.Context(), "stream ended", "err", err)
			return
		}
		if err := s.tell(a); err != nil {
			p.Log.DebugContext(r.Context(), "stream ended", "err", err)
			return
		}
		select {
		case <-look.C:
		case <-p.closed:
			return
		case <-r.Context().Done():
			return
		}
	}
}

// stream is one reader of events.
type stream struct {
	w     http.ResponseWriter
	out   *http.ResponseController
	known string    // the revision that the reader has
	told  time.Time // when it was last sent anything
}

// tell sends the rows that changed, or after a while without any that it is
// still there and what time it is.
func (s *stream) tell(a answer) error {
	if len(a.Rows) == 0 && time.Since(s.told) < heartbeat {
		return nil
	}
	body, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("encoding an event: %w", err)
	}
	s.known = a.Revision
	return s.write(fmt.Sprintf("id: %s\nevent: rows\ndata: %s\n\n", a.Revision, body))
}

func (s *stream) write(text string) error {
	if err := s.out.SetWriteDeadline(time.Now().Add(writeLimit)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return fmt.Errorf("limiting a write: %w", err)
	}
	if _, err := s.w.Write([]byte(text)); err != nil {
		return fmt.Errorf("writing an event: %w", err)
	}
	if err := s.out.Flush(); err != nil {
		return fmt.Errorf("flushing an event: %w", err)
	}
	s.told = time.Now()
	return nil
}
