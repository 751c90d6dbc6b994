package models_test

import (
	"math"
	"testing"
	"time"

	"github.com/kedastral/kedastral/forecaster/features"
	"github.com/kedastral/kedastral/forecaster/models"
)

// mae is the mean absolute error of a forecast of what at would have been.
func mae(got models.Forecast, origin int, at func(int) float64) float64 {
	sum := 0.0
	for h, v := range got.Values {
		sum += math.Abs(v - at(origin+h))
	}
	return sum / float64(len(got.Values))
}

// On loads with a pattern the baseline beats both copies, from several hours of
// the day, and its own score says so.
func TestBaselineBeatsTheBenchmarks(t *testing.T) {
	day := func(i int) float64 { return math.Sin(float64(i) * 2 * math.Pi / 1440) }
	for name, load := range map[string]func(int) float64{
		"daily, level wanders": func(i int) float64 {
			return (200 + 120*day(i)) * (1 + 0.3*math.Sin(float64(i)/4000)) * (0.95 + 0.1*noise(i))
		},
		"cron every hour": func(i int) float64 {
			burst := 0.0
			if i%60 < 5 {
				burst = 150
			}
			return 100 + 30*day(i) + burst + 10*noise(i)
		},
		"weekend off": func(i int) float64 {
			open := 1.0
			if d := (i / 1440) % 7; d > 4 {
				open = 0.2
			}
			return open*(300+200*day(i)) + 10*noise(i) + 40*math.Sin(float64(i)/900)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var errs [3]float64
			var skill float64
			for _, hour := range []int{7, 20} {
				f := frame(15*1440+hour*60, 60, load)
				for k, m := range []*models.Calibrated{
					models.NewBaseline(models.Options{}), models.NewNaive(models.Options{}), models.NewSeasonalNaive(models.Options{}),
				} {
					errs[k] += mae(train(t, m, f), len(f.Observed), load)
					if k == 0 {
						skill += m.Score().Skill(f.Step).Overall / 2
					}
				}
			}
			if errs[0] > 0.95*min(errs[1], errs[2]) || skill < 0.05 {
				t.Errorf("errors of baseline %.1f, naive %.1f, seasonal-naive %.1f; skill %.2f; want at most 0.95 of the better and a skill of 0.05", errs[0], errs[1], errs[2], skill)
			}
		})
	}
}

// Spikes of a thousand times the load leave the level where it was; a level
// that moved for good is followed within minutes.
func TestBaselineIsRobustButNotDeaf(t *testing.T) {
	calm := func(i int) float64 { return 100 + noise(i) }
	for _, tt := range []struct {
		name      string
		load      func(i int) float64
		low, high float64
	}{
		{"spike two minutes ago", func(i int) float64 {
			if i == 4318 {
				return 100_000
			}
			return calm(i)
		}, 90, 130},
		{"level shift half an hour ago", func(i int) float64 {
			if i >= 4290 {
				return 3 * calm(i)
			}
			return calm(i)
		}, 280, 320},
	} {
		for h, v := range train(t, models.NewBaseline(models.Options{}), frame(4320, 15, tt.load)).Values {
			if v < tt.low || v > tt.high {
				t.Errorf("%s: step %d is %v; want between %v and %v", tt.name, h, v, tt.low, tt.high)
				break
			}
		}
	}
}

// When clocks go forward the local peak comes an hour earlier in UTC; the
// seasons follow the wall clock.
func TestSeasonsFollowTheWallClock(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	start := time.Date(2026, time.March, 8, 23, 0, 0, 0, time.UTC)
	load := func(i int) float64 { // depends on the local hour alone
		local := start.Add(time.Duration(i) * 10 * time.Minute).In(berlin)
		return 100 + 50*math.Sin(2*math.Pi*float64(local.Hour()*60+local.Minute())/1440)
	}
	n := int(time.Date(2026, time.March, 29, 6, 0, 0, 0, berlin).Sub(start) / (10 * time.Minute))
	f := features.Frame{
		Start: start, Step: 10 * time.Minute, Observed: make([]float64, n), Horizon: 36,
		Calendar: features.Calendar{Location: berlin},
	}
	for i := range f.Observed {
		f.Observed[i] = load(i)
	}
	if err := mae(train(t, models.NewSeasonalNaive(models.Options{}), f), n, load); err != 0 {
		t.Errorf("seasonal-naive errs by %v on the day clocks change; want 0", err)
	}
	// In UTC the season would come an hour late: an error of about 10.
	if err := mae(train(t, models.NewBaseline(models.Options{}), f), n, load); err > 2 {
		t.Errorf("baseline errs by %v on the day clocks change; want at most 2", err)
	}
}

// What the baseline writes at many origins in one pass is what it forecasts
// from each of them.
func TestScoreIsOfTheForecastsItMakes(t *testing.T) {
	load := func(i int) float64 { return 100 + 40*math.Sin(float64(i)*2*math.Pi/1440) + 10*noise(i) }
	f := frame(6*1440, 20, load)
	m := models.NewBaseline(models.Options{})
	train(t, m, f)
	var sum, n float64
	for origin := 4 * 1440; origin < 6*1440-20; origin += 173 {
		got, err := m.Predict(t.Context(), f.Before(origin))
		if err != nil {
			t.Fatal(err)
		}
		sum, n = sum+mae(got, origin, load), n+1
	}
	scored := m.Score().Skill(f.Step).MASE * m.Score().Scale
	if forecast := sum / n; scored < 0.7*forecast || scored > 1.4*forecast {
		t.Errorf("scored error %v; forecasts from the same days err by %v", scored, forecast)
	}
}
