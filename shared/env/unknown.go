package env

import (
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Unknown is a fault for each variable that is set, is not among the known
// names, and begins with one of the prefixes or is one slip of the finger
// from a known name. A typo would otherwise be a setting silently at its
// default. Values are not shown, for a misspelt secret is one too.
//
// What Kubernetes sets for every Service of the namespace (WORKLOAD_API_PORT
// and the like) is not ours and is passed over.
func Unknown(vars Vars, prefixes []string, known ...string) error {
	ours := make(map[string]bool, len(known))
	for _, name := range known {
		ours[name] = true
	}
	var faults []error
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		value, set := vars.Lookup(name)
		if !set || ours[name] || serviceLink(name, value) {
			continue
		}
		under := slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(strings.ToUpper(name), p) })
		if under {
			faults = append(faults, Fault{Name: name, Rule: "unknown variable" + suggestion(name, known, len(faults))})
		} else if meant, ok := slip(name, known); ok {
			faults = append(faults, Fault{Name: name, Rule: "unknown variable; did you mean " + meant + "?"})
		}
	}
	return Join(faults...)
}

// serviceLink reports whether the variable is one that the kubelet sets for
// a Service. Both name and value must look it: one alone may be a typo.
func serviceLink(name, value string) bool {
	const (
		host    = `[][0-9A-Za-z.:-]+`
		address = `(tcp|udp|sctp)://` + host
	)
	for _, link := range []struct{ name, value string }{
		{`_SERVICE_HOST$`, `^` + host + `$`},
		{`_SERVICE_PORT(_[A-Z0-9_]+)?$`, `^[0-9]+$`},
		{`_PORT$`, `^` + address + `$`},
		{`_PORT_[0-9]+_(TCP|UDP|SCTP)$`, `^` + address + `$`},
		{`_PORT_[0-9]+_(TCP|UDP|SCTP)_PROTO$`, `^(tcp|udp|sctp)$`},
		{`_PORT_[0-9]+_(TCP|UDP|SCTP)_PORT$`, `^[0-9]+$`},
		{`_PORT_[0-9]+_(TCP|UDP|SCTP)_ADDR$`, `^` + host + `$`},
	} {
		if regexp.MustCompile(link.name).MatchString(name) {
			if regexp.MustCompile(link.value).MatchString(value) {
				return true
			}
		}
	}
	return false
}

// suggestion names the known variable nearest to name, if one is near. After
// twenty of them the reader has understood.
func suggestion(name string, known []string, before int) string {
	if before >= 20 {
		return ""
	}
	best, least := "", max(2, len(name)/4)+1
	for _, candidate := range known {
		if abs(len(candidate)-len(name)) >= least {
			continue
		}
		if d := distance(strings.ToUpper(name), candidate); d < least {
			best, least = candidate, d
		}
	}
	if best == "" {
		return ""
	}
	return "; did you mean " + best + "?"
}

// slip finds the known name that becomes name by one wrong, missing, extra or
// exchanged letter, or by its case. Short names are too near to everything.
func slip(name string, known []string) (string, bool) {
	for _, candidate := range known {
		if strings.EqualFold(name, candidate) || len(candidate) >= 8 && oneEdit(name, candidate) {
			return candidate, true
		}
	}
	return "", false
}

// oneEdit reports in one pass whether a and b are one edit apart.
func oneEdit(a, b string) bool {
	if abs(len(a)-len(b)) > 1 {
		return false
	}
	for a != "" && b != "" && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	for a != "" && b != "" && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	return len(a) <= 1 && len(b) <= 1 || len(a) == 2 && len(b) == 2 && a[0] == b[1] && a[1] == b[0]
}

// distance is the number of letters to change, add, drop or exchange with
// their neighbour to turn a into b (optimal string alignment).
func distance(a, b string) int {
	before, above, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		above[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(above[j]+1, row[j-1]+1, above[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, above, row = above, row, before
	}
	return above[len(b)]
}

func abs(n int) int { return max(n, -n) }
