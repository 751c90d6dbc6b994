package env

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Fault is one thing wrong with the configuration.
type Fault struct {
	Name  string // the variable
	Value string // what it holds; "" when unset or not to be shown
	Rule  string // what it should be, in words
}

// Error is NAME=value: rule. The value is cut when long, quoted when it holds
// what a terminal would act on, and loses the password of a URL.
func (f Fault) Error() string {
	if f.Value == "" {
		return printable(f.Name) + ": " + f.Rule
	}
	return printable(f.Name) + "=" + printable(f.Value) + ": " + f.Rule
}

// ExitCode is 2, the status of a process that was started wrongly.
func (Fault) ExitCode() int { return 2 }

// Join joins errors as [errors.Join] does and tells each fault only once,
// for what two workloads read from one DEFAULT_ variable is one fault.
func Join(errs ...error) error {
	var kept []error
	seen := map[string]bool{}
	for _, err := range flatten(errors.Join(errs...)) {
		if text := err.Error(); !seen[text] {
			seen[text] = true
			kept = append(kept, err)
		}
	}
	return errors.Join(kept...)
}

// Number is what the rules below compare.
type Number interface {
	~int | ~int32 | ~int64 | ~float64
}

// Positive is a fault unless v > 0.
func Positive[T Number](name string, v T) error {
	return rule(v > 0, name, v, "must be positive")
}

// AtLeast is a fault unless v ≥ low.
func AtLeast[T Number](name string, v, low T) error {
	return rule(v >= low, name, v, "must be at least "+show(low))
}

// Between is a fault unless low ≤ v ≤ high.
func Between[T Number](name string, v, low, high T) error {
	return rule(v >= low && v <= high, name, v, "must be between "+show(low)+" and "+show(high))
}

// WholeSeconds is a fault unless d is a positive multiple of a second, as
// everything on a grid in time must be.
func WholeSeconds(name string, d time.Duration) error {
	return rule(d > 0 && d%time.Second == 0, name, d, "must be a positive number of whole seconds")
}

// OneOf is a fault unless v is one of the values; "" among them is unset.
func OneOf[T ~string](name string, v T, values ...T) error {
	words := make([]string, len(values))
	for i, value := range values {
		words[i] = cmp.Or(string(value), "unset")
	}
	return rule(slices.Contains(values, v), name, v, "must be one of "+strings.Join(words, ", "))
}

// Together is a fault of the variable that is unset while the other is set.
func Together(name, value, other, otherValue string) error {
	switch {
	case value == "" && otherValue != "":
		return Fault{Name: name, Rule: "must be set together with " + other}
	case value != "" && otherValue == "":
		return Fault{Name: other, Rule: "must be set together with " + name}
	}
	return nil
}

// AtMostOne is a fault where two variables that say the same are both set.
func AtMostOne(name, value, other, otherValue string) error {
	if value == "" || otherValue == "" {
		return nil
	}
	return Fault{Name: name, Value: value, Rule: "must not be set together with " + other}
}

// Needs is a fault of a variable that is set while what it needs is not.
func Needs(name, value, other, otherValue string) error {
	if value == "" || otherValue != "" {
		return nil
	}
	return Fault{Name: name, Value: value, Rule: "needs " + other}
}

func rule(holds bool, name string, value any, text string) error {
	if holds {
		return nil
	}
	return Fault{Name: name, Value: cmp.Or(show(value), `""`), Rule: text}
}

// show is a value as a person would type it: 7d and not 168h0m0s.
func show(v any) string {
	if d, ok := v.(time.Duration); ok {
		return FormatDuration(d)
	}
	return fmt.Sprint(v)
}

// flatten is every error joined in err, in order.
func flatten(err error) []error {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, flatten(e)...)
	}
	return all
}

const longest = 120 // characters of a value that are shown

func printable(s string) string {
	s = password().ReplaceAllString(s, "://***@")
	if cut := []rune(s[:min(len(s), 4*longest)]); len(cut) > longest {
		s = string(cut[:longest]) + "…"
	}
	if strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar }) {
		return strconv.Quote(s)
	}
	return s
}

func password() *regexp.Regexp { return regexp.MustCompile(`://[^/?#\s]*@`) }
