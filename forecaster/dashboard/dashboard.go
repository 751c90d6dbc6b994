// Package dashboard is the page that people look at: which workloads there
// are, how their forecasts fare, and why each count is what it is.
//
// The one thing to know: the page only reads, and it reads what anybody can
// read over the API. It needs nothing but this process: no other host, no
// cookie, no script in its HTML, and every address in it is relative, so that
// it works behind a path of a proxy that strips it (with its last slash).
//
//	GET /                       the page
//	GET /assets/…               its script, style and licences
//	GET /dashboard/workloads    every row of the list at once
//	GET /dashboard/events       rows as they change, as server-sent events
//
// The other decisions of this room:
//
//   - A row is compared with what it was two seconds ago, however many look on;
//     a stream sends only rows that changed since the revision its reader has.
//     Rows carry no ages, or all would change all the time.
//   - A stream ends when its reader goes, when [Pages.Close] is called, or when
//     one write takes longer than ten seconds. There are at most 64.
//   - What is in assets is built by scripts/page from web and committed, so
//     that a build of the forecaster needs no npm.
package dashboard

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"log/slog"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/kedastral/kedastral/forecaster/engine"
	"github.com/kedastral/kedastral/forecaster/history"
	"github.com/kedastral/kedastral/forecaster/series"
	"github.com/kedastral/kedastral/shared/forecast"
)

//go:embed assets
var assets embed.FS

// policy lets the page load what this process serves, and nothing else.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Engine is who knows how the workloads fare.
type Engine interface {
	Workloads() []engine.Status
	Observed(workload string) (series.DataFrame, error)
}

// Options are what the pages are made of.
type Options struct {
	Engine  Engine
	Past    *history.Recorder
	Now     func() time.Time // the clock that snapshots are dated by
	Refresh time.Duration    // between two looks at the rows; 0 is two seconds
	Log     *slog.Logger
}

// Pages serves the page. It is safe for concurrent use.
type Pages struct {
	Options
	router chi.Router
	files  map[string]file
	board  board
	seats  chan struct{} // one for each stream
	closed chan struct{}
	once   sync.Once
}

// New makes the pages. Its error is that of the embedded files.
func New(o Options) (*Pages, error) {
	files, err := load(assets)
	if err != nil {
		return nil, fmt.Errorf("reading the page: %w", err)
	}
	if o.Refresh <= 0 {
		o.Refresh = 2 * time.Second
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	p := &Pages{Options: o, router: chi.NewRouter(), files: files, seats: make(chan struct{}, maxStreams), closed: make(chan struct{})}
	p.board.epoch = strconv.FormatInt(time.Now().UnixNano(), 36)
	p.router.NotFound(nothing)
	p.router.Get("/", p.asset("index.html"))
	for name := range files {
		p.router.Get("/assets/"+name, p.asset(name))
	}
	p.router.Get("/dashboard/workloads", p.workloads)
	p.router.Get("/dashboard/events", p.events)
	return p, nil
}

// ServeHTTP implements [http.Handler].
func (p *Pages) ServeHTTP(w http.ResponseWriter, r *http.Request) { p.router.ServeHTTP(w, r) }

// Close ends all streams, now and later. It is for the server's shutdown,
// which waits for them.
func (p *Pages) Close() { p.once.Do(func() { close(p.closed) }) }

func nothing(w http.ResponseWriter, _ *http.Request) {
	forecast.NewProblem(http.StatusNotFound, "nothing here; / is the page, GET /workloads lists what is forecast, and "+
		forecast.Path+"?workload=NAMESPACE/NAME answers with a forecast").Write(w)
}

// file is an embedded file as it goes out.
type file struct {
	media       string
	tag         string
	plain, zips []byte
}

func load(from fs.FS) (map[string]file, error) {
	files := make(map[string]file)
	entries, err := fs.ReadDir(from, "assets")
	if err != nil {
		return nil, err //nolint:wrapcheck // the caller says what for
	}
	for _, entry := range entries {
		body, err := fs.ReadFile(from, path.Join("assets", entry.Name()))
		if err != nil {
			return nil, err //nolint:wrapcheck // the caller says what for
		}
		sum := sha256.Sum256(body)
		files[entry.Name()] = file{
			media: mediaOf(entry.Name()), tag: `"` + hex.EncodeToString(sum[:8]) + `"`, plain: body, zips: zipped(body, gzip.BestCompression),
		}
	}
	return files, nil
}

// mediaOf does not ask the machine, whose tables differ.
func mediaOf(name string) string {
	switch path.Ext(name) {
	case ".html":
		return "text/html; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	}
	return "text/plain; charset=utf-8"
}

// zipped cannot fail: a buffer takes everything, and the levels used exist.
func zipped(body []byte, level int) []byte {
	var out bytes.Buffer
	z, err := gzip.NewWriterLevel(&out, level)
	if err != nil {
		return nil
	}
	_, _ = z.Write(body)
	_ = z.Close()
	return out.Bytes()
}

// asset answers with an embedded file.
func (p *Pages) asset(name string) http.HandlerFunc {
	f := p.files[name]
	return func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		secure(h)
		h.Set("ETag", f.tag)
		h.Set("Cache-Control", "no-cache")
		if strings.Contains(r.Header.Get("If-None-Match"), f.tag) {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		h.Set("Content-Type", f.media)
		send(w, r, f.plain, f.zips)
	}
}

// secure sets what keeps a browser from doing more than the page needs.
func secure(h http.Header) {
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
}

// send writes the body, zipped where it is and the reader takes it.
func send(w http.ResponseWriter, r *http.Request, plain, zips []byte) {
	w.Header().Add("Vary", "Accept-Encoding")
	body := plain
	if len(zips) > 0 && len(zips) < len(plain) && takesGzip(r) {
		body = zips
		w.Header().Set("Content-Encoding", "gzip")
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body) // the reader has gone; nobody is left to be told
}

// takesGzip reads Accept-Encoding; gzip;q=0 refuses it.
func takesGzip(r *http.Request) bool {
	for one := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		name, params, err := mime.ParseMediaType(strings.TrimSpace(one))
		if err == nil && (name == "gzip" || name == "*") {
			q, err := strconv.ParseFloat(params["q"], 64)
			return err != nil || q > 0
		}
	}
	return false
}
