package models_test

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/kedastral/kedastral/forecaster/features"
	"github.com/kedastral/kedastral/forecaster/models"
)

// frame is a history of one-minute steps.
func frame(n, horizon int, at func(i int) float64) features.Frame {
	observed := make([]float64, n)
	for i := range observed {
		observed[i] = at(i)
	}
	return features.Frame{Start: time.Unix(0, 0).UTC(), Step: time.Minute, Observed: observed, Horizon: horizon}
}

func train(t *testing.T, m models.Model, f features.Frame) models.Forecast {
	t.Helper()
	if err := m.Train(t.Context(), f); err != nil {
		t.Fatalf("Train: %v", err)
	}
	got, err := m.Predict(t.Context(), f)
	if err != nil {
		t.Fatalf("Predict: %v", err)
	}
	return got
}

func TestPredictBeforeTrain(t *testing.T) {
	m := models.NewNaive(models.Options{})
	if _, err := m.Predict(t.Context(), frame(10, 3, func(int) float64 { return 1 })); !errors.Is(err, models.ErrUntrained) {
		t.Errorf("Predict before Train: %v; want ErrUntrained", err)
	}
}

// A daily wave that repeats exactly: the seasonal copy is perfect, so its
// skill is 1 and its band has no width.
func TestSeasonalNaiveOnAPerfectSeason(t *testing.T) {
	m := models.NewSeasonalNaive(models.Options{Levels: []float64{0.5, 0.9}})
	wave := func(i int) float64 { return float64(100 + i%1440) }
	f := frame(4*1440+600, 30, wave)
	got := train(t, m, f)
	for h, v := range got.Values {
		if want := wave(len(f.Observed) + h); v != want || got.Quantiles[1].Values[h] != want {
			t.Fatalf("step %d: median %v, p90 %v; want %v", h, v, got.Quantiles[1].Values[h], want)
		}
	}
	skill := m.Score().Skill(f.Step)
	// The seasonal benchmark is the model itself: level with it, no better.
	if skill.Blocks[0].Seasonal != 0 || skill.Blocks[0].LastValue != 1 || skill.Overall != 0 {
		t.Errorf("skill = %+v; want 1 over the last value and 0 over the season", skill)
	}
}

// The p90 of white noise around a constant is known: it must hold about 90 %
// of what comes, measured and in truth.
func TestNaiveBandHoldsItsShare(t *testing.T) {
	noise := func(i int) float64 { // deterministic and uniform in [0, 1)
		x := math.Sin(float64(i)*12.9898) * 43758.5453
		return x - math.Floor(x)
	}
	m := models.NewNaive(models.Options{Levels: []float64{0.1, 0.9}})
	f := frame(3*1440, 15, func(i int) float64 { return 100 + 10*noise(i) })
	train(t, m, f)
	for _, c := range m.Score().Skill(f.Step).Coverage {
		if math.Abs(c.Measured-c.Level) > 0.05 {
			t.Errorf("coverage at %v measured %v; want within 0.05", c.Level, c.Measured)
		}
	}
	var covered, n float64
	for origin := 3 * 1440; origin < 6*1440; origin += 37 {
		later := frame(origin, 15, func(i int) float64 { return 100 + 10*noise(i) })
		got, err := m.Predict(t.Context(), later)
		if err != nil {
			t.Fatal(err)
		}
		for h, q := range got.Quantiles[1].Values {
			n++
			if 100+10*noise(origin+h) <= q {
				covered++
			}
		}
	}
	if share := covered / n; share < 0.85 || share > 0.96 {
		t.Errorf("p90 held %.3f of later values; want about 0.9", share)
	}
}
