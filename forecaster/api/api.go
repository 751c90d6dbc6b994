// Package api serves forecasts over HTTP.
//
//	GET /forecast/current?workload=NAMESPACE/NAME   the latest snapshot
//	GET /forecast/explain?workload=NAMESPACE/NAME   why its counts are what they are (lead)
//	GET /forecast/history?workload=NAMESPACE/NAME   what came and what had been forecast (window, points)
//	GET /workloads                                  what is forecast, and how it fares
//	GET /openapi.json                               all of this for machines
//	GET /healthz  /readyz  /metrics                 for the cluster and Prometheus
//
// The one thing to know: every answer that is not the one asked for is an
// application/problem+json whose detail a person can act on, except what the
// probes say to the kubelet.
//
// A snapshot goes out with its ETag, which is the same from every forecaster
// that saw the same history, and with its Age by this machine's clock, which
// is the clock that its GeneratedAt is told by; a scaler elsewhere adds the
// time since it received it and needs no clock in common. Nothing may be
// served from a cache between without asking again: an old count is a wrong
// one.
//
// What a request may see is its guard's to say: see package access. Everything
// that tells of a workload goes through asked, and what tells of all at once is
// for those alone who may see all. The probes are open, for the kubelet has no
// identity, and tell no names.
//
// Names from outside are looked up in a map and otherwise only quoted in the
// answer and the debug log. None becomes a metric's label.
package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/kedastral/kedastral/forecaster/access"
	"github.com/kedastral/kedastral/forecaster/engine"
	"github.com/kedastral/kedastral/shared/env"
	"github.com/kedastral/kedastral/shared/forecast"
	"github.com/kedastral/kedastral/shared/ratelimit"
)

// Engine is who knows the answers.
type Engine interface {
	forecast.Reader
	Workloads() []engine.Status
	Explain(workload string, lead time.Duration) (engine.Explanation, error)
}

// Options are what an API is made of.
type Options struct {
	Engine  Engine
	Past    Past                  // nil leaves nothing at /forecast/history
	Now     func() time.Time      // the clock that snapshots are dated by
	Log     *slog.Logger          // requests at debug, what a person must mend at error
	Metrics prometheus.Registerer // of the requests; nil keeps them to themselves
	Probes  http.Handler          // serves /healthz, /readyz and /metrics
	Guard   access.Guard          // tells who asks; nil lets everybody see everything
	Pace    *ratelimit.Peers      // how often an address may ask; nil is without limit
	Pages   http.Handler          // serves / and all that is unknown here; nil leaves nothing there
}

type api struct {
	Options
	refusals *prometheus.CounterVec
}

// New makes the handler of all routes.
func New(o Options) http.Handler {
	a := &api{o, newRefusals(o.Metrics)}
	r := chi.NewRouter()
	r.Use(identify, measured(newMetrics(o.Metrics)), a.logged, a.recovered, limited, middleware.GetHead)
	r.NotFound(chi.Chain(a.paced, a.admitted, a.whole).HandlerFunc(a.unknown).ServeHTTP)
	r.MethodNotAllowed(notAllowed)
	r.Get("/healthz", o.Probes.ServeHTTP)
	r.Get("/readyz", o.Probes.ServeHTTP)
	r.With(a.paced).Get("/openapi.json", a.openapi)
	r.Group(func(r chi.Router) {
		r.Use(a.paced, a.admitted)
		r.Get(forecast.Path, a.current)
		r.Get("/forecast/explain", a.explain)
		r.Get("/workloads", a.workloads)
		if o.Past != nil {
			r.Get("/forecast/history", a.history)
		}
		r.With(a.whole).Get("/metrics", o.Probes.ServeHTTP)
	})
	return r
}

// current answers GET /forecast/current.
func (a *api) current(w http.ResponseWriter, r *http.Request) {
	workload, err := asked(r)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	s, err := a.Engine.Latest(r.Context(), workload)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	body, err := forecast.Encode(s)
	if err != nil {
		a.fail(w, r, fmt.Errorf("answering with the snapshot of %s: %w", workload, err))
		return
	}
	tag := forecast.ETag(body)
	h := w.Header()
	h.Set("ETag", tag)
	h.Set("Cache-Control", "no-cache")
	h.Set(forecast.AgeHeader, strconv.FormatInt(int64(s.Age(a.Now())/time.Second), 10))
	if matches(r.Header.Values("If-None-Match"), tag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	write(w, body)
}

// explain answers GET /forecast/explain.
func (a *api) explain(w http.ResponseWriter, r *http.Request) {
	workload, err := asked(r)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	lead, err := leadOf(r.URL.Query().Get("lead"))
	if err != nil {
		problem(w, r, http.StatusBadRequest, err.Error())
		return
	}
	x, err := a.Engine.Explain(workload, lead)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	a.reply(w, r, x)
}

// The lead times to explain for.
const (
	usualLead   = 5 * time.Minute // as a scaler has it that is not told
	longestLead = 7 * 24 * time.Hour
)

// leadOf is the lead time that a request asks about.
func leadOf(text string) (time.Duration, error) {
	if text == "" {
		return usualLead, nil
	}
	d, err := env.ParseDuration(text)
	if err != nil || d < 0 || d > longestLead {
		return 0, fmt.Errorf("lead=%q: must be a duration such as 90s, 5m or 1d, from 0s to %s", shortened(text), env.FormatDuration(longestLead))
	}
	return d, nil
}

// workloads answers GET /workloads, with those that who asks may see.
func (a *api) workloads(w http.ResponseWriter, r *http.Request) {
	id, _ := access.Of(r.Context())
	seen := slices.DeleteFunc(a.Engine.Workloads(), func(s engine.Status) bool { return !id.Sees(s.Workload) })
	a.reply(w, r, struct {
		Now       time.Time       `json:"now"` // the clock the states are told by
		Workloads []engine.Status `json:"workloads"`
	}{a.Now().UTC(), seen})
}

// unknown answers what no route does.
func (a *api) unknown(w http.ResponseWriter, r *http.Request) {
	if a.Pages != nil {
		a.Pages.ServeHTTP(w, r)
		return
	}
	problem(w, r, http.StatusNotFound, "nothing here; GET /workloads lists what is forecast, and "+forecast.Path+"?workload=NAMESPACE/NAME answers with a forecast")
}

func notAllowed(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Allow", "GET, HEAD")
	problem(w, r, http.StatusMethodNotAllowed, "only GET and HEAD are answered here")
}

// workloadOf is the one workload that a request names.
func workloadOf(r *http.Request) (string, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return "", fmt.Errorf("%w: the query string cannot be read: must be workload=NAMESPACE/NAME", forecast.ErrMalformed)
	}
	names := query["workload"]
	if len(names) != 1 {
		return "", fmt.Errorf("%w: %d given in the query string: must be one, workload=NAMESPACE/NAME", forecast.ErrMalformed, len(names))
	}
	if _, _, err := forecast.ParseWorkload(names[0]); err != nil {
		return "", err
	}
	return names[0], nil
}

// fail answers with the problem that an error is.
func (a *api) fail(w http.ResponseWriter, r *http.Request, err error) {
	p := forecast.ProblemOf(err)
	if r.Context().Err() != nil && errors.Is(err, context.Canceled) {
		p = forecast.NewProblem(http.StatusServiceUnavailable, "the request was given up")
	}
	if p.Status == http.StatusInternalServerError {
		a.Log.ErrorContext(r.Context(), "request failed", "path", r.URL.Path, "request_id", requestID(r), "err", err)
	}
	p.Instance = requestID(r)
	p.Write(w)
}

func problem(w http.ResponseWriter, r *http.Request, status int, detail string) {
	p := forecast.NewProblem(status, detail)
	p.Instance = requestID(r)
	p.Write(w)
}

func (a *api) reply(w http.ResponseWriter, r *http.Request, answer any) {
	body, err := json.Marshal(answer)
	if err != nil {
		a.fail(w, r, fmt.Errorf("encoding the answer to %s: %w", r.URL.Path, err))
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	write(w, body)
}

func write(w http.ResponseWriter, body []byte) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body) // the client has gone; nobody is left to be told
}

// matches reports whether one of the tags of If-None-Match is tag. The weak
// comparison is right for GET: W/"x" matches "x".
func matches(headers []string, tag string) bool {
	for one := range strings.SplitSeq(strings.Join(headers, ","), ",") {
		one = strings.TrimSpace(one)
		if one == "*" || strings.TrimPrefix(one, "W/") == tag {
			return true
		}
	}
	return false
}
