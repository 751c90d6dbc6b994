package access_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/kedastral/kedastral/forecaster/access"
	"github.com/kedastral/kedastral/forecaster/access/accesstest"
	"github.com/kedastral/kedastral/forecaster/kubernetes/kubernetestest"
)

const token = "tokenS3cret"

func reviewing(t *testing.T, server *accesstest.Server, audience string) access.Kubernetes {
	t.Helper()
	return access.Kubernetes{Server: server.Ask(t), Audience: audience}
}

func TestReview(t *testing.T) {
	server := accesstest.New(t, map[string]string{token: scaler})
	if user, err := reviewing(t, server, accesstest.Audience).Review(t.Context(), token); user != scaler || err != nil {
		t.Errorf("Review = %q, %v; want %q", user, err, scaler)
	}
	if user, err := reviewing(t, server, "somebody-else").Review(t.Context(), token); user != "" || err != nil {
		t.Errorf("Review for another audience = %q, %v; want nobody", user, err)
	}
	if user, err := reviewing(t, server, accesstest.Audience).Review(t.Context(), "forged"); user != "" || err != nil {
		t.Errorf("Review of a forged token = %q, %v; want nobody", user, err)
	}
}

// Whatever the server says, no token is repeated, and what a person can mend is
// said.
func TestReviewsThatFail(t *testing.T) {
	server := accesstest.New(t, map[string]string{token: scaler})
	for status, want := range map[int]string{
		http.StatusUnauthorized: "own token", http.StatusForbidden: "system:auth-delegator", http.StatusTooManyRequests: "429",
		http.StatusInternalServerError: "500", http.StatusFound: "302",
	} {
		server.Fail(status)
		user, err := reviewing(t, server, accesstest.Audience).Review(t.Context(), token)
		if user != "" || err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "S3cret") {
			t.Errorf("status %d: Review = %q, %v; want %q and no token", status, user, err, want)
		}
	}
}

// An answer that is none, or of a server that does not know audiences, lets
// nobody in.
func TestAnswersThatSayNothing(t *testing.T) {
	for answer, fails := range map[string]bool{
		``: true, `{}`: true, `<html>`: true, `[]`: true, `{"kind":"Status"}`: true,
		`{"kind":"TokenReview","status":{"authenticated":"yes"}}`: true,
		`{"kind":"TokenReview"}`:                                  false,
		`{"kind":"TokenReview","status":{"authenticated":true,"user":{"username":"` + scaler + `"}}}`:                              false,
		`{"kind":"TokenReview","status":{"authenticated":true,"user":{"username":"` + scaler + `"},"audiences":["other"]}}`:        false,
		`{"kind":"TokenReview","status":{"user":{"username":"` + scaler + `"},"audiences":["kedastral-forecaster"]}}`:              false,
		`{"kind":"TokenReview","status":{"authenticated":true,"audiences":["kedastral-forecaster"]}}` + strings.Repeat(" ", 2<<20): false,
		strings.Repeat(" ", 2<<20) + `{"kind":"TokenReview","status":{"authenticated":true,"audiences":["kedastral-forecaster"]}}`: true,
	} {
		server := kubernetestest.New(t, token, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusCreated)
			_, _ = w.Write([]byte(answer))
		})
		k := access.Kubernetes{Server: server.Ask(t), Audience: accesstest.Audience}
		if user, err := k.Review(t.Context(), token); user != "" || (err != nil) != fails {
			t.Errorf("%.100s: Review = %q, %v; want nobody, an error %t", answer, user, err, fails)
		}
	}
}
