// Package kubernetestest is the part of a Kubernetes API server that is the same
// whatever it is asked: it speaks TLS, knows one token, and fails when told to.
package kubernetestest

import (
	"bytes"
	"crypto/tls"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/kedastral/kedastral/forecaster/kubernetes"
	"github.com/kedastral/kedastral/shared/tlsconfig"
	"github.com/kedastral/kedastral/shared/tlsconfig/tlstest"
)

// Server is an API server over TLS.
type Server struct {
	URL       string
	CAFile    string // the authority of its certificate
	TokenFile string // of the token that may ask

	mu     sync.Mutex
	status int
	hang   chan struct{} // closed when it answers again; nil when it does
}

// New starts one, on an authority and a port of its own. Who shows the token is
// answered by answer.
func New(t testing.TB, token string, answer http.HandlerFunc) *Server {
	t.Helper()
	ours := tlstest.NewAuthority(t, "cluster", time.Hour)
	leaf := tlstest.Server("kubernetes")
	leaf.IP = net.IPv4(127, 0, 0, 1)
	files := tlstest.NewDir(t, ours, ours, leaf)
	files.Write(t, "token", []byte(token+"\n"))
	s := &Server{CAFile: files.Path("ca.crt"), TokenFile: files.Path("token")}
	server := httptest.NewUnstartedServer(s.serve(token, answer))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{ours.Certificate(t, leaf)}}
	server.StartTLS()
	t.Cleanup(func() { s.Answer(); server.Close() })
	s.URL = server.URL
	return s
}

// Ask is a client of it that has the token.
func (s *Server) Ask(t testing.TB) *kubernetes.Server {
	t.Helper()
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	secure, err := tlsconfig.ClientOrNone(tlsconfig.Files{CA: s.CAFile, ServerName: u.Hostname()}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	k, err := kubernetes.New(kubernetes.Options{URL: u, TLS: secure, TokenFile: s.TokenFile})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// Answer has it answer again as it should.
func (s *Server) Answer() { s.set(0, false) }

// Fail has it answer everything with the status, and repeat what it was sent.
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

func (s *Server) serve(token string, answer http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		status, hang := s.status, s.hang
		s.mu.Unlock()
		if hang != nil {
			select {
			case <-hang:
			case <-r.Context().Done():
			}
			return
		}
		sent, err := io.ReadAll(r.Body)
		if err != nil {
			return // the client left
		}
		own := r.Header.Get("Authorization")
		switch {
		case status != 0:
			http.Error(w, "you sent "+string(sent)+" as "+own, status)
		case own != "Bearer "+token:
			http.Error(w, "you are not known by "+own, http.StatusUnauthorized)
		default:
			r.Body = io.NopCloser(bytes.NewReader(sent))
			answer(w, r)
		}
	}
}
