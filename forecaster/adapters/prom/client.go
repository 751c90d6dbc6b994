package prom

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/api"

	"github.com/kedastral/kedastral/forecaster/adapters"
)

// client stands between the official client and the network for one adapter:
// it asks for whole answers, and sees in an answer what the official client
// does not report.
type client struct {
	api.Client
	a *Adapter
}

// URL adds the parameters by which Thanos and VictoriaMetrics fail a question
// that they could only answer in part. Others ignore them.
func (c client) URL(endpoint string, args map[string]string) *url.URL {
	u := c.Client.URL(endpoint, args)
	q := u.Query()
	q.Set("partial_response", "false")
	q.Set("deny_partial_response", "1")
	u.RawQuery = q.Encode()
	return u
}

// Do asks, and turns everything but a whole answer into a fault. The response
// is returned with it: the official client asks again by GET where POST is
// forbidden, and goes by the status.
func (c client) Do(ctx context.Context, r *http.Request) (*http.Response, []byte, error) {
	sent := time.Now()
	before := c.a.now()
	resp, body, err := c.Client.Do(ctx, r)
	if err != nil {
		err = c.a.broken(ctx, err)
	} else {
		c.a.skew = skew(resp.Header, before, c.a.now())
		err = c.judge(resp, body)
	}
	c.a.server.metrics.asked(time.Since(sent), err)
	return resp, body, err
}

func (c client) judge(resp *http.Response, body []byte) error {
	if resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode == http.StatusServiceUnavailable {
		c.a.server.hush(retryAfter(resp.Header.Get("Retry-After"), time.Now()))
	}
	if resp.StatusCode != http.StatusOK {
		return c.a.refused(resp, body)
	}
	return c.a.whole(body)
}

// envelope is what is around a result. isPartial is VictoriaMetrics's.
type envelope struct {
	Status    string   `json:"status"`
	IsPartial bool     `json:"isPartial"`
	Warnings  []string `json:"warnings"`
	ErrorType string   `json:"errorType"`
	Error     string   `json:"error"`
	Data      struct {
		ResultType string `json:"resultType"`
	} `json:"data"`
}

// whole checks that a body is a whole answer of the right type. What is in it
// is left to the official client.
func (a *Adapter) whole(body []byte) error {
	var e envelope
	if err := json.Unmarshal(body, &e); err != nil {
		return a.fault(adapters.ErrTransient, adapters.ReasonBadResponse, "an answer that is not the API's: "+strange(body))
	}
	switch {
	case e.Status == "error":
		return a.fault(adapters.ErrTransient, adapters.ReasonServer, "an error"+a.said(e.ErrorType, e.Error))
	case e.Status != "success":
		return a.fault(adapters.ErrTransient, adapters.ReasonBadResponse, "an answer that is neither success nor error")
	case e.IsPartial:
		return a.fault(adapters.ErrPartial, adapters.ReasonPartial, "a partial answer: some of its storage did not take part")
	case len(e.Warnings) > 0:
		return a.fault(adapters.ErrPartial, adapters.ReasonPartial, "an answer with a warning, which may be partial"+a.said("", e.Warnings[0]))
	case e.Data.ResultType == "":
		return a.fault(adapters.ErrTransient, adapters.ReasonBadResponse, "an answer without a result")
	case e.Data.ResultType != "matrix":
		return a.fault(adapters.ErrConfig, adapters.ReasonResultType,
			"a result that is not a matrix"+a.said("", e.Data.ResultType)+": the query must give a series over a range")
	}
	return nil
}

// strange describes a body that is no answer without repeating it.
func strange(body []byte) string {
	switch text := bytes.TrimSpace(body); {
	case len(text) == 0:
		return "it is empty"
	case text[0] == '<':
		return "it is HTML; is this the address of Prometheus, with the path it lives under?"
	case text[0] != '{':
		return "it is not JSON; is this the address of Prometheus, with the path it lives under?"
	}
	return "it is cut off, or not the JSON it should be"
}

// retryAfter reads the header, in seconds or as a date; 0 is no wish.
func retryAfter(header string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(header, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(header); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}

// skew is how far the source's clock is ahead of ours, by the date of its
// answer, which has whole seconds and was written between the two instants.
func skew(h http.Header, before, after time.Time) time.Duration {
	at, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return 0
	}
	if age, err := strconv.ParseUint(h.Get("Age"), 10, 31); err == nil {
		at = at.Add(time.Duration(age) * time.Second) // it comes from a cache
	}
	switch {
	case at.After(after):
		return at.Sub(after)
	case at.Add(time.Second).Before(before):
		return at.Add(time.Second).Sub(before)
	}
	return 0
}
