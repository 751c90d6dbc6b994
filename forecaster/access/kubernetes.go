package access

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
	"slices"
	"time"

	"github.com/kedastral/kedastral/shared/tokenfile"
)

// KubernetesOptions say which API server to ask, and as whom.
type KubernetesOptions struct {
	URL       *url.URL
	TLS       *tls.Config // nil is the system's
	TokenFile string      // of the one who asks, who needs the ClusterRole system:auth-delegator
	Audience  string      // that a token must be made for
}

// Kubernetes is a [Reviewer] that asks the API server by the TokenReview of
// authentication.k8s.io/v1. It is the one question this program has to it, and
// a stable one: the official client would double the binary for it.
type Kubernetes struct {
	address  string
	audience string
	token    *tokenfile.File
	http     *http.Client
}

// NewKubernetes makes the client; it does not connect.
func NewKubernetes(o KubernetesOptions) (*Kubernetes, error) {
	token, err := tokenfile.Open(o.TokenFile)
	if err != nil {
		return nil, err
	}
	return &Kubernetes{
		address: o.URL.JoinPath("apis/authentication.k8s.io/v1/tokenreviews").String(), audience: o.Audience, token: token,
		http: &http.Client{
			Transport:     &http.Transport{TLSClientConfig: o.TLS, MaxIdleConnsPerHost: 16, IdleConnTimeout: 90 * time.Second},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // it would carry tokens elsewhere
		},
	}, nil
}

// tokenReview is what of a TokenReview matters here.
type tokenReview struct {
	APIVersion string       `json:"apiVersion"`
	Kind       string       `json:"kind"`
	Spec       reviewSpec   `json:"spec"`
	Status     reviewStatus `json:"status,omitzero"`
}

type reviewSpec struct {
	Token     string   `json:"token"`
	Audiences []string `json:"audiences"`
}

type reviewStatus struct {
	Authenticated bool `json:"authenticated"`
	User          struct {
		Username string `json:"username"`
	} `json:"user"`
	Audiences []string `json:"audiences"`
}

const longestReview = 1 << 20 // bytes of an answer

// Review implements [Reviewer]. A server that does not know audiences answers
// without ours, and its word is then not taken.
func (k *Kubernetes) Review(ctx context.Context, token string) (string, error) {
	body, err := json.Marshal(tokenReview{
		APIVersion: "authentication.k8s.io/v1", Kind: "TokenReview", Spec: reviewSpec{token, []string{k.audience}},
	})
	if err != nil {
		return "", fmt.Errorf("writing a token review: %w", err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, k.address, bytes.NewReader(body))
	if err != nil {
		return "", fmt.Errorf("making a token review: %w", err)
	}
	own, _ := k.token.Token() // one that cannot be read again stands until the server refuses it
	r.Header.Set("Authorization", "Bearer "+own)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json")
	resp, err := k.http.Do(r)
	if err != nil {
		return "", fmt.Errorf("asking for a token review: %w", err)
	}
	defer resp.Body.Close()
	return k.verdict(resp)
}

var (
	errNotAllowed = errors.New("this process may not ask: bind its service account to the ClusterRole system:auth-delegator")
	errOwnToken   = errors.New("this process's own token is not valid")
)

// verdict is the user of an answer. What a server says to anything but 201 is
// not repeated: it may hold what it was sent.
func (k *Kubernetes) verdict(resp *http.Response) (string, error) {
	text, err := io.ReadAll(io.LimitReader(resp.Body, longestReview))
	switch {
	case resp.StatusCode == http.StatusUnauthorized:
		k.token.Expire()
		return "", fmt.Errorf("token review: HTTP status 401: %w", errOwnToken)
	case resp.StatusCode == http.StatusForbidden:
		return "", fmt.Errorf("token review: HTTP status 403: %w", errNotAllowed)
	case resp.StatusCode != http.StatusCreated && resp.StatusCode != http.StatusOK:
		return "", fmt.Errorf("token review: HTTP status %d", resp.StatusCode)
	case err != nil:
		return "", fmt.Errorf("reading a token review: %w", err)
	}
	var review tokenReview
	if json.Unmarshal(text, &review) != nil || review.Kind != "TokenReview" {
		return "", errors.New("reading a token review: the answer is none")
	}
	if s := review.Status; s.Authenticated && slices.Contains(s.Audiences, k.audience) {
		return s.User.Username, nil
	}
	return "", nil
}
