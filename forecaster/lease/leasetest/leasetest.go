// Package leasetest is a Kubernetes API server that knows one thing: a Lease.
package leasetest

import (
	"crypto/tls"
	"encoding/json"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/kedastral/kedastral/shared/tlsconfig/tlstest"
)

const token = "leaseS3cret"

// Server keeps the Lease kedastral/forecaster over TLS.
type Server struct {
	URL       string
	CAFile    string // the authority of its certificate
	TokenFile string // of a token that may ask

	mu      sync.Mutex
	object  map[string]any // nil before it is made
	version int
	status  int
	hang    chan struct{} // closed when it answers again; nil when it does
	asked   map[string]int
}

// New starts one, on an authority and a port of its own.
func New(t testing.TB) *Server {
	t.Helper()
	ours := tlstest.NewAuthority(t, "cluster", time.Hour)
	leaf := tlstest.Server("kubernetes")
	leaf.IP = net.IPv4(127, 0, 0, 1)
	files := tlstest.NewDir(t, ours, ours, leaf)
	files.Write(t, "token", []byte(token+"\n"))
	s := &Server{CAFile: files.Path("ca.crt"), TokenFile: files.Path("token"), asked: map[string]int{}}
	server := httptest.NewUnstartedServer(s)
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

// Holder is who holds the Lease, "" for nobody.
func (s *Server) Holder() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	holder, _ := s.spec()["holderIdentity"].(string)
	return holder
}

// Give has somebody hold the Lease, from now on.
func (s *Server) Give(holder string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.merge(map[string]any{"holderIdentity": holder})
}

// Label gives the Lease a label.
func (s *Server) Label(name, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.object["metadata"].(map[string]any)["labels"] = map[string]any{name: value}
}

// Labels are those it has.
func (s *Server) Labels() map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	labels, _ := s.object["metadata"].(map[string]any)["labels"].(map[string]any)
	return maps.Clone(labels)
}

// Asked is how many requests of a method came.
func (s *Server) Asked(method string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[method]
}

func (s *Server) spec() map[string]any {
	spec, _ := s.object["spec"].(map[string]any)
	return spec
}

func (s *Server) merge(spec map[string]any) {
	s.version++
	if s.object == nil {
		s.object = map[string]any{"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": map[string]any{"name": "forecaster", "namespace": "kedastral"}, "spec": map[string]any{}}
	}
	maps.Copy(s.spec(), spec)
	s.object["metadata"].(map[string]any)["resourceVersion"] = strconv.Itoa(s.version)
}

const folder = "/apis/coordination.k8s.io/v1/namespaces/kedastral/leases"

// ServeHTTP implements [http.Handler].
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	status, hang := s.status, s.hang
	s.asked[r.Method]++
	s.mu.Unlock()
	if hang != nil {
		select {
		case <-hang:
		case <-r.Context().Done():
		}
		return
	}
	var sent struct {
		APIVersion string         `json:"apiVersion"`
		Kind       string         `json:"kind"`
		Metadata   map[string]any `json:"metadata"`
		Spec       map[string]any `json:"spec"`
	}
	if r.Method != http.MethodGet && json.NewDecoder(r.Body).Decode(&sent) != nil {
		status = http.StatusBadRequest
	}
	for _, name := range []string{"acquireTime", "renewTime"} {
		text, given := sent.Spec[name].(string)
		if _, err := time.Parse("2006-01-02T15:04:05.000000Z", text); given && err != nil {
			status = http.StatusBadRequest
		}
	}
	if r.Header.Get("Authorization") != "Bearer "+token {
		status = http.StatusUnauthorized
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	made := http.StatusOK
	switch one := folder + "/forecaster"; {
	case status != 0:
	case r.Method == http.MethodGet && r.URL.Path == one && s.object == nil:
		status = http.StatusNotFound
	case r.Method == http.MethodGet && r.URL.Path == one:
	case r.Method == http.MethodPost && r.URL.Path == folder && s.object != nil:
		status = http.StatusConflict
	case r.Method == http.MethodPost && r.URL.Path == folder && sent.APIVersion == "coordination.k8s.io/v1" && sent.Kind == "Lease" && sent.Metadata["name"] == "forecaster":
		s.merge(sent.Spec)
		made = http.StatusCreated
	case r.Method == http.MethodPatch && r.URL.Path == one && r.Header.Get("Content-Type") == "application/merge-patch+json":
		if sent.Metadata["resourceVersion"] != strconv.Itoa(s.version) {
			status = http.StatusConflict
			break
		}
		s.merge(sent.Spec)
	default:
		status = http.StatusBadRequest
	}
	if status != 0 {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, `{"kind":"Status","message":"`+r.Header.Get("Authorization")+`"}`)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(made)
	_ = json.NewEncoder(w).Encode(s.object) // a client that left reads nothing
}
