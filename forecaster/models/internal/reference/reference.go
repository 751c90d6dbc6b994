// Package reference reads the fixtures that models are checked against: what
// another implementation said of published series.
//
// A fixture's first line says how it was made and its second names the
// columns; each further line is case,field,values with the values separated
// by spaces. Only tests read them.
package reference

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// Fixture is a fixture's numbers by case and field.
type Fixture struct {
	cases map[string]map[string]string
	order []string
}

// Read reads a fixture; one that cannot be read ends the test.
func Read(tb testing.TB, raw string) Fixture {
	tb.Helper()
	f, err := parse(raw)
	if err != nil {
		tb.Fatalf("reading the fixture: %v", err)
	}
	return f
}

func parse(raw string) (Fixture, error) {
	f := Fixture{cases: map[string]map[string]string{}}
	lines := strings.Split(strings.TrimSpace(raw), "\n")
	if len(lines) < 3 || !strings.HasPrefix(lines[0], "# ") {
		return f, fmt.Errorf("%d lines: the first must say how it was made", len(lines))
	}
	for i, line := range lines[2:] {
		parts := strings.SplitN(line, ",", 3)
		if len(parts) != 3 {
			return f, fmt.Errorf("line %d: %d columns, want 3", i+3, len(parts))
		}
		if f.cases[parts[0]] == nil {
			f.cases[parts[0]] = map[string]string{}
			f.order = append(f.order, parts[0])
		}
		f.cases[parts[0]][parts[1]] = parts[2]
	}
	return f, nil
}

// Cases are the names of the cases whose name contains part, in file order.
func (f Fixture) Cases(part string) []string {
	var names []string
	for _, name := range f.order {
		if strings.Contains(name, part) {
			names = append(names, name)
		}
	}
	return names
}

// Text is one field as it is written.
func (f Fixture) Text(tb testing.TB, name, field string) string {
	tb.Helper()
	text, ok := f.cases[name][field]
	if !ok {
		tb.Fatalf("the fixture has no %s of %s", field, name)
	}
	return text
}

// Values are one field's numbers.
func (f Fixture) Values(tb testing.TB, name, field string) []float64 {
	tb.Helper()
	words := strings.Fields(f.Text(tb, name, field))
	values := make([]float64, len(words))
	for i, word := range words {
		v, err := strconv.ParseFloat(word, 64)
		if err != nil {
			tb.Fatalf("%s of %s: value %d: %v", field, name, i, err)
		}
		values[i] = v
	}
	return values
}

// Value is one field's only number.
func (f Fixture) Value(tb testing.TB, name, field string) float64 {
	tb.Helper()
	values := f.Values(tb, name, field)
	if len(values) != 1 {
		tb.Fatalf("%s of %s has %d values, want 1", field, name, len(values))
	}
	return values[0]
}
