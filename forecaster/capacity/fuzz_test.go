package capacity_test

import (
	"encoding/binary"
	"math"
	"testing"

	"github.com/kedastral/kedastral/forecaster/capacity"
)

// Whatever the forecast: every count is within the bounds, no step breaks its
// limits except for the bounds, and an unknown value never lowers the plan.
func FuzzToReplicas(f *testing.F) {
	f.Add(4, 100.0, 1.2, 2, 50, 2.0, 10, 0, []byte("load load load load load"))
	f.Add(0, 1e-300, 1.0, 0, math.MaxInt32, 1.0001, 100, 3, binary.LittleEndian.AppendUint64(nil, math.Float64bits(math.NaN())))
	f.Add(-5, 1.0, 0.0, 7, 7, 0.0, 0, 1, binary.LittleEndian.AppendUint64(nil, math.Float64bits(math.Inf(-1))))
	f.Fuzz(func(t *testing.T, prev int, target, headroom float64, lo, hi int, up float64, down, prewarm int, raw []byte) {
		p := capacity.Policy{
			TargetPerPod: target, Headroom: headroom, MinReplicas: lo, MaxReplicas: hi,
			UpMaxFactorPerStep: up, DownMaxPercentPerStep: down, PrewarmWindowSteps: prewarm % 50,
		}
		var load []float64
		for ; len(raw) >= 8; raw = raw[8:] {
			load = append(load, math.Float64frombits(binary.LittleEndian.Uint64(raw)))
		}
		got := capacity.ToReplicas(prev, load, 60, p)
		if p.Validate() != nil {
			if got != nil {
				t.Fatalf("ToReplicas with %+v = %v; want none", p, got)
			}
			return
		}
		if len(got) != len(load) {
			t.Fatalf("%d counts for %d steps", len(got), len(load))
		}
		before := min(max(prev, 0), capacity.MaxCount)
		for i, n := range got {
			if n < lo || n > hi {
				t.Fatalf("step %d: %d is outside [%d, %d]", i, n, lo, hi)
			}
			if up > 0 && n > lo && n > before+1 && float64(n) > float64(before)*up+1e-6 {
				t.Fatalf("step %d: %d rises more than %v-fold from %d", i, n, up, before)
			}
			if down > 0 && n < hi && n < before-1 && float64(n) < float64(before)*float64(100-down)/100-1e-6 {
				t.Fatalf("step %d: %d falls more than %d %% from %d", i, n, down, before)
			}
			if (math.IsNaN(load[i]) || math.IsInf(load[i], 0)) && n < min(before, hi) {
				t.Fatalf("step %d: an unknown load lowered %d to %d", i, before, n)
			}
			before = n
		}
	})
}

func BenchmarkToReplicas(b *testing.B) {
	load := make([]float64, 10080)
	for i := range load {
		load[i] = 500 + 400*math.Sin(float64(i)/1440*2*math.Pi)
	}
	p := capacity.Policy{TargetPerPod: 10, Headroom: 1.2, MaxReplicas: 1000, UpMaxFactorPerStep: 2, DownMaxPercentPerStep: 10, PrewarmWindowSteps: 5}
	b.ReportAllocs()
	for b.Loop() {
		capacity.ToReplicas(10, load, 60, p)
	}
}
