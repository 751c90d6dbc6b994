package models

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// The k-th smallest is what sorting puts at k, ties and all.
func TestNth(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for range 2000 {
		values := make([]float64, 1+rng.IntN(50))
		for i := range values {
			values[i] = float64(rng.IntN(1 + rng.IntN(40)))
		}
		sorted := slices.Sorted(slices.Values(values))
		k := rng.IntN(len(values))
		if got := nth(slices.Clone(values), k); got != sorted[k] {
			t.Fatalf("nth(%v, %d) = %v; want %v", values, k, got, sorted[k])
		}
	}
}
