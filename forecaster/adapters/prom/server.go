// Package prom reads history from Prometheus and what speaks its API: Thanos,
// Mimir, VictoriaMetrics.
//
// The one thing to know: an answer is taken whole or not at all. One that is
// partial, truncated, too large or of more than one series would pass for a
// smaller load, so each of these is a failed read with its reason. The caller
// keeps what it had.
//
// The other decisions of this room:
//
//   - A value evaluated at t describes the step that ended at t. A step counts
//     once it ended Settle ago: before that, its last scrapes may be missing.
//   - After the first read only new steps are asked for, and a few known ones
//     again, since the newest may still have changed. A read after an outage
//     begins before it, so that what the source caught up on is not lost. If
//     the series itself has changed, everything is read again: the frame is
//     what a process that starts now would read.
//   - A fault that may heal is tried once more within the same read, after a
//     pause. What the source asks to be left alone for (Retry-After) is kept
//     for all workloads, at most a minute.
//   - Redirects are not followed, not even to the same host: they would turn
//     the question into another one or carry the credentials elsewhere. The
//     error names the host to configure.
//   - Connections are given up every minute, so that the name is resolved
//     anew and a source that moved is found.
//   - No text of this room quotes a query, a credential or the source's own
//     words where they repeat one of these.
package prom

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/api"
)

// Options say where a Prometheus is and how to talk to it.
type Options struct {
	// URL is its http or https address with the path it lives under, if any.
	// A user and password in it are used as Username and Password; parameters
	// in it are sent with every question.
	URL      string
	Token    Secret // bearer token
	Username string // for basic authentication, with Password
	Password Secret
	Headers  map[string]string // sent along, such as X-Scope-OrgID
	TLS      *tls.Config       // of an https URL; nil is the system's trust

	Timeout    time.Duration // of one question; 10 s if zero
	MaxBytes   int64         // of one answer, decompressed; 4 MiB if zero
	RetryPause time.Duration // before the second try, give or take half; 500 ms if zero

	// Dial connects; nil is the usual way.
	Dial    func(ctx context.Context, network, address string) (net.Conn, error)
	Metrics *Metrics // nil measures nothing
}

// Server is one Prometheus. Adapters of many workloads share its connections.
type Server struct {
	client  api.Client
	host    string   // to name it in errors
	private []string // what no text may contain
	secrets []*credential
	timeout time.Duration
	pause   time.Duration
	metrics *Metrics

	mu    sync.Mutex
	quiet time.Time // no questions before: the source asked for it
}

// NewServer checks the options and reads the credentials. It does not connect.
func NewServer(o Options) (*Server, error) {
	address, err := o.address()
	if err != nil {
		return nil, fmt.Errorf("the address of Prometheus: %w", err)
	}
	o.defaults()
	if o.Timeout < 0 || o.MaxBytes < 0 || o.RetryPause < 0 {
		return nil, fmt.Errorf("timeout %v, limit of %d bytes, pause %v: must not be negative", o.Timeout, o.MaxBytes, o.RetryPause)
	}
	if o.TLS != nil && address.Scheme != "https" {
		return nil, fmt.Errorf("TLS settings for an address of %s: must be https", address.Scheme)
	}
	sign, err := newSigner(o)
	if err != nil {
		return nil, fmt.Errorf("the credentials for Prometheus at %s: %w", address.Host, err)
	}
	client, err := api.NewClient(api.Config{Address: address.String(), Client: &http.Client{
		Transport: &transport{next: o.transport(), signer: sign, limit: o.MaxBytes},
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		},
	}})
	if err != nil {
		return nil, fmt.Errorf("the address of Prometheus: %w", cause(err))
	}
	return &Server{
		client: client, host: address.Host, secrets: sign.secrets(), private: o.private(address),
		timeout: o.Timeout, pause: o.RetryPause, metrics: o.Metrics,
	}, nil
}

// CheckURL says why an address cannot be Prometheus's. It repeats no user and
// no password.
func CheckURL(address string) error {
	_, err := parse(address)
	return err
}

func parse(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return nil, fmt.Errorf("must be a URL: %w", cause(err))
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("scheme %q: must be http or https", u.Scheme)
	case u.Host == "" || u.Hostname() == "":
		return nil, errors.New("no host: must be http(s)://host[:port][/path]")
	case u.Fragment != "":
		return nil, errors.New("a # in it: must be http(s)://host[:port][/path]")
	}
	return u, nil
}

// address is the URL without its user, who moves to the other options.
func (o *Options) address() (*url.URL, error) {
	u, err := parse(o.URL)
	if err != nil {
		return nil, err
	}
	if u.User != nil {
		if o.Username != "" || o.Token.set() {
			return nil, errors.New("a user in it and other credentials besides: must be one of them")
		}
		o.Username = u.User.Username()
		o.Password.Value, _ = u.User.Password()
		u.User = nil
	}
	return u, nil
}

// largest is more than an answer needs and little enough that as many as are
// read at a time, each several times its size while it is decoded, leave the
// process alive: a question has at most maxPoints answers of some fifty bytes,
// so seven series still fit, and are told to be too many.
const largest = 4 << 20

func (o *Options) defaults() {
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Second
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = largest
	}
	if o.RetryPause == 0 {
		o.RetryPause = 500 * time.Millisecond
	}
	if o.Metrics == nil {
		o.Metrics = NewMetrics(nil)
	}
}

// private are the settings that no text may contain.
func (o *Options) private(address *url.URL) []string {
	words := []string{o.Username}
	for _, v := range o.Headers {
		words = append(words, v)
	}
	for _, vs := range address.Query() {
		words = append(words, vs...)
	}
	return words
}

func (o *Options) transport() *http.Transport {
	dial := o.Dial
	if dial == nil {
		dial = (&net.Dialer{Timeout: o.Timeout, KeepAlive: 30 * time.Second}).DialContext
	}
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            dial,
		TLSClientConfig:        marked(o.TLS),
		TLSHandshakeTimeout:    o.Timeout,
		ForceAttemptHTTP2:      true,
		MaxIdleConnsPerHost:    16,
		IdleConnTimeout:        rest,
		MaxResponseHeaderBytes: 256 << 10,
	}
}

// Close gives up the idle connections.
func (s *Server) Close() {
	if c, ok := s.client.(api.CloseIdler); ok {
		c.CloseIdleConnections()
	}
}

// hides reports whether a text, in lower case, contains something that must
// not be shown.
func (s *Server) hides(text string) bool {
	for _, word := range s.private {
		if word != "" && strings.Contains(text, strings.ToLower(word)) {
			return true
		}
	}
	for _, c := range s.secrets {
		if word := c.last(); word != "" && strings.Contains(text, strings.ToLower(word)) {
			return true
		}
	}
	return false
}
