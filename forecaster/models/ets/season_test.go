package ets_test

import (
	"math"
	"testing"
	"time"

	"github.com/kedastral/kedastral/forecaster/models"
	"github.com/kedastral/kedastral/forecaster/models/ets"
	"github.com/kedastral/kedastral/forecaster/models/modeltest"
	"github.com/kedastral/kedastral/forecaster/models/theta"
)

// smoothers are the models that share this package's seasons.
func smoothers() map[string]models.Model {
	return map[string]models.Model{
		"ets": ets.New(models.Options{}), "holt-winters": ets.NewHoltWinters(models.Options{}), "theta": theta.NewModel(models.Options{}),
	}
}

// The day that comes after the clocks were changed is the local one.
func TestSeasonFollowsTheClocks(t *testing.T) {
	for name, start := range modeltest.ClockChanges() {
		f, truth := modeltest.LocalDays(t, start, 13, 2*48, modeltest.OfficeHours)
		berlin := f.Calendar.Location
		for model, m := range smoothers() {
			f.Calendar.Location = berlin
			got := modeltest.MeanError(t, m, f, truth)
			f.Calendar.Location = time.UTC
			if blind := modeltest.MeanError(t, m, f, truth); got > 8 || blind < got+2 {
				t.Errorf("%s, clocks go %s: mean error %.1f of a load between 50 and 200, %.1f in UTC", model, name, got, blind)
			}
		}
	}
}

// A weekend is forecast as one where there were weekends before, and days that
// are all alike stay so.
func TestSeasonIsTheWeekWhereDaysDiffer(t *testing.T) {
	monday := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	wave := func(at time.Time) float64 {
		return 200 + 80*math.Sin(2*math.Pi*(float64(at.Hour())+float64(at.Minute())/60)/24)
	}
	weekends := func(at time.Time) float64 {
		if at.Weekday() == time.Saturday || at.Weekday() == time.Sunday {
			return 0.4 * wave(at)
		}
		return wave(at)
	}
	f, truth := modeltest.LocalDays(t, monday, 26, 48, weekends) // up to a Friday night
	same, alike := modeltest.LocalDays(t, monday, 26, 48, wave)
	for name, m := range smoothers() {
		if got := modeltest.MeanError(t, m, f, truth); got > 30 {
			t.Errorf("%s: mean error %.1f on a Saturday at two fifths of a load of 200", name, got)
		}
		if got := modeltest.MeanError(t, m, same, alike); got > 8 {
			t.Errorf("%s: mean error %.1f on a day like all others", name, got)
		}
	}
}
