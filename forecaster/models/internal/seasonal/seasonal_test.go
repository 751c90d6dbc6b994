package seasonal_test

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kedastral/kedastral/forecaster/models/internal/seasonal"
)

func TestAverageIsTakenOverWholeSeasons(t *testing.T) {
	y := []float64{1, 2, 3, 4, 5, 6}
	for width, want := range map[int][]float64{
		3: {2, 3, 4, 5},
		4: {3, 4}, // half of each end
		1: y,
		7: nil, // longer than the series
		0: nil,
	} {
		if diff := cmp.Diff(want, seasonal.Average(y, width)); diff != "" {
			t.Errorf("Average(%v, %d) (-want +got):\n%s", y, width, diff)
		}
	}
}

func TestShapeFindsASeasonOnATrend(t *testing.T) {
	shape := []float64{-3, 1, 4, -2}
	slots := seasonal.Slots{Count: 4, Hold: 1, Phase: 3}
	y, z := make([]float64, 40), make([]float64, 40)
	for i := range y {
		y[i] = 100 + 0.5*float64(i) + shape[(i+3)%4]
		z[i] = 100 * (1 + shape[(i+3)%4]/10)
	}
	for slot, got := range slots.Shape(y, false, seasonal.Median) {
		if math.Abs(got-shape[slot]) > 1e-9 {
			t.Errorf("slot %d added = %v, want %v", slot, got, shape[slot])
		}
	}
	for slot, got := range slots.Shape(z, true, seasonal.Mean) {
		if want := 1 + shape[slot]/10; math.Abs(got-want) > 1e-9 {
			t.Errorf("slot %d multiplied = %v, want %v", slot, got, want)
		}
	}
	if got := slots.Shape(y[:7], false, seasonal.Mean); got != nil {
		t.Errorf("a shape of less than two seasons = %v, want none", got)
	}
}

func TestStrengthAndCertaintyTellSeasonsFromNoise(t *testing.T) {
	noise, wave := make([]float64, 480), make([]float64, 480)
	seed := uint64(7)
	for i := range noise {
		seed = seed*6364136223846793005 + 1442695040888963407
		noise[i] = float64(seed>>33) / float64(1<<31)
		wave[i] = 3*math.Sin(2*math.Pi*float64(i)/24) + noise[i]
	}
	if got := seasonal.Strength(noise, 24); got > 0.2 || seasonal.Certain(noise, 24) {
		t.Errorf("noise has a season of strength %v, certain: %v", got, seasonal.Certain(noise, 24))
	}
	if got := seasonal.Strength(wave, 24); got < 0.9 || !seasonal.Certain(wave, 24) {
		t.Errorf("a wave has a season of strength %v, certain: %v", got, seasonal.Certain(wave, 24))
	}
	constant := make([]float64, 480)
	if got := seasonal.Strength(constant, 24); got != 0 || seasonal.Certain(constant, 24) {
		t.Errorf("a constant has a season of strength %v", got)
	}
}
