package models

import (
	"math"
	"time"

	"github.com/kedastral/kedastral/forecaster/features"
	"github.com/kedastral/kedastral/forecaster/series"
	"github.com/kedastral/kedastral/shared/forecast"
)

// worst bounds a skill from below: ten times the benchmark's error or more.
const worst = -9

// score is a replay's record, the bands measured on outcomes that they were
// not learned from.
func (p past) score(levels []float64, measured []measurement) Score {
	if len(p.outcomes) == 0 {
		return Score{}
	}
	s := Score{Origins: p.origins}
	for b := range len(p.bounds) - 1 {
		block := BlockScore{From: p.bounds[b], To: p.bounds[b+1]}
		var n float64
		for _, o := range p.outcomes {
			if o.block == b {
				n++
				block.MAE += (math.Abs(o.truth-o.forecast) - block.MAE) / n
				block.LastValueMAE += (math.Abs(o.truth-o.last) - block.LastValueMAE) / n
				block.SeasonalMAE += (math.Abs(o.truth-o.seasonal) - block.SeasonalMAE) / n
			}
		}
		if n == 0 {
			continue
		}
		for l, level := range levels {
			m := measured[b*len(levels)+l]
			block.Levels = append(block.Levels, LevelScore{Level: level, Coverage: m.covered / n, Pinball: m.pinball / n})
		}
		s.Blocks = append(s.Blocks, block)
	}
	return s
}

// Skill is the score as the snapshot carries it, nil where nothing was
// measured. Overall compares with the better of the two benchmarks over the
// whole horizon, each block weighing as much as it has steps.
//
// A skill is 1 − error/benchmark: 1 is perfect, 0 no better, −9 the floor.
// Where the benchmark never erred it is 0 for a model that did not either and
// the floor for one that did.
func (s Score) Skill(step time.Duration) *forecast.Skill {
	if s.Origins == 0 || len(s.Blocks) == 0 {
		return nil
	}
	out := &forecast.Skill{Origins: s.Origins}
	var steps, mae, last, seasonal float64
	for _, b := range s.Blocks {
		out.Blocks = append(out.Blocks, forecast.SkillAt{
			ToSeconds: b.To * int(step/time.Second),
			LastValue: skill(b.MAE, b.LastValueMAE), Seasonal: skill(b.MAE, b.SeasonalMAE), MAE: b.MAE,
		})
		steps += float64(b.To - b.From)
		share := float64(b.To-b.From) / steps
		mae += share * (b.MAE - mae)
		last += share * (b.LastValueMAE - last)
		seasonal += share * (b.SeasonalMAE - seasonal)
	}
	out.Overall = skill(mae, min(last, seasonal))
	out.MASE = s.scaled(mae)
	out.Coverage, out.Pinball = s.levels()
	return out
}

// levels averages every level over the blocks.
func (s Score) levels() ([]forecast.Coverage, []forecast.LevelLoss) {
	var coverage []forecast.Coverage
	var losses []forecast.LevelLoss
	for l, first := range s.Blocks[0].Levels {
		var steps, covered, loss float64
		for _, b := range s.Blocks {
			steps += float64(b.To - b.From)
			share := float64(b.To-b.From) / steps
			covered += share * (b.Levels[l].Coverage - covered)
			loss += share * (b.Levels[l].Pinball - loss)
		}
		coverage = append(coverage, forecast.Coverage{Level: first.Level, Measured: covered})
		losses = append(losses, forecast.LevelLoss{Level: first.Level, Loss: s.scaled(loss)})
	}
	return coverage, losses
}

// scaled is an error in units of the in-sample scale; 0 where that is unknown.
func (s Score) scaled(err float64) float64 {
	if s.Scale <= 0 {
		return 0
	}
	return min(err/s.Scale, math.MaxFloat64)
}

func skill(err, benchmark float64) float64 {
	switch {
	case err == 0 && benchmark == 0:
		return 0
	case benchmark <= 0:
		return worst
	}
	return max(worst, 1-err/benchmark)
}

// seasonalScale is the mean absolute change over a day, or from one
// observation to the next where the history holds no day.
func seasonalScale(f features.Frame) float64 {
	season := int(day / f.Step)
	if mae, n := meanChange(f.Observed, season); n > 0 {
		return mae
	}
	mae, _ := meanChange(f.Observed, 1)
	return mae
}

// meanChange is the mean absolute change over lag steps, and of how many.
func meanChange(values []float64, lag int) (mean float64, n int) {
	for i := lag; i < len(values); i++ {
		if series.Observed(values[i]) && series.Observed(values[i-lag]) {
			n++
			mean += (math.Abs(values[i]-values[i-lag]) - mean) / float64(n)
		}
	}
	return mean, n
}
