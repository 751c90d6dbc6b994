package api

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/kedastral/kedastral/forecaster/access"
	"github.com/kedastral/kedastral/shared/forecast"
)

// Why requests are refused, for the metric.
const (
	refusedRate       = "rate"
	refusedUnknown    = "unknown"
	refusedForbidden  = "forbidden"
	refusedUnverified = "unverified"
)

func newRefusals(reg prometheus.Registerer) *prometheus.CounterVec {
	v := promauto.With(reg).NewCounterVec(prometheus.CounterOpts{
		Name: "kedastral_forecaster_http_refusals_total",
		Help: "Requests refused for who sent them, by reason: rate, unknown, forbidden or unverified.",
	}, []string{"reason"})
	for _, reason := range []string{refusedRate, refusedUnknown, refusedForbidden, refusedUnverified} {
		v.WithLabelValues(reason)
	}
	return v
}

// paced refuses a peer that asks too often, before anything is done for it.
// Who is trusted is not counted.
func (a *api) paced(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, trusted := access.Of(r.Context()); !trusted {
			peer, _ := netip.ParseAddrPort(r.RemoteAddr) // those without an address are one peer
			if wait, ok := a.Pace.Allow(peer.Addr(), time.Now()); !ok {
				a.refusals.WithLabelValues(refusedRate).Inc()
				w.Header().Set("Retry-After", strconv.Itoa(max(1, int(math.Ceil(wait.Seconds())))))
				problem(w, r, http.StatusTooManyRequests, "too many requests from this address: RATE_LIMIT says how many")
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// admitted lets in who the guard knows and notes who that is. Without a guard
// everybody may see everything.
func (a *api) admitted(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, ok := access.Of(r.Context())
		if !ok {
			var err error
			if id, err = a.identify(r); err != nil {
				a.refuse(w, r, err)
				return
			}
		}
		next.ServeHTTP(w, r.WithContext(access.With(r.Context(), id)))
	})
}

func (a *api) identify(r *http.Request) (access.Identity, error) {
	if a.Guard == nil {
		return access.Identity{All: true}, nil
	}
	return a.Guard.Identify(r) //nolint:wrapcheck // its words are for the client
}

// refuse answers whom the guard does not let in.
func (a *api) refuse(w http.ResponseWriter, r *http.Request, err error) {
	status, reason := http.StatusUnauthorized, refusedUnknown
	switch {
	case errors.Is(err, access.ErrForbidden):
		status, reason = http.StatusForbidden, refusedForbidden
	case errors.Is(err, access.ErrUnverified):
		status, reason = http.StatusServiceUnavailable, refusedUnverified
		w.Header().Set("Retry-After", "1")
	default:
		w.Header().Set("WWW-Authenticate", `Bearer realm="kedastral-forecaster"`)
		w.Header().Set("Connection", "close") // a new connection presents the certificate that is in force then
	}
	a.refusals.WithLabelValues(reason).Inc()
	problem(w, r, status, err.Error())
}

// whole lets pass who may see every namespace.
func (a *api) whole(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if id, _ := access.Of(r.Context()); !id.All {
			a.refuse(w, r, fmt.Errorf("%w: this tells of every namespace, see ADMIN_ADDR and FORECASTER_AUTH_ADMINS", access.ErrForbidden))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// asked is the one workload that a request names, if who asks may know of it:
// one of another namespace is answered like one that nobody knows.
func asked(r *http.Request) (string, error) {
	workload, err := workloadOf(r)
	if err != nil {
		return "", err
	}
	if id, _ := access.Of(r.Context()); !id.Sees(workload) {
		return "", fmt.Errorf("%w: %s", forecast.ErrNotFound, workload)
	}
	return workload, nil
}
