package prom

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/kedastral/kedastral/forecaster/adapters"
)

// rest is how long a connection lives on after its last question, and how
// often all that are idle are given up.
const rest = time.Minute

// signer puts on a request what says who asks.
type signer struct {
	headers         http.Header
	username        string
	token, password *credential
}

func newSigner(o Options) (signer, error) {
	s := signer{username: o.Username, headers: http.Header{"User-Agent": {"kedastral-forecaster"}}}
	var err error
	if s.token, err = newCredential("token", o.Token); err != nil {
		return s, err
	}
	if s.password, err = newCredential("password", o.Password); err != nil {
		return s, err
	}
	switch {
	case s.token != nil && (s.username != "" || s.password != nil):
		return s, errBoth
	case s.password != nil && s.username == "":
		return s, errors.New("a password without a user: must have both")
	case strings.Contains(s.username, ":"):
		return s, errors.New("a user with a colon: basic authentication cannot carry it")
	}
	for name, value := range o.Headers {
		if err := headerOK(name, value); err != nil {
			return s, err
		}
		s.headers.Set(name, value)
	}
	return s, nil
}

// headerOK refuses what is no header and those that are set elsewhere.
func headerOK(name, value string) error {
	for _, r := range name {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("!#$%&'*+-.^_`|~", r) {
			return fmt.Errorf("header %q: must be letters, digits and dashes", name)
		}
	}
	switch http.CanonicalHeaderKey(name) {
	case "":
		return fmt.Errorf("header %q: must have a name", name)
	case "Authorization", "Proxy-Authorization":
		return fmt.Errorf("header %s: must be given as token, or user and password", name)
	case "Host", "Content-Length", "Content-Type", "Content-Encoding", "Transfer-Encoding", "Connection", "Accept-Encoding", "Expect", "Trailer", "Upgrade", "Te":
		return fmt.Errorf("header %s: belongs to the connection and cannot be set", name)
	}
	return usable("header "+name, value)
}

func (s signer) secrets() []*credential { return []*credential{s.token, s.password} }

func (s signer) sign(r *http.Request) {
	maps.Copy(r.Header, s.headers)
	switch {
	case s.token != nil:
		r.Header.Set("Authorization", "Bearer "+s.token.get())
	case s.username != "":
		r.SetBasicAuth(s.username, s.password.get())
	}
}

// transport signs requests, bounds answers and gives up old connections.
type transport struct {
	signer
	next  *http.Transport
	limit int64

	mu     sync.Mutex
	rested time.Time
}

func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	t.rest()
	r = r.Clone(r.Context())
	t.sign(r)
	resp, err := t.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden {
		t.token.doubt()
		t.password.doubt()
	}
	// The body is the decompressed one: the transport undoes gzip by itself.
	resp.Body = &bounded{ReadCloser: resp.Body, limit: t.limit, left: t.limit}
	return resp, nil
}

// CloseIdleConnections lets the client give up what is idle.
func (t *transport) CloseIdleConnections() { t.next.CloseIdleConnections() }

func (t *transport) rest() {
	t.mu.Lock()
	due := time.Since(t.rested) >= rest
	if due {
		t.rested = time.Now()
	}
	t.mu.Unlock()
	if due {
		t.next.CloseIdleConnections()
	}
}

// marked is a copy of a TLS configuration whose own check of the server's
// certificate, if it has one, fails with an error that can be told from others.
func marked(config *tls.Config) *tls.Config {
	if config == nil || config.VerifyConnection == nil {
		return config.Clone()
	}
	check := config.VerifyConnection
	config = config.Clone()
	config.VerifyConnection = func(cs tls.ConnectionState) error {
		if err := check(cs); err != nil {
			return untrustedError{err}
		}
		return nil
	}
	return config
}

type untrustedError struct{ error }

func (u untrustedError) Unwrap() error { return u.error }

// bounded is a body that may be read up to a limit and fails beyond.
type bounded struct {
	io.ReadCloser
	limit, left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, tooLarge(b.limit)
	}
	return n, err
}

func tooLarge(limit int64) error {
	size := fmt.Sprintf("%d bytes", limit)
	if limit >= 1<<20 && limit%(1<<20) == 0 {
		size = fmt.Sprintf("%d MiB", limit>>20)
	}
	return &adapters.Fault{
		Class: adapters.ErrConfig, Reason: adapters.ReasonTooLarge,
		Text: "response over " + size + ": aggregate the query to one series, or shorten the window",
	}
}
