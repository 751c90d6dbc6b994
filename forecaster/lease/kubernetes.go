package lease

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/kedastral/kedastral/forecaster/kubernetes"
)

// Kubernetes is a [Keeper] by the Lease of coordination.k8s.io/v1. The service
// account that asks may get, create and patch it.
type Kubernetes struct {
	Server    *kubernetes.Server
	Namespace string
	Name      string
}

// document is what of a Lease matters here.
type document struct {
	APIVersion string        `json:"apiVersion,omitempty"`
	Kind       string        `json:"kind,omitempty"`
	Metadata   metadata      `json:"metadata"`
	Spec       specification `json:"spec"`
}

type metadata struct {
	Name            string `json:"name,omitempty"`
	Namespace       string `json:"namespace,omitempty"`
	ResourceVersion string `json:"resourceVersion,omitempty"`
}

type specification struct {
	Holder      string `json:"holderIdentity"`
	Seconds     int    `json:"leaseDurationSeconds"`
	Acquired    micro  `json:"acquireTime,omitzero"`
	Renewed     micro  `json:"renewTime,omitzero"`
	Transitions int    `json:"leaseTransitions"`
}

// micro is a time as the API server wants it here: always with six digits of a
// second.
type micro struct{ time.Time }

// MarshalJSON implements [json.Marshaler].
func (m micro) MarshalJSON() ([]byte, error) {
	if y := m.UTC().Year(); y < 0 || y > 9999 {
		return nil, fmt.Errorf("year %d: must have four digits", y)
	}
	return []byte(m.UTC().Format(`"2006-01-02T15:04:05.000000Z07:00"`)), nil
}

// Get implements [Keeper].
func (k Kubernetes) Get(ctx context.Context) (Record, error) {
	return k.ask(ctx, kubernetes.Question{Method: http.MethodGet, Path: k.folder() + "/" + k.Name})
}

// Create implements [Keeper].
func (k Kubernetes) Create(ctx context.Context, r Record) (Record, error) {
	d := written(r)
	d.APIVersion, d.Kind, d.Metadata = "coordination.k8s.io/v1", "Lease", metadata{Name: k.Name, Namespace: k.Namespace}
	return k.ask(ctx, kubernetes.Question{Method: http.MethodPost, Path: k.folder(), Kind: "application/json", Body: &d})
}

// Update implements [Keeper].
func (k Kubernetes) Update(ctx context.Context, r Record) (Record, error) {
	d := written(r)
	return k.ask(ctx, kubernetes.Question{Method: http.MethodPatch, Path: k.folder() + "/" + k.Name, Kind: "application/merge-patch+json", Body: &d})
}

func (k Kubernetes) folder() string {
	return "apis/coordination.k8s.io/v1/namespaces/" + k.Namespace + "/leases"
}

func written(r Record) document {
	return document{Metadata: metadata{ResourceVersion: r.Version}, Spec: specification{
		Holder: r.Holder, Seconds: int(Duration / time.Second), Acquired: micro{r.Acquired}, Renewed: micro{r.Renewed}, Transitions: r.Transitions,
	}}
}

var errNotAllowed = errors.New("this process may not: its service account needs get, create and patch of leases in that namespace")

func (k Kubernetes) ask(ctx context.Context, q kubernetes.Question) (Record, error) {
	answer, err := k.Server.Ask(ctx, q)
	switch status := kubernetes.Refused(err); {
	case status == http.StatusNotFound && q.Method == http.MethodGet:
		return Record{}, ErrNone
	case status == http.StatusConflict:
		return Record{}, ErrTaken
	case status == http.StatusForbidden:
		return Record{}, fmt.Errorf("asking for the lease: %w: %w", err, errNotAllowed)
	case err != nil:
		return Record{}, fmt.Errorf("asking for the lease: %w", err)
	}
	return read(answer)
}

// read is the Lease of a document.
func read(text []byte) (Record, error) {
	var d document
	if json.Unmarshal(text, &d) != nil || d.Kind != "Lease" || d.Metadata.ResourceVersion == "" {
		return Record{}, errors.New("reading the lease: the answer is none")
	}
	return Record{
		Holder: d.Spec.Holder, Version: d.Metadata.ResourceVersion, Acquired: d.Spec.Acquired.Time, Renewed: d.Spec.Renewed.Time, Transitions: d.Spec.Transitions,
	}, nil
}
