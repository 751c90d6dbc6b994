package auto_test

import (
	"math"
	"testing"
	"time"

	"github.com/kedastral/kedastral/forecaster/features"
	"github.com/kedastral/kedastral/forecaster/models"
	"github.com/kedastral/kedastral/forecaster/models/auto"
)

// minutes is a daily wave with noise, n minutes from a Monday's midnight.
func minutes(n int) features.Frame {
	return frame(n, time.Minute, 30, func(i int) float64 {
		return 1000 * (1.5 + math.Sin(2*math.Pi*float64(i)/1440)) * (1 + 0.1*noise(i))
	})
}

func trained(tb testing.TB, f features.Frame) *auto.Model {
	tb.Helper()
	m := auto.New(models.Options{Levels: levels})
	if err := m.Train(tb.Context(), f); err != nil {
		tb.Fatal(err)
	}
	return m
}

// BenchmarkTrain10080 is a full fit over a week of minutes, and a forecast.
func BenchmarkTrain10080(b *testing.B) {
	f := minutes(10080)
	m := trained(b, f)
	b.ReportAllocs()
	for b.Loop() {
		if err := m.Train(b.Context(), f); err != nil {
			b.Fatal(err)
		}
		if _, err := m.Predict(b.Context(), f); err != nil {
			b.Fatal(err)
		}
	}
}

// later is a frame five minutes on, of the same length.
func later(f features.Frame) features.Frame {
	next := minutes(len(f.Observed) + 5)
	next.Observed, next.Start = next.Observed[5:], f.Start.Add(5*time.Minute)
	return next
}

// BenchmarkPredict10080 is a forecast between fits, five minutes on.
func BenchmarkPredict10080(b *testing.B) {
	f := minutes(10080)
	m := trained(b, f)
	f = later(f)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.Predict(b.Context(), f); err != nil {
			b.Fatal(err)
		}
	}
}

// A fit may allocate a megabyte, a forecast 64 KiB: fleets refit all the time.
func TestAllocations(t *testing.T) {
	if raced {
		t.Skip("under the race detector pools forget at random")
	}
	f := minutes(10080)
	m, next := trained(t, f), later(f)
	for _, tt := range []struct {
		call  string
		limit int64
		run   func() error
	}{
		{"Train", 1 << 20, func() error { return m.Train(t.Context(), f) }},
		{"Predict", 64 << 10, func() error { _, err := m.Predict(t.Context(), next); return err }},
	} {
		got := testing.Benchmark(func(b *testing.B) {
			for b.Loop() {
				if err := tt.run(); err != nil {
					b.Fatal(err)
				}
			}
		}).AllocedBytesPerOp()
		if got > tt.limit {
			t.Errorf("%s allocates %d bytes; want at most %d", tt.call, got, tt.limit)
		}
	}
}
