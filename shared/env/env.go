// Package env reads a process's configuration from environment variables into
// one flat struct of go-envconfig tags, and tells every fault at once.
//
// A blank variable is an unset one, because a manifest that says LEAD_TIME: ""
// means "as by default" and not zero. Every fault reads NAME=value: rule, so
// that a person can find and mend it without reading code; secrets are never
// shown. Fields of type [time.Duration] also take days and weeks ("7d").
//
// A field's tags:
//
//	HTTPAddr string `env:"HTTP_ADDR, default=:8081" doc:"address the API listens on"`
//	Token    string `env:"PROMETHEUS_TOKEN" secret:"true" doc:"bearer token"`
//
// A configuration with a method Validate() error is asked for its own rules
// once it is filled. Its faults are made with [Positive] and its like, name
// the variable as the tag does, and are dropped for variables already at
// fault, whose fields hold no meaningful value.
package env

import (
	"context"
	"errors"
	"os"
	"strings"

	"github.com/sethvargo/go-envconfig"
)

// Vars are environment variables by name.
type Vars map[string]string

// FromOS is the process's own environment.
func FromOS() Vars {
	vars := Vars{}
	for _, pair := range os.Environ() {
		if name, value, ok := strings.Cut(pair, "="); ok && name != "" {
			vars[name] = value
		}
	}
	return vars
}

// Lookup returns a variable's value without the space around it. A blank
// variable is not found.
func (v Vars) Lookup(name string) (string, bool) {
	value := strings.TrimSpace(v[name])
	return value, value != ""
}

// Load fills cfg, a pointer to a struct, from vars: a [Vars] or a [Scope].
// Fields whose variable is unset and has no default keep what they hold. The
// error joins every fault found, each a [Fault]; a cfg whose tags are wrong
// is another kind of error.
func Load(ctx context.Context, vars envconfig.Lookuper, cfg any) error {
	fields, err := walk(cfg)
	if err != nil {
		return err
	}
	var faults []error
	broken := map[string]bool{}
	for _, f := range fields {
		if err := f.load(ctx, vars); err != nil {
			broken[f.Name] = true
			faults = append(faults, err)
		}
	}
	if v, ok := cfg.(interface{ Validate() error }); ok {
		for _, err := range flatten(v.Validate()) {
			if err := placed(err, fields, vars, broken); err != nil {
				faults = append(faults, err)
			}
		}
	}
	return errors.Join(faults...)
}

// placed is a fault of Validate under the variable's true name, with what was
// typed and not what was made of it; nil if the variable is already at fault.
func placed(err error, fields []field, vars envconfig.Lookuper, broken map[string]bool) error {
	fault, ok := errors.AsType[Fault](err)
	if !ok {
		return err
	}
	if broken[fault.Name] {
		return nil
	}
	for _, f := range fields {
		if f.Name != fault.Name {
			continue
		}
		value := fault.Value
		if typed, ok := vars.Lookup(f.Name); ok && value != "" {
			value = typed
		}
		return f.fault(vars, value, fault.Rule)
	}
	return fault
}
