package order_test

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/kedastral/kedastral/forecaster/models/internal/order"
)

// some is up to most numbers, ties and all.
func some(rng *rand.Rand, most int) []float64 {
	values := make([]float64, 1+rng.IntN(most))
	for i := range values {
		values[i] = float64(rng.IntN(1+rng.IntN(40)) - 10)
	}
	return values
}

// The k-th smallest is what sorting puts at k, and parts the values around it.
func TestNth(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for range 2000 {
		values := some(rng, 50)
		sorted := slices.Sorted(slices.Values(values))
		k, parted := rng.IntN(len(values)), slices.Clone(values)
		if got := order.Nth(parted, k); got != sorted[k] {
			t.Fatalf("Nth(%v, %d) = %v; want %v", values, k, got, sorted[k])
		}
		if k > 0 && slices.Max(parted[:k]) > sorted[k] || slices.Min(parted[k:]) < sorted[k] {
			t.Fatalf("Nth(%v, %d) leaves %v, which is not parted", values, k, parted)
		}
	}
}

func TestMedian(t *testing.T) {
	if got := order.Median(nil); !math.IsNaN(got) {
		t.Errorf("Median of nothing = %v; want NaN", got)
	}
	rng := rand.New(rand.NewPCG(7, 8))
	for range 2000 {
		values := some(rng, 50)
		sorted := slices.Sorted(slices.Values(values))
		n := len(sorted)
		want := (sorted[(n-1)/2] + sorted[n/2]) / 2
		if got := order.Median(slices.Clone(values)); got != want {
			t.Fatalf("Median(%v) = %v; want %v", values, got, want)
		}
	}
}

func TestInsert(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	for range 500 {
		values := some(rng, 20)
		want := slices.Sorted(slices.Values(values))
		if order.Insert(values); !slices.Equal(values, want) {
			t.Fatalf("Insert gives %v; want %v", values, want)
		}
	}
}

// Sorted by value, and every weight still with its value: runs of ties, runs
// in order and runs the other way round too.
func TestSort(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 12))
	byBoth := func(a, b order.Weighted) int {
		return cmp.Or(cmp.Compare(a.Value, b.Value), cmp.Compare(a.Weight, b.Weight))
	}
	for round := range 2000 {
		values := some(rng, 300)
		switch round % 3 {
		case 1:
			slices.Sort(values)
		case 2:
			slices.Sort(values)
			slices.Reverse(values)
		}
		items := make([]order.Weighted, len(values))
		for i, v := range values {
			items[i] = order.Weighted{Value: v, Weight: float64(i)}
		}
		got := slices.Clone(items)
		order.Sort(got)
		if !slices.IsSortedFunc(got, func(a, b order.Weighted) int { return cmp.Compare(a.Value, b.Value) }) {
			t.Fatalf("Sort(%v) = %v; want it sorted by value", items, got)
		}
		slices.SortFunc(got, byBoth)
		slices.SortFunc(items, byBoth)
		if !slices.Equal(got, items) {
			t.Fatalf("Sort made %v of %v", got, items)
		}
	}
}
