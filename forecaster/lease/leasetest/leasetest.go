// Package leasetest is a Kubernetes API server that knows one thing: a Lease.
package leasetest

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/kedastral/kedastral/forecaster/kubernetes/kubernetestest"
)

// Server keeps the Lease kedastral/forecaster.
type Server struct {
	*kubernetestest.Server

	mu      sync.Mutex
	object  map[string]any // nil before it is made
	version int
}

// New starts one.
func New(t testing.TB) *Server {
	t.Helper()
	s := &Server{}
	s.Server = kubernetestest.New(t, "leaseS3cret", s.answer)
	return s
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

func (s *Server) answer(w http.ResponseWriter, r *http.Request) {
	status := 0
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
