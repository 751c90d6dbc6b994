package env_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kedastral/kedastral/shared/env"
)

type workload struct {
	Query  string        `env:"QUERY, required"`
	Target float64       `env:"TARGET_PER_POD, required"`
	Model  string        `env:"MODEL, default=auto"`
	Step   time.Duration `env:"STEP, default=1m"`
}

func (w *workload) Validate() error {
	return errors.Join(env.Positive("TARGET_PER_POD", w.Target), env.WholeSeconds("STEP", w.Step))
}

func TestScopeTriesTheSpecificFirst(t *testing.T) {
	vars := env.Vars{
		"WORKLOAD_SHOP_A_QUERY": "up", "WORKLOAD_SHOP_A_TARGET_PER_POD": "5", "WORKLOAD_SHOP_A_MODEL": "",
		"DEFAULT_TARGET_PER_POD": "7", "DEFAULT_MODEL": "naive", "QUERY": "not this", "STEP": "3m",
	}
	var got workload
	if err := env.Load(t.Context(), env.Scoped(vars, "WORKLOAD_SHOP_A_", "DEFAULT_"), &got); err != nil {
		t.Fatalf("Load = %v", err)
	}
	if diff := cmp.Diff(workload{"up", 5, "naive", time.Minute}, got); diff != "" {
		t.Errorf("Load: -want +got\n%s", diff)
	}
}

func TestScopeNamesTheVariableAtFault(t *testing.T) {
	vars := env.Vars{
		"WORKLOAD_A_TARGET_PER_POD": "-1", "DEFAULT_STEP": "1500ms", "DEFAULT_TARGET_PER_POD": "many",
	}
	load := func(prefix string) error {
		return env.Load(t.Context(), env.Scoped(vars, prefix, "DEFAULT_"), new(workload))
	}
	want := `WORKLOAD_A_QUERY: must be set
WORKLOAD_A_TARGET_PER_POD=-1: must be positive
DEFAULT_STEP=1500ms: must be a positive number of whole seconds
WORKLOAD_B_QUERY: must be set
DEFAULT_TARGET_PER_POD=many: must be a finite number`
	if diff := cmp.Diff(want, text(env.Join(load("WORKLOAD_A_"), load("WORKLOAD_B_")))); diff != "" {
		t.Errorf("faults of two workloads: -want +got\n%s", diff)
	}
}

func TestScopeNames(t *testing.T) {
	got := env.Scoped(nil, "W_A_", "DEFAULT_").Names(workload{})
	want := []string{
		"W_A_QUERY", "DEFAULT_QUERY", "W_A_TARGET_PER_POD", "DEFAULT_TARGET_PER_POD",
		"W_A_MODEL", "DEFAULT_MODEL", "W_A_STEP", "DEFAULT_STEP",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Names: -want +got\n%s", diff)
	}
}

func TestName(t *testing.T) {
	for thing, want := range map[string]string{"shop/checkout": "SHOP_CHECKOUT", "shop/check-out.v2": "SHOP_CHECK_OUT_V2", "é": "_"} {
		if got := env.Name(thing); got != want {
			t.Errorf("Name(%q) = %q; want %q", thing, got, want)
		}
	}
}

func TestDistinct(t *testing.T) {
	for _, tt := range []struct {
		things, settings, want string
	}{
		{"shop/a,shop/b,shop/a-b", "QUERY,STEP", ""},
		{"shop/a,shop/a", "", "WORKLOADS=shop/a: must be listed once"},
		{"shop-a/b,shop/a-b", "", "WORKLOADS=shop/a-b: reads the same variables as shop-a/b"},
		{"shop/a,shop/a-max", "PODS,MAX_PODS", "WORKLOADS=shop/a-max: reads the same variables as shop/a (…_SHOP_A_MAX_PODS)"},
		{"shop/a-max,shop/a", "PODS,MAX_PODS", "WORKLOADS=shop/a: reads the same variables as shop/a-max"},
	} {
		got := text(env.Distinct("WORKLOADS", strings.Split(tt.things, ","), strings.Split(tt.settings, ",")...))
		if !strings.HasPrefix(got, tt.want) || (got == "") != (tt.want == "") || strings.Contains(got, "\n") {
			t.Errorf("Distinct(%s) = %q; want %q", tt.things, got, tt.want)
		}
	}
}
