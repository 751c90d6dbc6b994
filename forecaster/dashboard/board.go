package dashboard

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/kedastral/kedastral/forecaster/history"
	"github.com/kedastral/kedastral/shared/env"
)

// board holds the rows as they were at the last look, and when each changed.
type board struct {
	epoch string // of this process: its revisions mean nothing to another

	mu       sync.Mutex
	looked   time.Time // on the machine's clock
	now      time.Time // on the clock that snapshots are dated by
	revision uint64
	entries  []entry
	byName   map[string]int
}

type entry struct {
	name     string
	body     json.RawMessage
	revision uint64 // at which it became so
}

// answer is what a reader is given.
type answer struct {
	Revision string            `json:"revision"`
	Now      time.Time         `json:"now"`
	Leads    []int             `json:"leadSeconds"` // of every row's atLead
	History  string            `json:"history"`     // how far back what was published is remembered, as HISTORY says it
	Kept     int               `json:"historySeconds"`
	Longest  int               `json:"longestSeconds"` // that a window of the past may be
	Total    int               `json:"total"`          // workloads there are
	Rows     []json.RawMessage `json:"rows"`
}

// since is what changed after a revision, everything for one that is not of
// this process.
func (p *Pages) since(revision string) (answer, error) {
	b := &p.board
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := p.look(); err != nil {
		return answer{}, fmt.Errorf("encoding the workloads: %w", err)
	}
	a := answer{Revision: b.epoch + "." + strconv.FormatUint(b.revision, 10), Now: b.now.UTC(), Total: len(b.entries), Rows: []json.RawMessage{}}
	a.History, a.Kept, a.Longest = env.FormatDuration(p.Past.Keeps()), int(p.Past.Keeps()/time.Second), int(p.Past.Limit()/time.Second)
	for _, ahead := range history.Leads() {
		a.Leads = append(a.Leads, int(ahead/time.Second))
	}
	known := b.parse(revision)
	for _, e := range b.entries {
		if e.revision > known {
			a.Rows = append(a.Rows, e.body)
		}
	}
	return a, nil
}

// look brings the board up to date, unless that was done just now.
func (p *Pages) look() error {
	b := &p.board
	if !b.looked.IsZero() && time.Since(b.looked) < p.Refresh/2 {
		return nil
	}
	now := p.Now()
	entries, err := p.encode(now)
	if err != nil {
		return err
	}
	next := b.revision + 1
	for i := range entries {
		e := &entries[i]
		e.revision = next
		if k, known := b.byName[e.name]; known && bytes.Equal(b.entries[k].body, e.body) {
			e.revision = b.entries[k].revision
		}
		if e.revision == next {
			b.revision = next
		}
	}
	b.entries, b.looked, b.now = entries, time.Now(), now
	if len(b.byName) != len(entries) { // the workloads of a process stay
		b.byName = make(map[string]int, len(entries))
		for i, e := range entries {
			b.byName[e.name] = i
		}
	}
	return nil
}

// parse is the number of a revision of this process, 0 of another.
func (b *board) parse(revision string) uint64 {
	number, ours := strings.CutPrefix(revision, b.epoch+".")
	if !ours {
		return 0
	}
	n, err := strconv.ParseUint(number, 10, 64)
	if err != nil || n > b.revision {
		return 0
	}
	return n
}

// workloads answers GET /dashboard/workloads.
func (p *Pages) workloads(w http.ResponseWriter, r *http.Request) {
	a, err := p.since("")
	if err == nil {
		var body []byte
		if body, err = json.Marshal(a); err == nil {
			h := w.Header()
			secure(h)
			h.Set("Cache-Control", "no-store")
			h.Set("Content-Type", "application/json")
			var zips []byte
			if takesGzip(r) {
				zips = zipped(body, gzip.BestSpeed)
			}
			send(w, r, body, zips)
			return
		}
	}
	p.internal(w, r, err)
}

// internal answers for what only the log may know.
func (p *Pages) internal(w http.ResponseWriter, r *http.Request, err error) {
	p.Log.ErrorContext(r.Context(), "request failed", "path", r.URL.Path, "err", err)
	problemOf(http.StatusInternalServerError, "internal error; the forecaster's log says more").Write(w)
}
