package modeltest

import (
	"testing"

	"github.com/kedastral/kedastral/forecaster/features"
	"github.com/kedastral/kedastral/forecaster/models"
	"github.com/kedastral/kedastral/forecaster/series"
)

// checkShape holds a forecast to its type's promises.
func checkShape(t *testing.T, got models.Forecast, f features.Frame, levels []float64) {
	t.Helper()
	low, _ := extremes(f.Observed)
	checkPath(t, "median", got.Values, f.Horizon, low)
	if len(got.Quantiles) != len(levels) {
		t.Fatalf("%d quantiles; want %d", len(got.Quantiles), len(levels))
	}
	for i, q := range got.Quantiles {
		if q.Level != levels[i] {
			t.Fatalf("quantile %d is of level %v; want %v", i, q.Level, levels[i])
		}
		checkPath(t, "quantile", q.Values, f.Horizon, low)
		for h, v := range q.Values {
			switch median := got.Values[h]; {
			case i > 0 && v < got.Quantiles[i-1].Values[h]:
				t.Fatalf("step %d: quantile %v is %v, %v is %v: they cross", h, q.Level, v, levels[i-1], got.Quantiles[i-1].Values[h])
			case q.Level < 0.5 && v > median || q.Level > 0.5 && v < median:
				t.Fatalf("step %d: quantile %v is %v, on the wrong side of the median %v", h, q.Level, v, median)
			}
		}
	}
}

func checkPath(t *testing.T, what string, values []float64, horizon int, low float64) {
	t.Helper()
	if len(values) != horizon {
		t.Fatalf("%s has %d steps; want %d", what, len(values), horizon)
	}
	for h, v := range values {
		if !series.Observed(v) {
			t.Fatalf("%s step %d is %v", what, h, v)
		}
		if low >= 0 && v < 0 {
			t.Fatalf("%s step %d is %v after a history that never was negative", what, h, v)
		}
	}
}

// score asks a model that measures itself for a record, on a history that is
// long enough for one.
func score(t *testing.T, newModel New) {
	f, m := days(4), newModel(options())
	must(t, m, f)
	scored, ok := m.(models.Scored)
	if !ok {
		t.Skip("the model does not measure itself")
	}
	s := scored.Score()
	if s.Origins < 20 || s.Scale <= 0 {
		t.Errorf("four days give %d origins, scale %v; want at least 20 and a scale", s.Origins, s.Scale)
	}
	checkScore(t, s, f)
	for _, c := range s.Skill(f.Step).Coverage {
		if c.Measured < c.Level-0.15 || c.Measured > c.Level+0.15 {
			t.Errorf("level %v held %v of the truth on a tame history", c.Level, c.Measured)
		}
	}
}

// checkScore holds a score to its type's promises.
func checkScore(t *testing.T, s models.Score, f features.Frame) {
	t.Helper()
	numbers := []float64{s.Scale}
	to := 0
	for _, b := range s.Blocks {
		if b.From < to || b.To <= b.From || b.To > f.Horizon {
			t.Fatalf("block [%d, %d) after %d in a horizon of %d", b.From, b.To, to, f.Horizon)
		}
		to = b.To
		numbers = append(numbers, b.MAE, b.LastValueMAE, b.SeasonalMAE)
		for _, l := range b.Levels {
			numbers = append(numbers, l.Pinball, l.Coverage)
			if l.Coverage > 1 {
				t.Errorf("coverage %v of level %v", l.Coverage, l.Level)
			}
		}
	}
	for _, v := range numbers {
		if !series.Observed(v) || v < 0 {
			t.Fatalf("score holds %v: %+v", v, s)
		}
	}
	skill := s.Skill(f.Step)
	if skill == nil {
		return
	}
	for _, v := range []float64{skill.Overall, skill.MASE} {
		if !series.Observed(v) {
			t.Fatalf("skill holds %v: %+v", v, skill)
		}
	}
}
