package modeltest

import (
	"testing"
	"time"

	"github.com/kedastral/kedastral/forecaster/features"
	"github.com/kedastral/kedastral/forecaster/models"
)

// Bench measures training and predicting over a week of minutes, half an hour
// ahead with three quantiles.
func Bench(b *testing.B, newModel New) {
	b.Helper()
	f := WeekOfMinutes()
	m := newModel(models.Options{Levels: []float64{0.5, 0.9, 0.95}})
	b.Run("train", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := m.Train(b.Context(), f); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("predict", func(b *testing.B) {
		if err := m.Train(b.Context(), f); err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			if _, err := m.Predict(b.Context(), f); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// WeekOfMinutes is the history that models are timed on.
func WeekOfMinutes() features.Frame {
	return frame(time.Minute, 30, 7*1440, func(i int) float64 { return 100 + 40*daily(i, 1440) + 5*noise(i) })
}
