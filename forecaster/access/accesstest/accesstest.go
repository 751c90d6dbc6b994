// Package accesstest is a Kubernetes API server that knows one thing: whose a
// token is.
package accesstest

import (
	"crypto/tls"
	"encoding/json"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/kedastral/kedastral/shared/tlsconfig/tlstest"
)

// Audience is the one that its tokens are made for.
const Audience = "kedastral-forecaster"

// Server reviews tokens over TLS.
type Server struct {
	URL       string
	CAFile    string // the authority of its certificate
	TokenFile string // of a token that may ask

	mu     sync.Mutex
	users  map[string]string
	status int
	hang   chan struct{} // closed when it answers again; nil when it does
	asked  int
}

const reviewer = "reviewerS3cret"

// New starts one that knows whose the tokens are.
func New(t testing.TB, users map[string]string) *Server {
	t.Helper()
	ours := tlstest.NewAuthority(t, "cluster", time.Hour)
	leaf := tlstest.Server("kubernetes")
	leaf.IP = net.IPv4(127, 0, 0, 1)
	files := tlstest.NewDir(t, ours, ours, leaf)
	files.Write(t, "token", []byte(reviewer+"\n"))
	s := &Server{CAFile: files.Path("ca.crt"), TokenFile: files.Path("token"), users: users}
	server := httptest.NewUnstartedServer(http.HandlerFunc(s.review))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{ours.Certificate(t, leaf)}}
	server.StartTLS()
	t.Cleanup(func() { s.Answer(); server.Close() })
	s.URL = server.URL
	return s
}

// Answer has it answer again as it should.
func (s *Server) Answer() { s.set(0, false) }

// Fail has it answer everything with the status.
func (s *Server) Fail(status int) { s.set(status, false) }

// Hang has it answer nothing.
func (s *Server) Hang() { s.set(0, true) }

func (s *Server) set(status int, hang bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hang != nil {
		close(s.hang)
		s.hang = nil
	}
	if s.status = status; hang {
		s.hang = make(chan struct{})
	}
}

// Revoke forgets a token.
func (s *Server) Revoke(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.users, token)
}

// Asked is how many reviews were asked for.
func (s *Server) Asked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
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
	s.mu.Lock()
	s.asked++
	status, hang := s.status, s.hang
	s.mu.Unlock()
	if hang != nil {
		select {
		case <-hang:
		case <-r.Context().Done():
		}
		return
	}
	var v review
	switch err := json.NewDecoder(r.Body).Decode(&v); {
	case status != 0:
		http.Error(w, "you sent "+v.Spec.Token+" as "+r.Header.Get("Authorization"), status)
		return
	case r.Method != http.MethodPost || r.URL.Path != "/apis/authentication.k8s.io/v1/tokenreviews":
		http.NotFound(w, r)
		return
	case r.Header.Get("Authorization") != "Bearer "+reviewer:
		http.Error(w, "who are you?", http.StatusUnauthorized)
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
