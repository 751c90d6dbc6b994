package models

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/kedastral/kedastral/forecaster/features"
)

func TestBlocks(t *testing.T) {
	for horizon, want := range map[int][]int{
		1:  {0, 1},
		2:  {0, 1, 2},
		12: {0, 1, 2, 4, 8, 12},
		15: {0, 1, 2, 4, 8, 15},
		17: {0, 1, 2, 4, 8, 17}, // a block of one step would say little
		60: {0, 1, 2, 4, 8, 16, 32, 60},
	} {
		if got := blocks(horizon); !slices.Equal(got, want) {
			t.Errorf("blocks(%d) = %v; want %v", horizon, got, want)
		}
	}
}

func TestKnots(t *testing.T) {
	if got, want := knots(4, 8), []int{4, 5, 6, 7}; !slices.Equal(got, want) {
		t.Errorf("knots(4, 8) = %v; want %v", got, want)
	}
	if got, want := knots(16, 32), []int{17, 19, 21, 23, 25, 27, 29, 31}; !slices.Equal(got, want) {
		t.Errorf("knots(16, 32) = %v; want %v", got, want)
	}
}

// Of n exchangeable residuals a new one is at or below the conformal quantile
// with at least the level's probability: that of the ⌈level·(n+1)⌉-th.
func TestConformal(t *testing.T) {
	residuals := make([]float64, 99)
	for i := range residuals {
		residuals[i] = float64(i - 49)
	}
	for _, tt := range []struct{ level, want float64 }{
		{0.9, 40.09}, // between the 90th and the 91st of 99
		{0.5, 0},
		{0.1, -40.09},
		{0.999, 49 * math.Log(1000) / math.Log(100)}, // beyond the extreme: along the exponential tail
	} {
		if got := conformal(residuals, tt.level, 99); math.Abs(got-tt.want) > 0.01 {
			t.Errorf("conformal(%v) = %v; want %v", tt.level, got, tt.want)
		}
	}
	// Fewer independent residuals ask for more.
	if few, many := conformal(residuals, 0.9, 8), conformal(residuals, 0.9, 99); few <= many {
		t.Errorf("conformal of 8 independent = %v, of 99 = %v; want wider", few, many)
	}
}

// Origins leave something to learn from, lie in the newest part, ascend, and
// are counted in observed steps: a hole does not use the span up.
func TestChooseOrigins(t *testing.T) {
	for _, n := range []int{0, 1, 2, 3, 10, 180, 1440, 10_080} {
		f := features.Frame{Step: time.Minute, Horizon: 30, Observed: make([]float64, n)}
		for i := n / 2; i < n*3/4; i++ {
			f.Observed[i] = math.NaN()
		}
		first, origins := chooseOrigins(f)
		if n < 2 {
			if len(origins) != 0 {
				t.Errorf("%d steps give origins %v", n, origins)
			}
			continue
		}
		if len(origins) == 0 || len(origins) > maxOrigins || origins[0] != first || first < 1 || !slices.IsSorted(origins) || origins[len(origins)-1] >= n {
			t.Errorf("%d steps: first %d, origins %v", n, first, origins)
		}
		if lastObserved(f.Observed[:first]) < 0 {
			t.Errorf("%d steps: nothing observed before the first origin %d", n, first)
		}
	}
	week := features.Frame{Step: time.Minute, Horizon: 30, Observed: make([]float64, 10_080)}
	if first, _ := chooseOrigins(week); first != 10_080-10_080/3 {
		t.Errorf("a week of minutes is measured from %d on; want its last third", first)
	}
	for i := 8000; i < 9000; i++ {
		week.Observed[i] = math.NaN()
	}
	if first, _ := chooseOrigins(week); first != 10_080-1000-(10_080-1000)/3 {
		t.Errorf("with a hole of 1000 it is measured from %d on", first)
	}
}
