package shard_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/kedastral/kedastral/shared/shard"
)

const many = 4000

func name(i int) string { return fmt.Sprintf("team-%d/service-%d", i%17, i) }

// TestMoves: with one shard more, one workload in as many as there are then
// gets another owner, always the new one, and its old owner becomes its
// backup; so whoever goes by the old count still finds one that computes it.
func TestMoves(t *testing.T) {
	for shards := 2; shards <= 16; shards++ {
		moved := 0
		for i := range many {
			before, after := shard.Rank(name(i), shards), shard.Rank(name(i), shards+1)
			if rest := slices.DeleteFunc(slices.Clone(after), func(o int) bool { return o == shards }); !slices.Equal(rest, before) {
				t.Fatalf("%s: %v becomes %v with a shard more; want the order of the others unchanged", name(i), before, after)
			}
			if !shard.Computes(name(i), before[0], shards+1) {
				t.Fatalf("%s: its owner among %d shards does not compute it among %d", name(i), shards, shards+1)
			}
			if before[0] == after[0] {
				continue
			}
			if moved++; after[0] != shards || after[1] != before[0] {
				t.Fatalf("%s: %v becomes %v; want the new shard first and the old owner its backup", name(i), before, after)
			}
		}
		want := many / float64(shards+1)
		if off := math.Abs(float64(moved)-want) / math.Sqrt(want); off > 5 { // a binomial's standard deviation is a little less
			t.Errorf("%d to %d shards moves %d of %d; want about %.0f", shards, shards+1, moved, many, want)
		}
	}
}

// TestBalance: owners and backups are spread evenly, and the two differ.
func TestBalance(t *testing.T) {
	for _, shards := range []int{1, 2, 3, 5, 8, 32} {
		load := make([]int, shards)
		for i := range many {
			for _, o := range shard.Rank(name(i), shards)[:min(shard.Copies, shards)] {
				load[o]++
			}
		}
		want := float64(many*min(shard.Copies, shards)) / float64(shards)
		for o, n := range load {
			if math.Abs(float64(n)-want) > 5*math.Sqrt(want) {
				t.Errorf("shard %d of %d computes %d; want about %.0f", o, shards, n, want)
			}
		}
	}
}

// TestStable: the ranking is part of what two processes agree on, so it must
// not change between versions.
func TestStable(t *testing.T) {
	for workload, want := range map[string][]int{
		"shop/checkout": {1, 2, 3, 4, 0},
		"shop/search":   {2, 4, 3, 0, 1},
		"team-a/cart":   {4, 1, 2, 3, 0},
	} {
		if got := shard.Rank(workload, 5); !slices.Equal(got, want) {
			t.Errorf("Rank(%q, 5) = %v; want %v as ever", workload, got, want)
		}
	}
}

func TestOrdinal(t *testing.T) {
	for pod, want := range map[string]int{
		"kedastral-forecaster-0": 0, "forecaster-12": 12, "a-b-3": 3,
		"forecaster": -1, "forecaster-": -1, "-3": -1, "": -1, "forecaster-x": -1, "forecaster-03": -1, "forecaster-+3": -1, "kedastral-forecaster-7d9f-x2x4z": -1,
	} {
		got, err := shard.Ordinal(pod)
		if (err != nil) != (want < 0) || err == nil && got != want {
			t.Errorf("Ordinal(%q) = %d, %v; want %d", pod, got, err, want)
		}
	}
}

func TestAddresses(t *testing.T) {
	for _, tt := range []struct {
		given  []string
		shards int
		want   []string
		fault  string
	}{
		{[]string{"http://a", "http://b"}, 0, []string{"http://a", "http://b"}, ""},
		{[]string{"http://f-{ordinal}.f:8081"}, 3, []string{"http://f-0.f:8081", "http://f-1.f:8081", "http://f-2.f:8081"}, ""},
		{[]string{"http://f-{ordinal}"}, 0, nil, "SHARD_COUNT"},
		{[]string{"http://f"}, 2, nil, "{ordinal}"},
		{[]string{"http://f-{ordinal}", "http://g-{ordinal}"}, 2, nil, "one address"},
	} {
		got, err := shard.Addresses(tt.given, tt.shards)
		if !slices.Equal(got, tt.want) || (err == nil) != (tt.fault == "") || err != nil && !strings.Contains(err.Error(), tt.fault) {
			t.Errorf("Addresses(%q, %d) = %q, %v; want %q and a fault that says %q", tt.given, tt.shards, got, err, tt.want, tt.fault)
		}
	}
}
