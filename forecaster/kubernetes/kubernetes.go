// Package kubernetes asks the cluster's API server the few things that the
// forecaster wants to know of it.
//
// The one thing to know: no error repeats what was sent or what came back, for
// either may hold a token. There are two kinds of questions, whose a token is and
// who holds a Lease, and both are stable; the official client would double the
// binary for them.
package kubernetes

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/kedastral/kedastral/shared/tokenfile"
)

// Options say which API server to ask, and as whom.
type Options struct {
	URL       *url.URL
	TLS       *tls.Config // nil is the system's
	TokenFile string      // of the one who asks, read again as it is rotated
}

// Server is an API server. It is safe for concurrent use.
type Server struct {
	base  *url.URL
	token *tokenfile.File
	http  *http.Client
}

// New makes the client; it does not connect.
func New(o Options) (*Server, error) {
	token, err := tokenfile.Open(o.TokenFile)
	if err != nil {
		return nil, err
	}
	return &Server{
		base: o.URL, token: token,
		http: &http.Client{
			Transport:     &http.Transport{TLSClientConfig: o.TLS, MaxIdleConnsPerHost: 16, IdleConnTimeout: 90 * time.Second},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // it would carry tokens elsewhere
		},
	}, nil
}

// Refusal is an answer of any status but 200 and 201.
type Refusal struct{ Status int }

// Error implements error.
func (r *Refusal) Error() string {
	if r.Status == http.StatusUnauthorized {
		return "HTTP status 401: this process's own token is not valid"
	}
	return fmt.Sprintf("HTTP status %d", r.Status)
}

// Refused is the status of the [Refusal] in err, 0 where there is none.
func Refused(err error) int {
	if r, ok := errors.AsType[*Refusal](err); ok {
		return r.Status
	}
	return 0
}

const longest = 1 << 20 // bytes of an answer

// Question is one request.
type Question struct {
	Method string
	Path   string // below the server's address, without a slash before it
	Kind   string // of the document, such as application/json
	Body   any    // the document; nil sends none
}

// Ask returns the document that is the answer, at most 1 MiB of it.
func (s *Server) Ask(ctx context.Context, q Question) ([]byte, error) {
	body := new(bytes.Buffer)
	if q.Body != nil {
		if err := json.NewEncoder(body).Encode(q.Body); err != nil {
			return nil, fmt.Errorf("writing a question: %w", err)
		}
	}
	r, err := http.NewRequestWithContext(ctx, q.Method, s.base.JoinPath(q.Path).String(), body)
	if err != nil {
		return nil, fmt.Errorf("making a question: %w", err)
	}
	own, _ := s.token.Token() // one that cannot be read again stands until the server refuses it
	r.Header.Set("Authorization", "Bearer "+own)
	r.Header.Set("Accept", "application/json")
	if q.Kind != "" {
		r.Header.Set("Content-Type", q.Kind)
	}
	resp, err := s.http.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, longest))
	if code := resp.StatusCode; code != http.StatusOK && code != http.StatusCreated {
		if code == http.StatusUnauthorized {
			s.token.Expire()
		}
		return nil, &Refusal{Status: code}
	}
	return text, err
}
