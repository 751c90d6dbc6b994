package modeltest

import (
	"math"
	"testing"
	"time"

	"github.com/kedastral/kedastral/forecaster/features"
	"github.com/kedastral/kedastral/forecaster/models"
)

// LocalDays are half-hours of a load by the local time of Berlin, give or take
// three, and what comes in the horizon after them.
func LocalDays(tb testing.TB, start time.Time, days, horizon int, load func(time.Time) float64) (f features.Frame, truth []float64) {
	tb.Helper()
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		tb.Fatal(err)
	}
	f = frame(30*time.Minute, horizon, 48*days+horizon, func(i int) float64 {
		return load(start.Add(time.Duration(i)*30*time.Minute).In(berlin)) + 3*math.Sin(float64(i*i))
	})
	f.Start, f.Calendar.Location = start, berlin
	truth, f.Observed = f.Observed[48*days:], f.Observed[:48*days]
	return f, truth
}

// OfficeHours is a load of the local working day: 200, and 50 outside it.
func OfficeHours(at time.Time) float64 {
	if at.Hour() >= 8 && at.Hour() < 18 {
		return 200
	}
	return 50
}

// ClockChanges are 13 days before clocks go forward and back in Berlin.
func ClockChanges() map[string]time.Time {
	return map[string]time.Time{
		"forward": time.Date(2026, time.March, 15, 23, 0, 0, 0, time.UTC),
		"back":    time.Date(2026, time.October, 11, 22, 0, 0, 0, time.UTC),
	}
}

// MeanError trains on a frame, forecasts, and compares with the truth.
func MeanError(tb testing.TB, m models.Model, f features.Frame, truth []float64) (sum float64) {
	tb.Helper()
	if err := m.Train(tb.Context(), f); err != nil {
		tb.Fatal(err)
	}
	got, err := m.Predict(tb.Context(), f)
	if err != nil {
		tb.Fatal(err)
	}
	for h, v := range got.Values {
		sum += math.Abs(v-truth[h]) / float64(len(truth))
	}
	return sum
}
