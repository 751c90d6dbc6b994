package arima_test

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/kedastral/kedastral/forecaster/features"
	"github.com/kedastral/kedastral/forecaster/models"
	"github.com/kedastral/kedastral/forecaster/models/arima"
	"github.com/kedastral/kedastral/forecaster/series"
)

// wave is n minutes of a daily cycle with shocks that fade, from a fixed
// pseudo-random sequence.
func wave(n int) []float64 {
	out, seed, shock := make([]float64, n), uint64(1), 0.0
	for i := range out {
		seed = seed*6364136223846793005 + 1442695040888963407
		shock = 0.8*shock + 20*(float64(seed>>33)/float64(1<<31)-0.5)
		out[i] = 300 + 150*math.Sin(2*math.Pi*float64(i)/1440) + shock
	}
	return out
}

func frame(values []float64, horizon int) features.Frame {
	start := time.Date(2024, 3, 4, 0, 0, 0, 0, time.UTC)
	return features.Build(series.DataFrame{Start: start, Step: time.Minute, Values: values}, horizon, features.Calendar{})
}

var order = arima.Order{P: 1, D: 1, Q: 1}

func BenchmarkFit1000(b *testing.B) {
	y := wave(1000)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := arima.Conditional(y, nil, order); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSearch1000(b *testing.B) {
	y := wave(1000)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := arima.Search(y, nil, 1); err != nil {
			b.Fatal(err)
		}
	}
}

var levels = models.Options{Levels: []float64{0.5, 0.9, 0.95}}

func benchmarkTrain(b *testing.B, m models.Model, n int) {
	f := frame(wave(n), 30)
	b.ReportAllocs()
	for b.Loop() {
		if err := m.Train(context.Background(), f); err != nil {
			b.Fatal(err)
		}
	}
}

func benchmarkPredict(b *testing.B, m models.Model, n int) {
	f := frame(wave(n), 30)
	if err := m.Train(context.Background(), f); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.Predict(context.Background(), f); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkTrain1000(b *testing.B) { benchmarkTrain(b, build(b, arima.New)(levels), 1000) }
func BenchmarkPredict30(b *testing.B) { benchmarkPredict(b, build(b, arima.New)(levels), 1000) }
func BenchmarkSarimaTrainWeek(b *testing.B) {
	benchmarkTrain(b, build(b, arima.NewSeasonal)(levels), 10080)
}

func BenchmarkSarimaPredictWeek(b *testing.B) {
	benchmarkPredict(b, build(b, arima.NewSeasonal)(levels), 10080)
}
