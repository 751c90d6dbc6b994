package forecast

import (
	"fmt"
	"strings"
)

// The longest names Kubernetes itself allows.
const (
	maxNamespace = 63
	maxName      = 253
)

// ParseWorkload takes NAMESPACE/NAME apart. The namespace is a DNS-1123 label
// of at most 63 bytes and the name a DNS-1123 subdomain of at most 253, as
// for any object in Kubernetes, so a name that passes is harmless in a path,
// a log line and a metric's label. The error wraps [ErrMalformed].
func ParseWorkload(workload string) (namespace, name string, err error) {
	namespace, name, found := strings.Cut(workload, "/")
	switch {
	case !found:
		return "", "", fmt.Errorf("%w: %s: must be NAMESPACE/NAME", ErrMalformed, shown(workload))
	case len(namespace) > maxNamespace || !label(namespace):
		return "", "", fmt.Errorf("%w: %s: the namespace must be 1 to %d of a-z, 0-9 and inner hyphens",
			ErrMalformed, shown(workload), maxNamespace)
	case len(name) > maxName || !subdomain(name):
		return "", "", fmt.Errorf("%w: %s: the name must be 1 to %d of a-z, 0-9, inner hyphens and dots",
			ErrMalformed, shown(workload), maxName)
	}
	return namespace, name, nil
}

// subdomain reports whether s is labels with dots between. Kubernetes sets no
// bound on one label inside a name.
func subdomain(s string) bool {
	for part := range strings.SplitSeq(s, ".") {
		if !label(part) {
			return false
		}
	}
	return true
}

func label(s string) bool {
	if s == "" || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

// shown is what a stranger sent, made fit for a log line: quoted, and cut
// when long.
func shown(s string) string {
	const longest = 80
	if len(s) > longest {
		return fmt.Sprintf("%+q… (%d bytes)", s[:longest], len(s))
	}
	return fmt.Sprintf("%+q", s)
}
