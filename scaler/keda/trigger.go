package keda

import (
	"strconv"
	"strings"
	"time"

	pb "github.com/kedacore/keda/v2/pkg/scalers/externalscaler"

	"github.com/kedastral/kedastral/shared/env"
	"github.com/kedastral/kedastral/shared/forecast"
)

// The keys of a trigger's metadata that are ours. All are optional.
const (
	keyWorkload   = "workload"           // NAME or NAMESPACE/NAME; the ScaledObject's own name
	keyLead       = "leadTime"           // a duration; LEAD_TIME
	keyFallback   = "fallbackReplicas"   // at least 1; FALLBACK_REPLICAS
	keyActivation = "activationReplicas" // active above this many; 0
	keyMost       = "maxReplicas"        // the ScaledObject's maxReplicaCount, for /status alone; unknown

	fromEnv = "FromEnv" // KEDA resolves keys that end so and keeps the ending
)

const (
	maxKeys  = 64  // in a trigger's metadata; KEDA's own and ours are a dozen
	maxValue = 320 // bytes of a value of ours; a full workload name is 317
)

// settings are our keys of a trigger as the user wrote them, empty where unset,
// and the ScaledObject's name. Being comparable they find the target parsed
// from them without parsing again.
type settings struct {
	scaledObject, workload, lead, fallback, activation, most string
}

// read picks our keys out of a request in one pass and without allocating.
func read(ref *pb.ScaledObjectRef) (settings, *refusal) {
	s := settings{scaledObject: ref.GetName()}
	metadata := ref.GetScalerMetadata()
	if len(metadata) > maxKeys {
		return s, unusable("more than " + strconv.Itoa(maxKeys) + " keys")
	}
	for key, value := range metadata {
		field := s.field(strings.TrimSuffix(key, fromEnv))
		switch {
		case field == nil:
			if ours := meant(key); ours != "" {
				return s, unusable("a key is misspelt: write " + ours)
			}
		case len(value) > maxValue:
			return s, unusable(strings.TrimSuffix(key, fromEnv) + " is longer than " + strconv.Itoa(maxValue) + " bytes")
		case *field != "" && value != "":
			return s, unusable(strings.TrimSuffix(key, fromEnv) + " is set twice, with and without " + fromEnv)
		case value != "":
			*field = value
		}
	}
	return s, nil
}

// field is where the value of a key of ours goes.
func (s *settings) field(key string) *string {
	switch key {
	case keyWorkload:
		return &s.workload
	case keyLead:
		return &s.lead
	case keyFallback:
		return &s.fallback
	case keyActivation:
		return &s.activation
	case keyMost:
		return &s.most
	default:
		return nil
	}
}

// meant is the key of ours that a foreign key spells wrongly, in case or by
// separators, or empty. Everything else is KEDA's business or a comment.
func meant(key string) string {
	for _, ours := range [...]string{keyWorkload, keyLead, keyFallback, keyActivation, keyMost} {
		if sameLetters(key, ours) || sameLetters(strings.TrimSuffix(key, fromEnv), ours) {
			return ours
		}
	}
	return ""
}

// sameLetters is whether a and b are equal but for case and for separators.
func sameLetters(a, b string) bool {
	for {
		a, b = letters(a), letters(b)
		if a == "" || b == "" {
			return a == b
		}
		if a[0]|0x20 != b[0]|0x20 {
			return false
		}
		a, b = a[1:], b[1:]
	}
}

// letters is s from its first character that is no separator.
func letters(s string) string {
	for s != "" && (s[0] == '_' || s[0] == '-' || s[0] == '.' || s[0] == ' ') {
		s = s[1:]
	}
	return s
}

// trigger is what settings mean.
type trigger struct {
	workload   string // NAMESPACE/NAME
	lead       time.Duration
	fallback   int // 0 means none
	activation int
	most       int // that the HPA allows; 0 means unknown. No answer depends on it
}

// parse makes a trigger of settings, with what is unset from the defaults. The
// refusal names every key at fault, its rule, and none of its values.
func (s settings) parse(namespace string, defaults trigger) (trigger, *refusal) {
	t, faults := defaults, []string(nil)
	if s.lead != "" {
		d, err := env.ParseDuration(s.lead)
		if err != nil || d < 0 {
			faults = append(faults, keyLead+" must be a duration such as 5m or 1h30m, not negative")
		}
		t.lead = d
	}
	if s.fallback != "" {
		if t.fallback = count(s.fallback); t.fallback < 1 {
			faults = append(faults, keyFallback+" must be a whole number, at least 1")
		}
	}
	if s.activation != "" {
		if t.activation = count(s.activation); t.activation < 0 {
			faults = append(faults, keyActivation+" must be a whole number, not negative")
		}
	}
	if s.most != "" {
		if t.most = count(s.most); t.most < 1 {
			faults = append(faults, keyMost+" must be a whole number, at least 1")
		}
	}
	name, why := s.target(namespace)
	switch {
	case why == foreign:
		return t, foreign
	case why != nil:
		faults = append(faults, why.text)
	}
	if len(faults) > 0 {
		return t, unusable(strings.Join(faults, "; "))
	}
	t.workload = name
	return t, nil
}

// target is the workload's full name. A bare name is in the scaler's own
// namespace, and no other namespace's workload can be asked for.
func (s settings) target(namespace string) (string, *refusal) {
	name := s.workload
	if name == "" {
		name = s.scaledObject
	}
	if !strings.Contains(name, "/") {
		name = namespace + "/" + name
	}
	if _, _, err := forecast.ParseWorkload(name); err != nil {
		return "", &refusal{text: keyWorkload + " must be NAME or NAMESPACE/NAME, both Kubernetes names"}
	}
	if !strings.HasPrefix(name, namespace+"/") {
		return "", foreign
	}
	return name, nil
}

// count is a whole number of replicas, or -1.
func count(value string) int {
	n, err := strconv.ParseInt(value, 10, 32)
	if err != nil || n < 0 {
		return -1
	}
	return int(n)
}
