package keda

// isName is whether s can be the name of a Kubernetes object: at most 253
// lower-case letters, digits, dashes and dots, a letter or digit at both ends.
func isName(s string) bool {
	if s == "" || len(s) > 253 {
		return false
	}
	for i := range len(s) {
		inner := i > 0 && i < len(s)-1
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
		case inner && (c == '-' || c == '.'):
		default:
			return false
		}
	}
	return true
}
