package api

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

const (
	requestIDHeader = "X-Request-Id"
	longestID       = 64
	maxBody         = 4 << 10 // no route reads a body; this much may be sent in vain
	longestPath     = 200     // of an unknown path in the log
)

type requestIDKey struct{}

// identify gives every request an id: the one it came with, if that is
// harmless, or a new one.
func identify(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.Header.Get(requestIDHeader)
		if !harmless(id) {
			id = rand.Text()
		}
		w.Header().Set(requestIDHeader, id)
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), requestIDKey{}, id)))
	})
}

func requestID(r *http.Request) string {
	id, _ := r.Context().Value(requestIDKey{}).(string)
	return id
}

func harmless(id string) bool {
	if id == "" || len(id) > longestID {
		return false
	}
	for _, c := range []byte(id) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_', c == '.':
		default:
			return false
		}
	}
	return true
}

// logged tells every request at debug, but nothing of its query except the
// workload: what else a client sends in there may be a secret.
func (a *api) logged(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began, ctx := time.Now(), r.Context()
		seen := middleware.NewWrapResponseWriter(w, r.ProtoMajor)
		defer func() {
			a.Log.DebugContext(ctx, "request", "method", cut(r.Method), "path", cut(r.URL.Path), "workload", cut(r.URL.Query().Get("workload")),
				"status", seen.Status(), "bytes", seen.BytesWritten(), "duration", time.Since(began),
				"remote", r.RemoteAddr, "request_id", requestID(r))
		}()
		next.ServeHTTP(seen, r)
	})
}

// cut is a stranger's text made fit for a log line: quoted, and not long.
func cut(s string) string {
	return fmt.Sprintf("%+q", s[:min(len(s), longestPath)])
}

// recovered answers for a handler that panicked and tells where.
func (a *api) recovered(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		defer func() {
			switch p := recover(); p {
			case nil:
			case http.ErrAbortHandler:
				panic(p) // the server's own way to break a connection off
			default:
				a.Log.ErrorContext(ctx, "handler panicked", "panic", fmt.Sprint(p), "request_id", requestID(r), "stack", string(debug.Stack()))
				problem(w, r, http.StatusInternalServerError, "internal error; the forecaster's log says more")
			}
		}()
		next.ServeHTTP(w, r)
	})
}

// limited keeps a client from sending without end.
func limited(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Body != nil {
			r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		}
		next.ServeHTTP(w, r)
	})
}

func newMetrics(reg prometheus.Registerer) *prometheus.HistogramVec {
	return promauto.With(reg).NewHistogramVec(prometheus.HistogramOpts{
		Name:    "kedastral_forecaster_http_request_duration_seconds",
		Help:    "How long requests took, by route and status; what no route knows is the route other.",
		Buckets: prometheus.ExponentialBuckets(100e-6, 4, 8), // 100 µs to 1.6 s
	}, []string{"route", "code"})
}

// measured times requests. Its labels come from the routes, never from the
// request.
func measured(durations *prometheus.HistogramVec) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			began := time.Now()
			seen := middleware.NewWrapResponseWriter(w, r.ProtoMajor)
			next.ServeHTTP(seen, r)
			route := "other"
			if rc := chi.RouteContext(r.Context()); rc != nil && rc.RoutePattern() != "" {
				route = rc.RoutePattern()
			}
			durations.WithLabelValues(route, strconv.Itoa(max(seen.Status(), http.StatusOK))).Observe(time.Since(began).Seconds())
		})
	}
}
