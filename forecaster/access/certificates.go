package access

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Certificates tells who asks by the client certificate, which must already be
// verified: a scaler's bears the DNS name kedastral-scaler.NAMESPACE.svc.
type Certificates struct {
	Admins []string // DNS names of who sees everything
}

const scalerHost, serviceZone = "kedastral-scaler.", ".svc"

// Identify implements [Guard]. A connection outlives its certificate's term,
// so that is looked at again.
func (c Certificates) Identify(r *http.Request) (Identity, error) {
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return Identity{}, fmt.Errorf("%w: present a client certificate", ErrUnknown)
	}
	leaf := r.TLS.PeerCertificates[0]
	if time.Now().After(leaf.NotAfter) {
		return Identity{}, fmt.Errorf("%w: the client certificate has expired: connect again with the new one", ErrUnknown)
	}
	var id Identity
	for _, name := range leaf.DNSNames {
		if slices.Contains(c.Admins, name) {
			return Identity{Name: name, All: true}, nil
		}
		namespace, ok := namespaceOf(name)
		if !ok {
			continue
		}
		if id.Namespace != "" && id.Namespace != namespace {
			return Identity{}, fmt.Errorf("%w: the client certificate is of scalers of two namespaces", ErrForbidden)
		}
		id = Identity{Name: name, Namespace: namespace}
	}
	if id.Namespace == "" {
		return Identity{}, fmt.Errorf("%w: the client certificate must bear the DNS name %sNAMESPACE%s", ErrForbidden, scalerHost, serviceZone)
	}
	return id, nil
}

// namespaceOf is the namespace of the scaler with the name.
func namespaceOf(name string) (string, bool) {
	rest, isScaler := strings.CutPrefix(name, scalerHost)
	namespace, isService := strings.CutSuffix(rest, serviceZone)
	return namespace, isScaler && isService && namespace != "" && !strings.ContainsAny(namespace, "./*")
}
