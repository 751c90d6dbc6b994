package access

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/kedastral/kedastral/forecaster/kubernetes"
)

// Kubernetes is a [Reviewer] that asks the API server by the TokenReview of
// authentication.k8s.io/v1. Its own token needs the ClusterRole
// system:auth-delegator.
type Kubernetes struct {
	Server   *kubernetes.Server
	Audience string // that a token must be made for
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

var errNotAllowed = errors.New("this process may not ask: bind its service account to the ClusterRole system:auth-delegator")

// Review implements [Reviewer]. A server that does not know audiences answers
// without ours, and its word is then not taken.
func (k Kubernetes) Review(ctx context.Context, token string) (string, error) {
	answer, err := k.Server.Ask(ctx, kubernetes.Question{
		Method: http.MethodPost, Path: "apis/authentication.k8s.io/v1/tokenreviews", Kind: "application/json",
		Body: tokenReview{APIVersion: "authentication.k8s.io/v1", Kind: "TokenReview", Spec: reviewSpec{token, []string{k.Audience}}},
	})
	switch {
	case kubernetes.Refused(err) == http.StatusForbidden:
		return "", fmt.Errorf("asking for a token review: %w: %w", err, errNotAllowed)
	case err != nil:
		return "", fmt.Errorf("asking for a token review: %w", err)
	}
	var review tokenReview
	if json.Unmarshal(answer, &review) != nil || review.Kind != "TokenReview" {
		return "", errors.New("reading a token review: the answer is none")
	}
	if s := review.Status; s.Authenticated && slices.Contains(s.Audiences, k.Audience) {
		return s.User.Username, nil
	}
	return "", nil
}
