// Package client asks forecasters for snapshots over HTTP.
//
// Several forecasters may be named; each computes the same forecasts from the
// same history, so any answer will do. The one that answered last is asked
// first, and one that cannot be reached is left alone for a while that doubles
// with each failure, so a forecaster that hangs costs its time-out once and not
// with every question. One that answers 429 is up, and is left alone for as long
// as it asks. An answer about one workload, even a bad one, says
// nothing about the others and stops nobody from asking. Nor does a snapshot that
// is overdue, which may be the fault of the one that serves it.
//
// Forecasters may also be shards that compute a part each. Then those that
// package shard ranks first are asked first, and there is none that all prefer.
//
// What comes back is checked before anybody may act on it: a bounded body, a
// valid snapshot, of the workload that was asked for. Its age is the
// forecaster's own measure; counted from when the question was sent, it can be
// off only towards older.
//
// Of a snapshot only the plan is kept, and what tells its age: a scaler holds
// thousands, and answers from nothing else.
package client

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/kedastral/kedastral/shared/forecast"
	"github.com/kedastral/kedastral/shared/shard"
	"github.com/kedastral/kedastral/shared/tokenfile"
)

// Options say whom to ask and how. TLS and TokenFile may be left out.
type Options struct {
	URLs      []*url.URL       // forecasters, in order of preference
	Sharded   bool             // each computes a part, and its place among URLs is its ordinal
	Timeout   time.Duration    // for one question to one forecaster
	Size      int              // snapshots remembered, to be asked for only if they changed
	TLS       *tls.Config      // for https URLs
	TokenFile string           // holds a bearer token, read again as it is rotated
	Now       func() time.Time // what forecasts age by; nil is the machine's clock
	Log       *slog.Logger
}

// Client is a [forecast.Reader] over HTTP.
type Client struct {
	Options
	http      *http.Client
	endpoints []*endpoint
	preferred atomic.Int32 // index of the endpoint that answered last
	known     *lru.Cache[string, known]
	token     *tokenfile.File
	metrics   *Metrics

	complained atomic.Int64 // when the log last said that we are not let in, in Unix nanoseconds
}

// known is a snapshot as it came, and how to ask its endpoint whether there is
// a newer one. A tag is only ever shown to the endpoint that gave it.
type known struct {
	from     *endpoint
	etag     string
	snapshot forecast.Snapshot
}

// New makes a client. It asks nobody yet.
func New(m *Metrics, o Options) (*Client, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	remembered, err := lru.New[string, known](o.Size)
	if err != nil {
		return nil, fmt.Errorf("making the table of known snapshots: %w", err)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	c := &Client{Options: o, http: newHTTP(o.TLS), known: remembered, metrics: m}
	if o.TokenFile != "" {
		if c.token, err = tokenfile.Open(o.TokenFile); err != nil {
			return nil, err
		}
	}
	for _, u := range o.URLs {
		c.endpoints = append(c.endpoints, newEndpoint(u))
		m.up.WithLabelValues(u.Host).Set(0)
	}
	return c, nil
}

// Latest asks the forecasters in turn until one has a snapshot that is not
// overdue: the one that answered last first or, where they are shards, the
// workload's owner. Where every snapshot is overdue it is the youngest. The
// error joins what each of them said.
func (c *Client) Latest(ctx context.Context, workload string) (forecast.Snapshot, error) {
	if _, _, err := forecast.ParseWorkload(workload); err != nil {
		return forecast.Snapshot{}, err
	}
	var errs []error
	var youngest forecast.Snapshot
	said, from := 0, -1
	for _, at := range c.order(workload) {
		e := c.endpoints[at]
		s, err := c.try(ctx, e, workload)
		if err != nil {
			errs = append(errs, fmt.Errorf("forecaster %s: %w", e.host, err))
		} else if from < 0 || s.AgeAtReceipt < youngest.AgeAtReceipt {
			youngest, from = s, at
		}
		if ctx.Err() != nil || from == at && !s.Overdue(s.Received) {
			break // the caller has gone, and the others are not to blame; or this will do
		}
		if !elsewhere(err) {
			said++
		}
		if c.Sharded && said >= shard.Copies {
			break // who computes the workload has nothing better; the others even less
		}
	}
	if from < 0 {
		return forecast.Snapshot{}, fmt.Errorf("asking for %s: %w", workload, errors.Join(errs...))
	}
	c.preferred.Store(int32(from)) //nolint:gosec // an index of a short list
	return youngest, nil
}

// order is whom to ask, first things first. Shards are asked by rank even
// beyond the two that should know: while their number is being changed, those
// that go by another number rank the ones they share alike.
func (c *Client) order(workload string) []int {
	if c.Sharded {
		return shard.Rank(workload, len(c.endpoints))
	}
	order := make([]int, len(c.endpoints))
	for i := range order {
		order[i] = (int(c.preferred.Load()) + i) % len(order)
	}
	return order
}

// elsewhere reports whether an error leaves open what another forecaster knows
// of the workload.
func elsewhere(err error) bool {
	var down *unreachable
	return errors.Is(err, forecast.ErrElsewhere) || errors.Is(err, errLeftAlone) || errors.As(err, &down)
}

// try asks one endpoint unless it is being left alone, and notes how it went.
func (c *Client) try(ctx context.Context, e *endpoint, workload string) (forecast.Snapshot, error) {
	if err := e.admits(time.Now()); err != nil {
		c.metrics.failed(reasonLeftAlone)
		return forecast.Snapshot{}, err
	}
	begin := time.Now()
	s, err := c.ask(ctx, e, workload)
	c.metrics.duration.Observe(time.Since(begin).Seconds())
	if err != nil && ctx.Err() != nil {
		e.abandoned()
		return s, err
	}
	if err != nil {
		c.metrics.failed(reason(err))
	}
	c.settle(ctx, e, err)
	return s, err
}

// settle tells the endpoint how it did, and the log when that changed.
func (c *Client) settle(ctx context.Context, e *endpoint, err error) {
	if errors.Is(err, forecast.ErrDenied) && c.mayComplain(time.Now()) {
		c.Log.ErrorContext(ctx, "forecaster does not let this scaler in", "forecaster", e.host, "err", err)
	}
	var bad *unreachable
	if !errors.As(err, &bad) {
		if e.succeeded() {
			c.Log.InfoContext(ctx, "forecaster answers", "forecaster", e.host)
		}
		c.metrics.up.WithLabelValues(e.host).Set(1)
		return
	}
	news := e.failed(time.Now(), bad)
	if bad.throttled {
		if news {
			c.Log.WarnContext(ctx, "forecaster asks for patience", "forecaster", e.host, "err", err)
		}
		if errors.Is(err, forecast.ErrBusy) { // its own words: it is alive; a proxy's leave that open
			c.metrics.up.WithLabelValues(e.host).Set(1)
		}
		return
	}
	if news {
		c.Log.WarnContext(ctx, "forecaster cannot be reached", "forecaster", e.host, "err", err)
	}
	c.metrics.up.WithLabelValues(e.host).Set(0)
}

// complainEvery is how often the log says that forecasters let nobody in: each
// workload's question finds it out anew.
const complainEvery = time.Minute

func (c *Client) mayComplain(now time.Time) bool {
	last := c.complained.Load()
	return now.UnixNano()-last >= int64(complainEvery) && c.complained.CompareAndSwap(last, now.UnixNano())
}

// newHTTP never follows a redirect, which could carry the token elsewhere, and
// goes through no proxy: a forecaster is in the same cluster.
func newHTTP(config *tls.Config) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			TLSClientConfig:        config,
			MaxIdleConnsPerHost:    64,
			IdleConnTimeout:        20 * time.Second, // longer than between two refreshes of one workload; what a crowd of them opened is closed within half a minute
			TLSHandshakeTimeout:    5 * time.Second,
			MaxResponseHeaderBytes: 64 << 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// validate reports every option that cannot work.
func (o Options) validate() error {
	var errs []error
	if len(o.URLs) == 0 {
		errs = append(errs, errors.New("urls: at least one forecaster must be named"))
	}
	for _, u := range o.URLs {
		if err := CheckURL(u); err != nil {
			errs = append(errs, err)
		}
	}
	if o.Timeout <= 0 {
		errs = append(errs, fmt.Errorf("timeout=%v: must be positive", o.Timeout))
	}
	if o.Size <= 0 {
		errs = append(errs, fmt.Errorf("size=%d: must be positive", o.Size))
	}
	if o.Log == nil {
		errs = append(errs, errors.New("log: must be set"))
	}
	return errors.Join(errs...)
}

// CheckURL is nil if a forecaster can be asked at u.
func CheckURL(u *url.URL) error {
	bare := *u // what is left out may be a secret
	bare.User, bare.RawQuery, bare.Fragment = nil, "", ""
	switch {
	case u.Scheme != "http" && u.Scheme != "https", u.Host == "":
		return fmt.Errorf("%s: must be http://HOST or https://HOST", &bare)
	case u.User != nil:
		return fmt.Errorf("%s: must not hold a user or password: use a token file", &bare)
	case u.RawQuery != "" || u.Fragment != "":
		return fmt.Errorf("%s: must not hold a query or fragment", &bare)
	}
	return nil
}
