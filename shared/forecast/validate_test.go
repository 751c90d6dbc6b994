package forecast_test

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/kedastral/kedastral/shared/forecast"
)

// good is a snapshot that keeps every rule and has every field.
func good() forecast.Snapshot {
	t := time.Date(2026, 3, 29, 1, 0, 0, 0, time.UTC)
	return forecast.Snapshot{
		Workload: "shop/checkout", Metric: "http_requests per second", GeneratedAt: t,
		IntervalSeconds: 60, DelaySeconds: 20, StepSeconds: 60, HorizonSeconds: 180, Values: []float64{10, 20.5, 0},
		Quantiles:       []forecast.Quantile{{0.1, []float64{8, 15, -1}}, {0.5, []float64{10, 20.5, 0}}, {0.95, []float64{10, 40, 1}}},
		DesiredReplicas: []int{1, 2, 0}, ForecastPlan: []int{2, 3, 4},
		Model: "auto", Mode: forecast.Shadow, Reason: "SHADOW=true: “watched” only",
		Observed: &forecast.Observation{Value: 9.5, At: t},
		Skill: &forecast.Skill{
			Origins: 7, Overall: 0.3, MASE: 0.7,
			Blocks:   []forecast.SkillAt{{ToSeconds: 180, LastValue: 0.3, Seasonal: -0.1, MAE: 2}},
			Coverage: []forecast.Coverage{{0.95, 0.93}}, Pinball: []forecast.LevelLoss{{0.95, 0.2}},
		},
	}
}

func TestValidateAcceptsWhatKeepsTheRules(t *testing.T) {
	for name, change := range map[string]func(*forecast.Snapshot){
		"every field":     func(*forecast.Snapshot) {},
		"the least":       func(s *forecast.Snapshot) { s.Quantiles, s.ForecastPlan, s.Observed, s.Skill = nil, nil, nil, nil },
		"float slack":     func(s *forecast.Snapshot) { s.Quantiles[2].Values[0] = 10 - 1e-12 },
		"largest count":   func(s *forecast.Snapshot) { s.DesiredReplicas[0] = math.MaxInt32 },
		"largest horizon": func(s *forecast.Snapshot) { *s = long(forecast.MaxSteps) },
		"line breaks":     func(s *forecast.Snapshot) { s.Metric = "sum(\n\trate(x[1m]))" },
	} {
		s := good()
		change(&s)
		if err := s.Validate(); err != nil {
			t.Errorf("%s: Validate = %v", name, err)
		}
	}
}

func long(n int) forecast.Snapshot {
	s := good()
	s.Quantiles, s.ForecastPlan = nil, nil
	s.Values, s.DesiredReplicas, s.HorizonSeconds = make([]float64, n), make([]int, n), n*s.StepSeconds
	return s
}

func TestValidateNamesFieldValueAndRule(t *testing.T) {
	for _, tt := range []struct {
		want   string
		change func(*forecast.Snapshot)
	}{
		{`workload: malformed workload name: "checkout"`, func(s *forecast.Snapshot) { s.Workload = "checkout" }},
		{"generatedAt=0001-01-01T00:00:00Z: must be", func(s *forecast.Snapshot) { s.GeneratedAt = time.Time{} }},
		{"generatedAt=9999", func(s *forecast.Snapshot) { s.GeneratedAt = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC) }},
		{"generatedAt=2026-03-29T01:00:01Z: must be a multiple of the step of 60 s", func(s *forecast.Snapshot) { s.GeneratedAt = s.GeneratedAt.Add(time.Second) }},
		{"generatedAt=2026-03-29T01:00:00.000000001Z", func(s *forecast.Snapshot) { s.GeneratedAt = s.GeneratedAt.Add(1) }},
		{"intervalSeconds=0: must be", func(s *forecast.Snapshot) { s.IntervalSeconds = 0 }},
		{"intervalSeconds=-60: must be", func(s *forecast.Snapshot) { s.IntervalSeconds = -60 }},
		{"intervalSeconds=9223372036854775807: must be", func(s *forecast.Snapshot) { s.IntervalSeconds = math.MaxInt }},
		{"delaySeconds=-1: must be between 0 and 604800", func(s *forecast.Snapshot) { s.DelaySeconds = -1 }},
		{"delaySeconds=9223372036854775807: must be", func(s *forecast.Snapshot) { s.DelaySeconds = math.MaxInt }},
		{"stepSeconds=0: must be between 1 and 86400", func(s *forecast.Snapshot) { s.StepSeconds = 0 }},
		{"stepSeconds=-60: must be between 1 and 86400", func(s *forecast.Snapshot) { s.StepSeconds, s.HorizonSeconds = -60, -180 }},
		{"stepSeconds=86401: must be", func(s *forecast.Snapshot) { s.StepSeconds = 86401 }},
		{"values: has 0 elements: must have 1 to 10080", func(s *forecast.Snapshot) { *s = long(0) }},
		{"values: has 10081 elements", func(s *forecast.Snapshot) { *s = long(10081) }},
		{"horizonSeconds=240: must be 180", func(s *forecast.Snapshot) { s.HorizonSeconds = 240 }},
		{"desiredReplicas: has 2 elements: must have 3", func(s *forecast.Snapshot) { s.DesiredReplicas = []int{1, 2} }},
		{"desiredReplicas: has 0 elements: must have 3", func(s *forecast.Snapshot) { s.DesiredReplicas = nil }},
		{"forecastPlan: has 1 elements", func(s *forecast.Snapshot) { s.ForecastPlan = []int{1} }},
		{"values[1]=NaN: must be finite", func(s *forecast.Snapshot) { s.Values[1] = math.NaN() }},
		{"values[2]=-Inf: must be finite", func(s *forecast.Snapshot) { s.Values[2] = math.Inf(-1) }},
		{"desiredReplicas[0]=-1: must be between 0 and 2147483647", func(s *forecast.Snapshot) { s.DesiredReplicas[0] = -1 }},
		{"desiredReplicas[0]=2147483648: must be", func(s *forecast.Snapshot) { s.DesiredReplicas[0] = 1 << 31 }},
		{"forecastPlan[2]=-3: must be", func(s *forecast.Snapshot) { s.ForecastPlan[2] = -3 }},
		{"quantiles[0].level=0: must be between 0 and 1", func(s *forecast.Snapshot) { s.Quantiles[0].Level = 0 }},
		{"quantiles[2].level=1: must be", func(s *forecast.Snapshot) { s.Quantiles[2].Level = 1 }},
		{"quantiles[1].level=NaN: must be", func(s *forecast.Snapshot) { s.Quantiles[1].Level = math.NaN() }},
		{"quantiles[1].level=0.1: must be above the level before it", func(s *forecast.Snapshot) { s.Quantiles[1].Level = 0.1 }},
		{"quantiles[2].values: has 1 elements", func(s *forecast.Snapshot) { s.Quantiles[2].Values = []float64{1} }},
		{"quantiles[2].values[1]=+Inf: must be finite", func(s *forecast.Snapshot) { s.Quantiles[2].Values[1] = math.Inf(1) }},
		{"quantiles[2].values[1]=20: must not be below that of level 0.5, 20.5", func(s *forecast.Snapshot) { s.Quantiles[2].Values[1] = 20 }},
		{"quantiles: has 100 levels", func(s *forecast.Snapshot) { s.Quantiles = make([]forecast.Quantile, 100) }},
		{`mode="": must be predictive, reactive or shadow`, func(s *forecast.Snapshot) { s.Mode = "" }},
		{`mode="Predictive": must be`, func(s *forecast.Snapshot) { s.Mode = "Predictive" }},
		{`metric="a\x1b[31m": must hold no control characters`, func(s *forecast.Snapshot) { s.Metric = "a\x1b[31m" }},
		{`model="\xff": must be UTF-8`, func(s *forecast.Snapshot) { s.Model = "\xff" }},
		{"reason: has 4097 bytes: must have at most 4096", func(s *forecast.Snapshot) { s.Reason = strings.Repeat("x", 4097) }},
		{"observed.value=NaN: must be finite", func(s *forecast.Snapshot) { s.Observed.Value = math.NaN() }},
		{"observed.at=0001-01-01T00:00:00Z: must be", func(s *forecast.Snapshot) { s.Observed.At = time.Time{} }},
		{"skill.overall=-Inf: must be finite", func(s *forecast.Snapshot) { s.Skill.Overall = math.Inf(-1) }},
		{"skill.mase=NaN: must be finite", func(s *forecast.Snapshot) { s.Skill.MASE = math.NaN() }},
		{"skill.origins=-1: must not be", func(s *forecast.Snapshot) { s.Skill.Origins = -1 }},
		{"skill.blocks[0].overSeasonal=NaN: must be finite", func(s *forecast.Snapshot) { s.Skill.Blocks[0].Seasonal = math.NaN() }},
		{"skill.coverage[0].measured=NaN: must be finite", func(s *forecast.Snapshot) { s.Skill.Coverage[0].Measured = math.NaN() }},
		{"skill.pinball[0].loss=NaN: must be finite", func(s *forecast.Snapshot) { s.Skill.Pinball[0].Loss = math.NaN() }},
		{"skill: a list has 100 elements", func(s *forecast.Snapshot) { s.Skill.Pinball = make([]forecast.LevelLoss, 100) }},
	} {
		s := good()
		tt.change(&s)
		err := s.Validate()
		if !errors.Is(err, forecast.ErrInvalid) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Validate = %v; want an ErrInvalid with %q", err, tt.want)
		}
		if _, err := forecast.Encode(s); !errors.Is(err, forecast.ErrInvalid) {
			t.Errorf("Encode with %s = %v; want ErrInvalid", tt.want, err)
		}
	}
}

func TestValidateNamesEveryFieldAtFault(t *testing.T) {
	s := good()
	s.Workload, s.Mode, s.StepSeconds, s.DesiredReplicas[1] = "", "", 0, -1
	err := s.Validate()
	for _, want := range []string{"workload: ", "mode=", "stepSeconds=0", "desiredReplicas[1]=-1"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Validate = %v; want %q in it", err, want)
		}
	}
}

func TestAnswers(t *testing.T) {
	if err := good().Answers("shop/checkout"); err != nil {
		t.Errorf("Answers its own workload = %v", err)
	}
	for _, other := range []string{"shop/search", "bank/checkout", "shop/checkout2", ""} {
		if err := good().Answers(other); !errors.Is(err, forecast.ErrInvalid) {
			t.Errorf("Answers(%q) = %v; want ErrInvalid", other, err)
		}
	}
}
