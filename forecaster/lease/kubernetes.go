package lease

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

// KubernetesOptions say which API server keeps the Lease, and as whom to ask.
type KubernetesOptions struct {
	URL       *url.URL
	TLS       *tls.Config // nil is the system's
	TokenFile string      // of the one who asks
	Namespace string      // of the Lease
	Name      string
}

// Kubernetes is a [Keeper] by the Lease of coordination.k8s.io/v1: three
// requests, for which the official client would double the binary.
type Kubernetes struct {
	folder    string // address of all Leases of the namespace
	namespace string
	name      string
	token     *tokenfile.File
	http      *http.Client
}

// NewKubernetes makes the client; it does not connect.
func NewKubernetes(o KubernetesOptions) (*Kubernetes, error) {
	token, err := tokenfile.Open(o.TokenFile)
	if err != nil {
		return nil, err
	}
	return &Kubernetes{
		folder:    o.URL.JoinPath("apis/coordination.k8s.io/v1/namespaces", o.Namespace, "leases").String(),
		namespace: o.Namespace, name: o.Name, token: token,
		http: &http.Client{
			Transport:     &http.Transport{TLSClientConfig: o.TLS, MaxIdleConnsPerHost: 1, IdleConnTimeout: 90 * time.Second},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // it would carry the token elsewhere
		},
	}, nil
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

const longest = 1 << 20 // bytes of an answer

// Get implements [Keeper].
func (k *Kubernetes) Get(ctx context.Context) (Record, error) {
	return k.ask(ctx, http.MethodGet, k.folder+"/"+k.name, "", nil)
}

// Create implements [Keeper].
func (k *Kubernetes) Create(ctx context.Context, r Record) (Record, error) {
	d := written(r)
	d.APIVersion, d.Kind, d.Metadata = "coordination.k8s.io/v1", "Lease", metadata{Name: k.name, Namespace: k.namespace}
	return k.ask(ctx, http.MethodPost, k.folder, "application/json", &d)
}

// Update implements [Keeper].
func (k *Kubernetes) Update(ctx context.Context, r Record) (Record, error) {
	d := written(r)
	return k.ask(ctx, http.MethodPatch, k.folder+"/"+k.name, "application/merge-patch+json", &d)
}

func written(r Record) document {
	return document{Metadata: metadata{ResourceVersion: r.Version}, Spec: specification{
		Holder: r.Holder, Seconds: int(Duration / time.Second), Acquired: micro{r.Acquired}, Renewed: micro{r.Renewed}, Transitions: r.Transitions,
	}}
}

func (k *Kubernetes) ask(ctx context.Context, method, address, kind string, d *document) (Record, error) {
	body := new(bytes.Buffer)
	if d != nil {
		if err := json.NewEncoder(body).Encode(d); err != nil {
			return Record{}, fmt.Errorf("writing a lease: %w", err)
		}
	}
	r, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return Record{}, fmt.Errorf("asking for the lease: %w", err)
	}
	own, _ := k.token.Token() // one that cannot be read again stands until the server refuses it
	r.Header.Set("Authorization", "Bearer "+own)
	r.Header.Set("Accept", "application/json")
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	resp, err := k.http.Do(r)
	if err != nil {
		return Record{}, fmt.Errorf("asking for the lease: %w", err)
	}
	defer resp.Body.Close()
	return k.answer(method, resp)
}

var (
	errNotAllowed = errors.New("this process may not: its service account needs get, create and patch of leases in that namespace")
	errOwnToken   = errors.New("this process's own token is not valid")
)

// answer is the Lease of an answer. What a server says to anything else is not
// repeated: it may hold what it was sent.
func (k *Kubernetes) answer(method string, resp *http.Response) (Record, error) {
	text, err := io.ReadAll(io.LimitReader(resp.Body, longest))
	switch {
	case resp.StatusCode == http.StatusNotFound && method == http.MethodGet:
		return Record{}, ErrNone
	case resp.StatusCode == http.StatusConflict:
		return Record{}, ErrTaken
	case resp.StatusCode == http.StatusUnauthorized:
		k.token.Expire()
		return Record{}, fmt.Errorf("lease: HTTP status 401: %w", errOwnToken)
	case resp.StatusCode == http.StatusForbidden:
		return Record{}, fmt.Errorf("lease: HTTP status 403: %w", errNotAllowed)
	case resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusCreated:
		return Record{}, fmt.Errorf("lease: HTTP status %d", resp.StatusCode)
	case err != nil:
		return Record{}, fmt.Errorf("reading the lease: %w", err)
	}
	return read(text)
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
