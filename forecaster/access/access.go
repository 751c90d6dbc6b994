// Package access finds out who asks and what they may see.
//
// The one thing to know: the namespace that a request may see comes from who
// proves to have sent it, never from what it asks for. Another namespace's
// workload is answered like one that nobody knows.
//
// There are two proofs. [Tokens] takes a Kubernetes service account's token,
// made for this audience, and has the API server review it. [Certificates]
// takes the name in a client certificate that TLS has verified. Both let a few
// named ones see everything: whoever collects metrics or watches over all.
package access

import (
	"errors"
	"net/http"
	"strings"
)

// Identity is who asks. The zero Identity sees nothing.
type Identity struct {
	Name      string // as Kubernetes or the certificate tells it
	Namespace string // whose workloads it may see
	All       bool   // it may see those of every namespace, and what is about none
}

// Sees is whether it may know of a workload, NAMESPACE/NAME.
func (id Identity) Sees(workload string) bool {
	namespace, _, ok := strings.Cut(workload, "/")
	return id.All || ok && namespace != "" && namespace == id.Namespace
}

// Guard finds out who asks. Its errors are one of the three below, with words
// that may be sent back: they repeat nothing that came with the request.
type Guard interface {
	Identify(r *http.Request) (Identity, error)
}

var (
	// ErrUnknown means that the request proves nobody's identity.
	ErrUnknown = errors.New("who asks is not known")
	// ErrForbidden means that who asks is known and may not ask here.
	ErrForbidden = errors.New("who asks may not ask here")
	// ErrUnverified means that it cannot be found out now who asks.
	ErrUnverified = errors.New("who asks cannot be verified now")
)
