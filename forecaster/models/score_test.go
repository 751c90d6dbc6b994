package models_test

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/kedastral/kedastral/forecaster/models"
	"github.com/kedastral/kedastral/shared/forecast"
)

func TestSkill(t *testing.T) {
	got := models.Score{
		Origins: 40, Scale: 4,
		Blocks: []models.BlockScore{
			{From: 0, To: 1, MAE: 1, LastValueMAE: 2, SeasonalMAE: 8, Levels: []models.LevelScore{{Level: 0.9, Coverage: 1, Pinball: 0.4}}},
			{From: 1, To: 4, MAE: 3, LastValueMAE: 6, SeasonalMAE: 4, Levels: []models.LevelScore{{Level: 0.9, Coverage: 0.8, Pinball: 0.8}}},
		},
	}.Skill(time.Minute)
	want := &forecast.Skill{
		Origins: 40,
		Overall: 0.5, // 1 − ¼(1 + 3·3) / min(¼(2 + 3·6), ¼(8 + 3·4))
		Blocks: []forecast.SkillAt{
			{ToSeconds: 60, LastValue: 0.5, Seasonal: 0.875, MAE: 1},
			{ToSeconds: 240, LastValue: 0.5, Seasonal: 0.25, MAE: 3},
		},
		MASE:     2.5 / 4,
		Coverage: []forecast.Coverage{{Level: 0.9, Measured: 0.85}},
		Pinball:  []forecast.LevelLoss{{Level: 0.9, Loss: 0.7 / 4}},
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateApprox(0, 1e-12)); diff != "" {
		t.Errorf("Skill (-want +got):\n%s", diff)
	}
}

// Errors of zero have a skill too.
func TestSkillAtZero(t *testing.T) {
	for _, tt := range []struct{ mae, last, want float64 }{
		{0, 0, 0},  // nobody erred: no better than the benchmark
		{1, 0, -9}, // only the model did
		{0, 1, 1},  // only the benchmark did
		{1, math.SmallestNonzeroFloat64, -9},
		{20, 1, -9},
	} {
		s := models.Score{Origins: 1, Blocks: []models.BlockScore{{To: 1, MAE: tt.mae, LastValueMAE: tt.last, SeasonalMAE: tt.last}}}
		if got := s.Skill(time.Minute); got.Overall != tt.want || got.MASE != 0 {
			t.Errorf("skill of error %v against %v = %v, MASE %v; want %v and 0", tt.mae, tt.last, got.Overall, got.MASE, tt.want)
		}
	}
	if got := (models.Score{}).Skill(time.Minute); got != nil {
		t.Errorf("skill of nothing measured = %+v; want none", got)
	}
}

// A model is scored on what it could have known: on steps that jump at random
// the last value is right at the jump's own size and no season helps, and a
// forecast that were fitted to the truth would show here as skill.
func TestScoreOfNoiseHasNoSkill(t *testing.T) {
	f := frame(5*1440, 30, func(i int) float64 { return 100 + 10*noise(i/5) })
	for _, m := range []*models.Calibrated{models.NewNaive(models.Options{}), models.NewSeasonalNaive(models.Options{})} {
		train(t, m, f)
		if skill := m.Score().Skill(f.Step); skill.Overall > 0.05 {
			t.Errorf("%s has skill %v on noise", m.Name(), skill.Overall)
		}
	}
}

// Nothing after an origin may reach the forecast made there, so a record on a
// history is the same whatever the steps scored last would have become next.
func TestReplayDoesNotSeeTheFuture(t *testing.T) {
	calm := func(i int) float64 { return 100 + 30*math.Sin(float64(i)*2*math.Pi/1440) + 5*noise(i) }
	f := frame(6*1440, 30, calm)
	m := models.NewBaseline(models.Options{})
	train(t, m, f)
	quiet := m.Score().Blocks[0].MAE
	for i := len(f.Observed) - 2; i < len(f.Observed); i++ {
		f.Observed[i] *= 50
	}
	train(t, m, f)
	if loud := m.Score().Blocks[0].MAE; math.Abs(loud-quiet) > 0.2*quiet {
		t.Errorf("two wild last minutes change the error of earlier first steps from %v to %v", quiet, loud)
	}
}

// noise is uniform in [0, 1) and the same on every run.
func noise(i int) float64 {
	x := math.Sin(float64(i)*12.9898) * 43758.5453
	return x - math.Floor(x)
}
