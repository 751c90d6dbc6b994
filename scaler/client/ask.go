package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/kedastral/kedastral/shared/forecast"
)

// unreachable is an endpoint's own failure, whatever the workload: it is not
// there, or there and asks for patience.
type unreachable struct {
	err        error
	throttled  bool          // by it or by what lies between
	leaveAlone time.Duration // as it asked
}

// Error is the failure's.
func (u *unreachable) Error() string { return u.err.Error() }

// Unwrap is the failure.
func (u *unreachable) Unwrap() error { return u.err }

// ask puts one question to one endpoint.
func (c *Client) ask(ctx context.Context, e *endpoint, workload string) (forecast.Snapshot, error) {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	before, seen := c.known.Get(workload)
	seen = seen && before.from == e
	req, err := c.request(ctx, e, workload)
	if err != nil {
		return forecast.Snapshot{}, err
	}
	if seen {
		req.Header.Set("If-None-Match", before.etag)
	}
	var sent atomic.Pointer[time.Time]
	resp, err := c.http.Do(req.WithContext(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) {
			now := c.Now()
			sent.Store(&now)
		},
	})))
	if err != nil {
		return forecast.Snapshot{}, &unreachable{err: private(err)}
	}
	defer resp.Body.Close()
	s, err := c.read(resp, e, workload)
	if errors.Is(err, errUnchanged) && seen {
		s, err = before.snapshot, nil
	}
	if err != nil {
		return forecast.Snapshot{}, err
	}
	return c.stamp(s, resp.Header, *sent.Load()), nil
}

func (c *Client) request(ctx context.Context, e *endpoint, workload string) (*http.Request, error) {
	u := *e.base
	u.RawQuery = url.Values{"workload": {workload}}.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("making the request: %w", err)
	}
	req.Header.Set("Accept", "application/json, "+forecast.ProblemType)
	req.Header.Set("User-Agent", "kedastral-scaler")
	if c.token != nil {
		bearer, err := c.token.Token()
		if err != nil {
			c.Log.WarnContext(ctx, "token unreadable, the last one stands", "err", err)
		}
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	return req, nil
}

var (
	// errUnchanged is a 304: the snapshot that is known is still the latest.
	errUnchanged = errors.New("HTTP status 304 without having been asked for changes")
	// errRedirect is a 3xx.
	errRedirect = errors.New("answers with a redirect, which is not followed: name the final address")
)

// read makes a snapshot or an error of a response.
func (c *Client) read(resp *http.Response, e *endpoint, workload string) (forecast.Snapshot, error) {
	switch code := resp.StatusCode; {
	case code == http.StatusOK:
		return c.decode(resp, e, workload)
	case code == http.StatusNotModified:
		return forecast.Snapshot{}, errUnchanged
	case code == http.StatusTooManyRequests:
		return forecast.Snapshot{}, &unreachable{forecast.ReadProblem(resp), true, retryAfter(resp.Header, c.Now())}
	case code == http.StatusBadGateway, code == http.StatusServiceUnavailable, code == http.StatusGatewayTimeout:
		err := forecast.ReadProblem(resp)
		if forecast.Status(err) == http.StatusInternalServerError {
			err = &unreachable{err: err} // no words of a forecaster's: a proxy speaks for one that it cannot reach
		}
		return forecast.Snapshot{}, err
	case code >= 300 && code < 400:
		return forecast.Snapshot{}, fmt.Errorf("HTTP status %d: %w", code, errRedirect)
	case code == http.StatusUnauthorized && c.token != nil:
		c.token.Expire()
	}
	return forecast.Snapshot{}, forecast.ReadProblem(resp)
}

// retryAfter is for how long an answer asks to be left alone: so many seconds,
// or until a date by the clock that dated the answer.
func retryAfter(h http.Header, now time.Time) time.Duration {
	wish := h.Get("Retry-After")
	if seconds, err := strconv.Atoi(wish); err == nil {
		return time.Duration(min(max(seconds, 0), 3600)) * time.Second
	}
	until, err := http.ParseTime(wish)
	if err != nil {
		return 0
	}
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date
	}
	return max(0, until.Sub(now))
}

// decode reads a snapshot, checks that it is the one asked for and remembers it
// by its tag.
func (c *Client) decode(resp *http.Response, e *endpoint, workload string) (forecast.Snapshot, error) {
	s, err := forecast.Decode(resp.Body, forecast.MaxBytes)
	switch {
	case err != nil && !errors.Is(err, forecast.ErrInvalid):
		return forecast.Snapshot{}, &unreachable{err: private(err)} // it stopped in the middle
	case err != nil:
		return forecast.Snapshot{}, err
	}
	if err := s.Answers(workload); err != nil {
		return forecast.Snapshot{}, err
	}
	s = bare(s)
	if etag := resp.Header.Get("ETag"); etag != "" && len(etag) <= 128 {
		c.known.Add(workload, known{e, etag, s})
	}
	return s, nil
}

// bare is a snapshot without what no answer to KEDA is made from. The load and
// its quantiles are nine tenths of it, and a scaler may hold ten thousand.
func bare(s forecast.Snapshot) forecast.Snapshot {
	s.Values, s.Quantiles, s.ForecastPlan, s.Skill, s.Observed = nil, nil, nil, nil, nil
	s.Metric, s.Model, s.Reason = "", "", ""
	s.DesiredReplicas = slices.Clone(s.DesiredReplicas) // decoding leaves it up to twice as large
	return s
}

// stamp writes on a snapshot how old it was when the question was sent, which is
// when there was a connection to send it on: one may take seconds to come about. A snapshot
// from the future by this machine's clock counts from now, or no later one
// would be taken for newer once the clocks agree again.
func (c *Client) stamp(s forecast.Snapshot, h http.Header, sent time.Time) forecast.Snapshot {
	s.Received, s.AgeAtReceipt = sent, age(s, h, sent)
	if s.GeneratedAt.After(sent) {
		c.metrics.future.Inc()
		s.GeneratedAt = sent.UTC().Truncate(s.Step())
	}
	return s
}

// age is the snapshot's age by the forecaster's clock: as it says, or by the
// date of its answer, or, if it tells neither, by this machine's clock.
func age(s forecast.Snapshot, h http.Header, now time.Time) time.Duration {
	const most = 100 * 365 * 24 * 3600
	if seconds, err := strconv.Atoi(h.Get(forecast.AgeHeader)); err == nil && seconds >= 0 && seconds <= most {
		return time.Duration(seconds) * time.Second
	}
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date
	}
	return max(0, now.Sub(s.GeneratedAt))
}

// private is an HTTP client's error without the URL that net/http puts in.
func private(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("closed the connection: %w", err)
	}
	return err
}
