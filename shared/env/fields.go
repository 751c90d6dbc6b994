package env

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/sethvargo/go-envconfig"
)

// Field is one variable of a configuration, for its documentation.
type Field struct {
	Name     string // the variable
	Type     string // duration, integer, number, true or false, text, URL, list of …, map of …
	Default  string
	Required bool
	Secret   bool
	Doc      string
}

// Fields lists the variables of cfg, a struct or a pointer to one, in the
// order they are declared. It panics on wrong tags: they are in the code.
func Fields(cfg any) []Field {
	fields, err := walk(pointer(cfg))
	if err != nil {
		panic(err)
	}
	list := make([]Field, len(fields))
	for i, f := range fields {
		list[i] = f.Field
	}
	return list
}

// Names lists the names of the variables of cfg.
func Names(cfg any) []string {
	var names []string
	for _, f := range Fields(cfg) {
		names = append(names, f.Name)
	}
	return names
}

func pointer(cfg any) any {
	if v := reflect.ValueOf(cfg); v.Kind() == reflect.Struct {
		return reflect.New(v.Type()).Interface()
	}
	return cfg
}

// field is a Field and where its value goes.
type field struct {
	Field
	value     reflect.Value
	tag       reflect.StructTag
	prefix    string // of the structs around it; Name has it already
	delimiter string // between the elements of a list
}

// walk lists the tagged fields of the struct cfg points at, those of structs
// inside it too.
func walk(cfg any) ([]field, error) {
	v := reflect.ValueOf(cfg)
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct {
		return nil, fmt.Errorf("reading the environment into %T: must be a pointer to a struct", cfg)
	}
	return descend(v.Elem(), "")
}

func descend(v reflect.Value, prefix string) ([]field, error) {
	var all []field
	for i := range v.NumField() {
		sf, value := v.Type().Field(i), v.Field(i)
		tag, tagged := sf.Tag.Lookup("env")
		f := parseTag(tag, prefix)
		switch {
		case f.Name == prefix && value.Kind() == reflect.Struct && (sf.Anonymous || tagged):
			inner, err := descend(value, prefix+option(tag, "prefix="))
			if err != nil {
				return nil, err
			}
			all = append(all, inner...)
		case !tagged:
		case !sf.IsExported():
			return nil, fmt.Errorf("field %s of %s: must be exported to be read from the environment", sf.Name, v.Type())
		case f.Name == prefix:
			return nil, fmt.Errorf("field %s of %s: env tag names no variable", sf.Name, v.Type())
		case unreadable(sf.Type):
			return nil, fmt.Errorf("field %s of %s: %s cannot be read from the environment", sf.Name, v.Type(), sf.Type)
		default:
			f.Type, f.Doc, f.value, f.tag = describe(sf.Type), sf.Tag.Get("doc"), value, sf.Tag
			f.Secret = sf.Tag.Get("secret") == "true"
			all = append(all, f)
		}
	}
	return all, nil
}

// parseTag reads of a go-envconfig tag what documentation and faults need;
// go-envconfig itself reads it to fill the field.
func parseTag(tag, prefix string) field {
	name, options, _ := strings.Cut(tag, ",")
	f := field{prefix: prefix, delimiter: ","}
	f.Name = prefix + strings.TrimSpace(name)
	for options != "" {
		trimmed := strings.TrimLeft(options, " ")
		if text, ok := strings.CutPrefix(trimmed, "default="); ok {
			f.Default = text
			break
		}
		var one string
		one, options, _ = strings.Cut(trimmed, ",")
		if strings.TrimSpace(one) == "required" {
			f.Required = true
		}
		if text, ok := strings.CutPrefix(one, "delimiter="); ok {
			f.delimiter = text
		}
	}
	return f
}

// option is the text of a tag's option such as prefix=.
func option(tag, key string) string {
	for part := range strings.SplitSeq(tag, ",") {
		if text, ok := strings.CutPrefix(strings.TrimLeft(part, " "), key); ok {
			return text
		}
	}
	return ""
}

// base is the type behind pointers.
func base(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}

// decodes reports whether the type reads itself from text.
func decodes(t reflect.Type) bool {
	p := reflect.PointerTo(base(t))
	return slices.ContainsFunc([]reflect.Type{
		reflect.TypeFor[envconfig.DecoderCtx](), reflect.TypeFor[envconfig.Decoder](),
		reflect.TypeFor[encoding.TextUnmarshaler](), reflect.TypeFor[json.Unmarshaler](),
		reflect.TypeFor[encoding.BinaryUnmarshaler](),
	}, p.Implements)
}

// unreadable reports whether go-envconfig would leave the type alone without
// a word, or could not fill it.
func unreadable(t reflect.Type) bool {
	switch t = base(t); t.Kind() {
	case reflect.Struct, reflect.Interface, reflect.Chan, reflect.Func, reflect.Array, reflect.Complex64, reflect.Complex128:
		return !decodes(t)
	case reflect.Slice, reflect.Map:
		return !decodes(t) && unreadable(t.Elem())
	default:
		return false
	}
}

// describe is the type's name for people.
func describe(t reflect.Type) string {
	t = base(t)
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return "duration"
	case t.PkgPath() == "net/url" && t.Name() == "URL":
		return "URL"
	case decodes(t):
		return strings.ToLower(t.Name())
	}
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Float32, reflect.Float64:
		return "number"
	case reflect.String:
		return "text"
	case reflect.Slice:
		return "list of " + describe(t.Elem())
	case reflect.Map:
		return "map of " + describe(t.Key()) + " to " + describe(t.Elem())
	default:
		return "integer"
	}
}
