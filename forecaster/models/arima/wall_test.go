package arima_test

import (
	"math"
	"testing"
	"time"

	"github.com/kedastral/kedastral/forecaster/features"
	"github.com/kedastral/kedastral/forecaster/models"
	"github.com/kedastral/kedastral/forecaster/models/arima"
	"github.com/kedastral/kedastral/forecaster/models/modeltest"
)

// The season is the local day before, on and after the days that clocks are
// changed on, from origins within the changed hours, too.
func TestSeasonFollowsTheClocks(t *testing.T) {
	sarima := build(t, arima.NewSeasonal)
	meanError := func(f features.Frame, truth []float64) float64 {
		return modeltest.MeanError(t, sarima(models.Options{}), f, truth)
	}
	for name, start := range modeltest.ClockChanges() {
		f, truth := modeltest.LocalDays(t, start, 13, 2*48, modeltest.OfficeHours)
		got := meanError(f, truth)
		f.Calendar.Location = time.UTC
		if blind := meanError(f, truth); got > 10 || blind < got+2 {
			t.Errorf("clocks go %s: mean error %.1f of a load between 50 and 200, %.1f in UTC", name, got, blind)
		}
		all, _ := modeltest.LocalDays(t, start, 16, 48, modeltest.OfficeHours)
		for n := 13 * 48; n <= 14*48; n++ { // all through the day of the change
			if got := meanError(all.Before(n), all.Observed[n:n+48]); got > 12 {
				t.Errorf("clocks go %s, origin %v: mean error %.1f", name, all.Before(n).Origin(), got)
			}
		}
	}
}

// A weekend is forecast as one where there were weekends before.
func TestSeasonIsTheWeekWhereDaysDiffer(t *testing.T) {
	weekends := func(at time.Time) float64 {
		if at.Weekday() == time.Saturday || at.Weekday() == time.Sunday {
			return 60
		}
		return 200 + 20*math.Sin(2*math.Pi*float64(at.Hour())/24)
	}
	f, truth := modeltest.LocalDays(t, time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC), 26, 40, weekends) // up to a Friday night
	if got := modeltest.MeanError(t, build(t, arima.NewSeasonal)(models.Options{}), f, truth); got > 20 {
		t.Errorf("mean error %.1f on a Saturday of 60 after a Friday of 200", got)
	}
}
