package engine_test

import (
	"fmt"
	"math"
	"runtime"
	"testing"
	"time"

	"github.com/kedastral/kedastral/forecaster/adapters/recorded"
	"github.com/kedastral/kedastral/forecaster/capacity"
	"github.com/kedastral/kedastral/forecaster/engine"
	"github.com/kedastral/kedastral/forecaster/models"
	"github.com/kedastral/kedastral/forecaster/models/catalog"
	"github.com/kedastral/kedastral/forecaster/series"
	"github.com/kedastral/kedastral/forecaster/storage"
	"github.com/kedastral/kedastral/shared/clock"
)

// A thousand workloads of seven days at one-minute steps: what a workload
// costs in memory, how long the warm start takes, and a cycle in which all are
// forecast and a fifth of them fitted anew.
func BenchmarkThousandWorkloads(b *testing.B) {
	for _, name := range []string{"naive", "auto"} {
		b.Run(name, func(b *testing.B) { benchmark(b, name, 1000) })
	}
}

func benchmark(b *testing.B, name string, n int) {
	const window = 7 * 24 * time.Hour
	origin := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	at := origin
	empty := heap()
	var all []engine.Workload
	for i := range n {
		source, err := recorded.New(recorded.Options{
			Samples: week(origin.Add(-window-5*time.Minute), i), Step: time.Minute, Now: func() time.Time { return at },
		})
		if err != nil {
			b.Fatal(err)
		}
		all = append(all, engine.Workload{
			Name: fmt.Sprintf("shop/web-%d", i), Metric: "load", Source: source,
			NewModel: func() (models.Model, error) {
				return catalog.New(name, models.Options{Levels: []float64{0.1, 0.5, 0.9, 0.95}})
			},
			Step: time.Minute, Interval: time.Minute, TrainInterval: 5 * time.Minute, Window: window, Horizon: time.Hour,
			Rules: capacity.Rules{Policy: capacity.Policy{TargetPerPod: 100, MinReplicas: 1, MaxReplicas: 100, Quantile: 0.9}},
		})
	}
	recordings := heap()
	e, err := engine.New(all, engine.Options{
		Store: storage.NewMemory(), Clock: clock.Real(), Concurrency: 8, MaxDataAge: time.Hour, TickTimeout: time.Minute,
	})
	if err != nil {
		b.Fatal(err)
	}
	began := time.Now()
	e.Cycle(b.Context(), at)
	warm := time.Since(began)
	var cycles int
	for b.Loop() {
		at = at.Add(time.Minute)
		e.Cycle(b.Context(), at)
		cycles++
	}
	b.ReportMetric(float64(recordings-empty)/float64(n)/1024, "recording-KiB/workload")
	b.ReportMetric(float64(heap()-recordings)/float64(n)/1024, "engine-KiB/workload")
	b.ReportMetric(warm.Seconds(), "warmstart-s")
	b.ReportMetric(b.Elapsed().Seconds()/float64(cycles), "cycle-s")
	if st := e.Workloads()[n-1]; st.GeneratedAt.IsZero() {
		b.Fatalf("nothing was published: %s", st.Reason)
	}
	runtime.KeepAlive(all)
}

// week is a daily wave with noise, and two hours more than the benchmark's
// first window.
func week(first time.Time, seed int) []series.Sample {
	samples := make([]series.Sample, 7*1440+5+120)
	for i := range samples {
		hash := math.Sin(float64(i+seed*31)*12.9898) * 43758.5453
		load := 500 + 300*math.Sin(2*math.Pi*float64(i)/1440) + 40*(hash-math.Floor(hash))
		samples[i] = series.Sample{At: first.Add(time.Duration(i) * time.Minute), Value: load}
	}
	return samples
}

// heap is what is in use after everything unused is gone.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
