package env

import (
	"slices"
	"strings"
)

// Scope looks a setting up under several prefixes, the most specific first:
// WORKLOAD_SHOP_CHECKOUT_QUERY, then DEFAULT_QUERY. It is loaded from like
// [Vars], and its faults name the variable that holds the value.
type Scope struct {
	vars     Vars
	prefixes []string
}

// Scoped is vars as seen under the prefixes, of which there must be one.
func Scoped(vars Vars, prefix string, more ...string) Scope {
	return Scope{vars, append([]string{prefix}, more...)}
}

// Lookup returns the first of the setting's variables that is not blank.
func (s Scope) Lookup(setting string) (string, bool) { return s.vars.Lookup(s.Key(setting)) }

// Key is the variable that holds the setting, or the most specific one that
// could.
func (s Scope) Key(setting string) string {
	for _, prefix := range s.prefixes {
		if _, ok := s.vars.Lookup(prefix + setting); ok {
			return prefix + setting
		}
	}
	return s.prefixes[0] + setting
}

// Names lists every variable cfg could be loaded from.
func (s Scope) Names(cfg any) []string {
	var names []string
	for _, setting := range Names(cfg) {
		for _, prefix := range s.prefixes {
			names = append(names, prefix+setting)
		}
	}
	return names
}

// Name is how a thing is spelled inside a variable's name: shop/check-out is
// SHOP_CHECK_OUT.
func Name(thing string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			return r
		default:
			return '_'
		}
	}, thing)
}

// Distinct is a fault of the variable for every two things it lists that
// would read the same variables: one listed twice, or shop-a/b beside
// shop/a-b, or, where settings are given, a beside a-max when MAX_PODS and
// PODS are both settings.
func Distinct(variable string, things []string, settings ...string) error {
	var faults []error
	owner := map[string]string{}
	settings = append([]string{""}, settings...)
	for i, thing := range things {
		if slices.Contains(things[:i], thing) {
			faults = append(faults, Fault{variable, thing, "must be listed once"})
			continue
		}
		for _, setting := range settings {
			name := Name(thing) + "_" + setting
			if other, taken := owner[name]; taken && other != thing {
				faults = append(faults, Fault{variable, thing, "reads the same variables as " + printable(other) + " (…_" + name + "): rename one"})
				break
			}
			owner[name] = thing
		}
	}
	return Join(faults...)
}
