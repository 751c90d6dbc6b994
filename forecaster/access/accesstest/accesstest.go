// Package accesstest is a Kubernetes API server that knows one thing: whose a
// token is.
package accesstest

import (
	"encoding/json"
	"net/http"
	"slices"
	"sync"
	"testing"

	"github.com/kedastral/kedastral/forecaster/kubernetes/kubernetestest"
)

// Audience is the one that its tokens are made for.
const Audience = "kedastral-forecaster"

// Server reviews tokens.
type Server struct {
	*kubernetestest.Server

	mu    sync.Mutex
	users map[string]string
}

// New starts one that knows whose the tokens are.
func New(t testing.TB, users map[string]string) *Server {
	t.Helper()
	s := &Server{users: users}
	s.Server = kubernetestest.New(t, "reviewerS3cret", s.review)
	return s
}

// Revoke forgets a token.
func (s *Server) Revoke(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.users, token)
}

type review struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Spec       struct {
		Token     string   `json:"token,omitempty"`
		Audiences []string `json:"audiences,omitempty"`
	} `json:"spec"`
	Status struct {
		Authenticated bool `json:"authenticated,omitempty"`
		User          struct {
			Username string `json:"username,omitempty"`
		} `json:"user"`
		Audiences []string `json:"audiences,omitempty"`
		Error     string   `json:"error,omitempty"`
	} `json:"status"`
}

func (s *Server) review(w http.ResponseWriter, r *http.Request) {
	var v review
	err := json.NewDecoder(r.Body).Decode(&v)
	switch {
	case r.Method != http.MethodPost || r.URL.Path != "/apis/authentication.k8s.io/v1/tokenreviews":
		http.NotFound(w, r)
		return
	case err != nil || v.APIVersion != "authentication.k8s.io/v1" || v.Kind != "TokenReview" || v.Spec.Token == "":
		http.Error(w, "no token review", http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	user := s.users[v.Spec.Token]
	s.mu.Unlock()
	if user != "" && slices.Contains(v.Spec.Audiences, Audience) {
		v.Status.Authenticated, v.Status.User.Username, v.Status.Audiences = true, user, []string{Audience}
	} else {
		v.Status.Error = "token " + v.Spec.Token + " is not valid"
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	_ = json.NewEncoder(w).Encode(v)
}
