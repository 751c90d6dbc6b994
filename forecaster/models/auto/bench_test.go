package auto_test

import (
	"math"
	"testing"
	"time"

	"github.com/kedastral/kedastral/forecaster/features"
	"github.com/kedastral/kedastral/forecaster/models"
	"github.com/kedastral/kedastral/forecaster/models/auto"
)

var monday = time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)

// noise is a deterministic stand-in for chance in (-1, 1).
func noise(i int) float64 {
	x := uint64(i)*0x9E3779B97F4A7C15 + 0x1234567
	x ^= x >> 31
	x *= 0xBF58476D1CE4E5B9
	x ^= x >> 27
	x *= 0x94D049BB133111EB
	x ^= x >> 31
	return float64(x>>11)/(1<<52) - 1
}

// traffic is a daily wave with noise, n steps from a Monday's midnight.
func traffic(n int, step time.Duration) features.Frame {
	day := float64(24 * time.Hour / step)
	v := make([]float64, n)
	for i := range v {
		v[i] = 1000 * (1.5 + math.Sin(2*math.Pi*float64(i)/day)) * (1 + 0.1*noise(i))
	}
	return features.Frame{Start: monday, Step: step, Observed: v, Horizon: 30}
}

var levels = []float64{0.5, 0.75, 0.9, 0.95, 0.99}

// BenchmarkTrain10080 is a full refit over a week of minutes, and a forecast.
func BenchmarkTrain10080(b *testing.B) {
	frame := traffic(10080, time.Minute)
	m := auto.New(models.Options{Levels: levels})
	b.ReportAllocs()
	for b.Loop() {
		if err := m.Train(b.Context(), frame); err != nil {
			b.Fatal(err)
		}
		if _, err := m.Predict(b.Context(), frame); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPredict10080 is a forecast between refits, five minutes on.
func BenchmarkPredict10080(b *testing.B) {
	frame := traffic(10085, time.Minute)
	later := frame
	frame.Observed = frame.Observed[:10080]
	later.Observed, later.Start = later.Observed[5:], later.Start.Add(5*time.Minute)
	m := auto.New(models.Options{Levels: levels})
	if err := m.Train(b.Context(), frame); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.Predict(b.Context(), later); err != nil {
			b.Fatal(err)
		}
	}
}
