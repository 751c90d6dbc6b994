package env

import (
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
)

// WriteHelp prints the variables of cfg for a terminal, prefix before each
// name: its name with its default or that it is required, then what it is and
// its rule.
func WriteHelp(w io.Writer, prefix string, cfg any) error {
	for _, f := range Fields(cfg) {
		standard := "=" + f.Default
		switch {
		case f.Required:
			standard = " (required)"
		case f.Default == "":
			standard = " (unset)"
		}
		about := f.Doc
		if rule := Rule(cfg, f); rule != "" {
			about += " " + strings.ToUpper(rule[:1]) + rule[1:] + "."
		}
		if _, err := fmt.Fprintf(w, "  %s%s%s\n      %s\n", prefix, f.Name, standard, strings.TrimSpace(about)); err != nil {
			return err
		}
	}
	return nil
}

// Rule is what the field's value must be, in few words. It is not written down
// a second time for this: cfg is loaded with values that hardly any rule
// allows, and what it says to the first that it refuses is the rule. It is ""
// where any text will do.
func Rule(cfg any, f Field) string {
	wrong := []string{"-1", "\x00"}
	if strings.Contains(f.Type, "duration") {
		wrong[0] = "-1s"
	}
	for _, value := range wrong {
		fresh := reflect.New(reflect.Indirect(reflect.ValueOf(cfg)).Type()).Interface()
		for _, err := range flatten(Load(context.Background(), Vars{f.Name: value}, fresh)) {
			if fault, ok := errors.AsType[Fault](err); ok && fault.Name == f.Name {
				return general(fault.Rule)
			}
		}
	}
	if f.Type == "text" {
		return ""
	}
	return "must be a " + f.Type
}

// general is a rule without what it says of one value.
func general(rule string) string {
	if i := strings.LastIndex(rule, "must be "); i >= 0 {
		rule = rule[i:]
	}
	rule, _, _ = strings.Cut(rule, ": ")
	return rule
}
