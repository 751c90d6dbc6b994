package minimize_test

import (
	"math"
	"testing"

	"github.com/kedastral/kedastral/forecaster/models/internal/minimize"
)

func TestSimplexFindsKnownMinima(t *testing.T) {
	for _, tt := range []struct {
		name  string
		f     func([]float64) float64
		start []float64
		want  []float64
	}{
		{"a bowl", func(x []float64) float64 { return (x[0]-3)*(x[0]-3) + 2*(x[1]+1)*(x[1]+1) }, []float64{0, 0}, []float64{3, -1}},
		{"a curved valley", func(x []float64) float64 {
			return 100*(x[1]-x[0]*x[0])*(x[1]-x[0]*x[0]) + (1-x[0])*(1-x[0])
		}, []float64{-1.2, 1}, []float64{1, 1}},
		{"a kink", func(x []float64) float64 { return math.Abs(x[0] - 0.25) }, []float64{2}, []float64{0.25}},
		{"a wall of NaN", func(x []float64) float64 {
			if x[0] < 0.5 {
				return math.NaN()
			}
			return x[0] * x[0]
		}, []float64{2}, []float64{0.5}},
	} {
		steps := make([]float64, len(tt.start))
		for i := range steps {
			steps[i] = 0.5
		}
		got := minimize.Simplex(tt.f, tt.start, steps, minimize.Options{Tolerance: 1e-12, Evaluations: 5000, Restarts: 3})
		for i, want := range tt.want {
			if math.Abs(got.At[i]-want) > 1e-3 {
				t.Errorf("%s: minimum at %v, want %v", tt.name, got.At, tt.want)
			}
		}
	}
}

func TestSimplexKeepsToItsEvaluations(t *testing.T) {
	calls := 0
	minimize.Simplex(func(x []float64) float64 { calls++; return -x[0] - x[1] }, []float64{0, 0}, []float64{1, 1},
		minimize.Options{Evaluations: 50})
	if calls > 55 { // a shrink or the first simplex may finish
		t.Errorf("a bottomless function was evaluated %d times, want about 50", calls)
	}
}
