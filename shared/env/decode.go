package env

import (
	"context"
	"encoding"
	"errors"
	"fmt"
	"math"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/sethvargo/go-envconfig"
)

// load fills the field from vars. go-envconfig stops at the first fault, so
// each field is given to it as a struct of its own.
func (f field) load(ctx context.Context, vars envconfig.Lookuper) error {
	typed, found := vars.Lookup(f.Name)
	switch {
	case !found && f.Required:
		return f.fault(vars, "", "must be set")
	case !found && f.Default == "":
		return nil
	case !found:
		typed = f.Default
	}
	one := reflect.New(reflect.StructOf([]reflect.StructField{{Name: "Value", Type: f.value.Type(), Tag: f.tag}}))
	err := envconfig.ProcessWith(ctx, &envconfig.Config{
		Target:   one.Interface(),
		Lookuper: envconfig.PrefixLookuper(f.prefix, vars),
		Mutators: []envconfig.Mutator{envconfig.MutatorFunc(func(_ context.Context, _, _, _, v string) (string, bool, error) {
			text, err := f.normal(f.value.Type(), v)
			return text, false, err
		})},
	})
	if err != nil {
		return f.fault(vars, typed, f.rule(typed, err))
	}
	f.value.Set(one.Elem().Field(0))
	return nil
}

// broken is a rule that a text broke.
type broken string

func (b broken) Error() string { return string(b) }

// normal is the text as go-envconfig reads it for the type, and refuses what
// go-envconfig would misread: 010 as eight, Inf as a number, a,,b as three.
func (f field) normal(t reflect.Type, text string) (string, error) {
	t = base(t)
	if t == reflect.TypeFor[time.Duration]() {
		d, err := ParseDuration(text)
		return d.String(), err
	}
	if decodes(t) {
		return text, nil
	}
	switch t.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		if !decimal(text) {
			return "", broken("must be a whole number")
		}
	case reflect.Float32, reflect.Float64:
		if v, err := strconv.ParseFloat(text, 64); err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
			return "", broken("must be a finite number")
		}
	case reflect.Slice:
		return f.normalList(t, text)
	case reflect.Map:
		return strings.Join(elements(text, f.delimiter), f.delimiter), nil
	}
	return text, nil
}

func (f field) normalList(t reflect.Type, text string) (string, error) {
	if t.Elem().Kind() == reflect.Uint8 {
		return text, nil
	}
	list := elements(text, f.delimiter)
	for i, element := range list {
		normal, err := f.normal(t.Elem(), element)
		if err != nil {
			return "", broken("each " + err.Error())
		}
		list[i] = normal
	}
	return strings.Join(list, f.delimiter), nil
}

// elements are the parts of a list that are not blank.
func elements(text, delimiter string) []string {
	var list []string
	for part := range strings.SplitSeq(text, delimiter) {
		if part = strings.TrimSpace(part); part != "" {
			list = append(list, part)
		}
	}
	return list
}

func decimal(text string) bool {
	digits := strings.TrimLeft(text, "+-")
	return len(text)-len(digits) <= 1 && digits != "" && strings.Trim(digits, "0123456789") == "" && (digits[0] != '0' || digits == "0")
}

// rule says in words what the text that caused err should have been.
func (f field) rule(typed string, err error) string {
	if rule, ok := errors.AsType[broken](err); ok {
		return string(rule)
	}
	if errors.Is(err, strconv.ErrRange) {
		return "is too large or too small for " + describe(f.value.Type())
	}
	if base(f.value.Type()).Kind() == reflect.Bool {
		return "must be true or false"
	}
	if errors.Is(err, envconfig.ErrInvalidMapItem) {
		return "must be KEY:VALUE, several with a comma between"
	}
	want := "must be " + describe(f.value.Type())
	if f.Secret {
		return want
	}
	if own, ok := reflect.TypeAssert[encoding.TextUnmarshaler](reflect.New(base(f.value.Type()))); ok {
		err = own.UnmarshalText([]byte(typed)) // go-envconfig tells of the last way it tried, not of this one
	}
	if bad, ok := errors.AsType[*url.Error](err); ok {
		err = bad.Err // without the URL, which the fault already shows and which may hold a password
	}
	return want + ": " + strings.TrimPrefix(fmt.Sprint(err), "Value: ")
}

// fault is a Fault of the field, under its true name and without its secret.
func (f field) fault(vars envconfig.Lookuper, value, rule string) error {
	name := f.Name
	if keyed, ok := vars.(interface{ Key(name string) string }); ok {
		name = keyed.Key(name)
	}
	if f.Secret && value != "" {
		value = "***"
	}
	return Fault{Name: name, Value: value, Rule: rule}
}
