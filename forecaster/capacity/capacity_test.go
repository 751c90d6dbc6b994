package capacity_test

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kedastral/kedastral/forecaster/capacity"
	"github.com/kedastral/kedastral/shared/forecast"
)

var (
	nan = math.NaN()
	inf = math.Inf(1)
)

func TestToReplicas(t *testing.T) {
	wide := capacity.Policy{TargetPerPod: 1, MaxReplicas: 1000}
	with := func(change func(*capacity.Policy)) capacity.Policy { p := wide; change(&p); return p }
	down10 := with(func(p *capacity.Policy) { p.DownMaxPercentPerStep = 10 })
	up2 := with(func(p *capacity.Policy) { p.UpMaxFactorPerStep = 2 })
	for _, tt := range []struct {
		name   string
		prev   int
		load   []float64
		policy capacity.Policy
		want   []int
	}{
		{"rounds up", 1, []float64{0.1, 1, 1.01}, wide, []int{1, 1, 2}},
		{"a division's last digits are no pod", 1, []float64{0.3, 0.7}, with(func(p *capacity.Policy) { p.TargetPerPod = 0.1 }), []int{3, 7}},
		{"headroom", 1, []float64{10, 11}, with(func(p *capacity.Policy) { p.Headroom = 1.2 }), []int{12, 14}},
		{"falls 10 % a step", 100, []float64{0, 0, 0}, down10, []int{90, 81, 73}},
		{"a small count still falls", 5, []float64{0, 0, 0, 0, 0, 0}, down10, []int{4, 3, 2, 1, 0, 0}},
		{"rises twofold a step", 4, []float64{50, 50, 50, 50}, up2, []int{8, 16, 32, 50}},
		{"rises from nothing", 0, []float64{9, 9, 9}, up2, []int{1, 2, 4}},
		{"a small factor still rises", 2, []float64{9, 9}, with(func(p *capacity.Policy) { p.UpMaxFactorPerStep = 1.1 }), []int{3, 4}},
		{"prewarm looks ahead", 1, []float64{1, 1, 1, 8, 1}, with(func(p *capacity.Policy) { p.PrewarmWindowSteps = 2 }), []int{1, 8, 8, 8, 1}},
		{"prewarm may look as far as it likes", 1, []float64{1, 1, 1, 8, 1}, with(func(p *capacity.Policy) { p.PrewarmWindowSteps = math.MaxInt }), []int{8, 8, 8, 8, 1}},
		{"bounds come last", 50, []float64{0, 99}, with(func(p *capacity.Policy) { p.DownMaxPercentPerStep = 10; p.MinReplicas = 3; p.MaxReplicas = 20 }), []int{20, 20}},
		{"bounds hold a fall", 4, []float64{0, 0}, with(func(p *capacity.Policy) { p.MinReplicas = 3 }), []int{3, 3}},
		{"NaN holds", 7, []float64{nan, 2, nan}, wide, []int{7, 2, 2}},
		{"infinity holds, either way", 7, []float64{inf, -inf}, wide, []int{7, 7}},
		{"NaN in the prewarm window never lowers", 7, []float64{2, nan}, with(func(p *capacity.Policy) { p.PrewarmWindowSteps = 1 }), []int{7, 7}},
		{"negative load is none", 3, []float64{-5}, wide, []int{0}},
		{"a load beyond counting is the maximum", 3, []float64{1e300}, wide, []int{1000}},
		{"nothing to plan", 3, nil, wide, []int{}},
		{"the package's example", 4, []float64{300, 900, 1000, 200, 200}, capacity.Policy{
			TargetPerPod: 100, Headroom: 1.2, MinReplicas: 2, MaxReplicas: 50, UpMaxFactorPerStep: 2, DownMaxPercentPerStep: 10,
		}, []int{4, 8, 12, 11, 10}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := capacity.ToReplicas(tt.prev, tt.load, 60, tt.policy)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("ToReplicas(%d, %v, 60, %+v): -want +got\n%s", tt.prev, tt.load, tt.policy, diff)
			}
		})
	}
}

func TestToReplicasRefusesWhatItCannotPlan(t *testing.T) {
	if got := capacity.ToReplicas(1, []float64{1}, 0, capacity.Policy{TargetPerPod: 1, MaxReplicas: 1}); got != nil {
		t.Errorf("ToReplicas with a step of 0 s = %v; want none", got)
	}
	if got := capacity.ToReplicas(1, []float64{1}, 60, capacity.Policy{MaxReplicas: 1}); got != nil {
		t.Errorf("ToReplicas without a target = %v; want none", got)
	}
}

func TestPolicyValidateNamesEveryFault(t *testing.T) {
	err := capacity.Policy{
		TargetPerPod: nan, Headroom: 0.5, MinReplicas: 3, MaxReplicas: 2, UpMaxFactorPerStep: 1,
		DownMaxPercentPerStep: 101, PrewarmWindowSteps: -1, Quantile: 1,
	}.Validate()
	if err == nil {
		t.Fatal("Validate = nil")
	}
	for _, want := range []string{
		"TargetPerPod=NaN", "Headroom=0.5", "MaxReplicas=2", "UpMaxFactorPerStep=1", "DownMaxPercentPerStep=101", "PrewarmWindowSteps=-1", "Quantile=1",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("Validate = %v; want it to name %s", err, want)
		}
	}
}

// situation is a forecast that rises from 100 to 400 with a p90 a tenth higher.
func situation() capacity.Situation {
	return capacity.Situation{
		Values:    []float64{100, 200, 400},
		Quantiles: []forecast.Quantile{{Level: 0.9, Values: []float64{110, 220, 440}}},
		Observed:  90,
		Skill:     &forecast.Skill{Origins: 50, Overall: 0.4},
	}
}

// skill has a first minute and two more minutes, each over the last value.
func skill(overall, first, rest float64) *forecast.Skill {
	return &forecast.Skill{Origins: 50, Overall: overall, Blocks: []forecast.SkillAt{
		{ToSeconds: 60, LastValue: first}, {ToSeconds: 180, LastValue: rest},
	}}
}

func TestDecide(t *testing.T) {
	policy := capacity.Policy{TargetPerPod: 10, MaxReplicas: 100}
	for _, tt := range []struct {
		name     string
		change   func(*capacity.Situation, *capacity.Rules)
		want     []int
		mode     forecast.Mode
		forecast []int
	}{
		{"the median acts", func(*capacity.Situation, *capacity.Rules) {}, []int{10, 20, 40}, forecast.Predictive, []int{10, 20, 40}},
		{
			"a stated risk takes the quantile", func(_ *capacity.Situation, r *capacity.Rules) { r.Quantile = 0.9 },
			[]int{11, 22, 44},
			forecast.Predictive,
			[]int{11, 22, 44},
		},
		{
			"never below what is needed now", func(s *capacity.Situation, _ *capacity.Rules) { s.Observed = 250 },
			[]int{25, 25, 40},
			forecast.Predictive,
			[]int{10, 20, 40},
		},
		{
			"unless told so", func(s *capacity.Situation, r *capacity.Rules) { s.Observed, r.NoFloor = 250, true },
			[]int{10, 20, 40},
			forecast.Predictive,
			[]int{10, 20, 40},
		},
		{
			"no skill, no foresight", func(s *capacity.Situation, _ *capacity.Rules) { s.Skill.Overall = 0 },
			[]int{9, 9, 9},
			forecast.Reactive,
			[]int{10, 20, 40},
		},
		{
			"level with the last season, but ahead of the last value", func(s *capacity.Situation, _ *capacity.Rules) {
				s.Skill = skill(0, 0.6, -0.1)
			},
			[]int{10, 20, 40},
			forecast.Predictive,
			[]int{10, 20, 40},
		},
		{
			"ahead for a minute, behind for the rest", func(s *capacity.Situation, _ *capacity.Rules) {
				s.Skill = skill(0.1, 0.2, -0.3)
			},
			[]int{9, 9, 9},
			forecast.Reactive,
			[]int{10, 20, 40},
		},
		{
			"unknown skill is none", func(s *capacity.Situation, _ *capacity.Rules) { s.Skill = nil },
			[]int{9, 9, 9},
			forecast.Reactive,
			[]int{10, 20, 40},
		},
		{
			"no skill keeps the measured need even without a floor", func(s *capacity.Situation, r *capacity.Rules) { s.Skill, r.NoFloor = nil, true },
			[]int{9, 9, 9},
			forecast.Reactive,
			[]int{10, 20, 40},
		},
		{
			"shadow shows and does not act", func(_ *capacity.Situation, r *capacity.Rules) { r.Shadow = true },
			[]int{9, 9, 9},
			forecast.Shadow,
			[]int{10, 20, 40},
		},
		{
			"without an observation the forecast is all there is", func(s *capacity.Situation, _ *capacity.Rules) { s.Observed, s.Skill = nan, nil },
			[]int{10, 20, 40},
			forecast.Predictive,
			[]int{10, 20, 40},
		},
		{
			"a surprise lifts", func(s *capacity.Situation, r *capacity.Rules) { s.Surprise, r.NowcastLift = 30, true },
			[]int{13, 23, 43},
			forecast.Predictive,
			[]int{13, 23, 43},
		},
		{
			"a pleasant surprise does not lower", func(s *capacity.Situation, r *capacity.Rules) { s.Surprise, r.NowcastLift = -30, true },
			[]int{10, 20, 40},
			forecast.Predictive,
			[]int{10, 20, 40},
		},
		{
			"an unknown surprise is none", func(s *capacity.Situation, r *capacity.Rules) { s.Surprise, r.NowcastLift = nan, true },
			[]int{10, 20, 40},
			forecast.Predictive,
			[]int{10, 20, 40},
		},
		{
			"past the HPA's tolerance", func(_ *capacity.Situation, r *capacity.Rules) { r.Tolerance = 0.1 },
			[]int{11, 22, 44},
			forecast.Predictive,
			[]int{10, 20, 40},
		},
		{
			"a forecast gone bad holds", func(s *capacity.Situation, _ *capacity.Rules) { s.Values = []float64{nan, inf, 400} },
			[]int{9, 9, 40},
			forecast.Predictive,
			[]int{9, 9, 40},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, r := situation(), capacity.Rules{Policy: policy}
			tt.change(&s, &r)
			got, err := capacity.Decide(s, r)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got.Replicas); diff != "" {
				t.Errorf("replicas: -want +got\n%s", diff)
			}
			if diff := cmp.Diff(tt.forecast, got.ForecastPlan); diff != "" {
				t.Errorf("forecast plan: -want +got\n%s", diff)
			}
			if got.Mode != tt.mode || (got.Reason == "") != (tt.mode == forecast.Predictive) {
				t.Errorf("mode %q because %q; want %q", got.Mode, got.Reason, tt.mode)
			}
		})
	}
}

func TestDecideRefusesToGuess(t *testing.T) {
	rules := capacity.Rules{Policy: capacity.Policy{TargetPerPod: 10, MaxReplicas: 100}}
	for name, s := range map[string]capacity.Situation{
		"no steps":                      {Observed: 5},
		"nothing known":                 {Values: []float64{nan, 3}, Observed: nan},
		"neither forecast nor observed": {Values: []float64{3, 3}, Observed: nan, NoForecast: "the model fails"},
	} {
		if got, err := capacity.Decide(s, rules); !errors.Is(err, capacity.ErrUnknownLoad) {
			t.Errorf("%s: Decide = %+v, %v; want ErrUnknownLoad", name, got, err)
		}
	}
	rules.Quantile = 0.75
	if _, err := capacity.Decide(situation(), rules); err == nil || !strings.Contains(err.Error(), "0.75") {
		t.Errorf("a quantile that was not forecast: %v; want an error that names it", err)
	}
}

// Without a forecast the load observed is planned for, whatever quantile is
// asked and whatever limits there are.
func TestDecideWithoutAForecast(t *testing.T) {
	rules := capacity.Rules{Policy: capacity.Policy{TargetPerPod: 10, MinReplicas: 1, MaxReplicas: 100, Quantile: 0.75}, NoFloor: true}
	got, err := capacity.Decide(capacity.Situation{Values: []float64{55, 55, 55}, Observed: 55, NoForecast: "the model fails"}, rules)
	if err != nil || got.Mode != forecast.Reactive || got.Reason != "the model fails" || !got.NoForecast || !slices.Equal(got.Replicas, []int{6, 6, 6}) {
		t.Errorf("Decide = %+v, %v; want 6 at every step, reactive because the model fails", got, err)
	}
}

// An HPA keeps n pods while |asked/n − 1| is within its tolerance, so what is
// asked must move every smaller count and must not move the planned one.
func TestToleranceNeverLeavesTooFew(t *testing.T) {
	const tolerance = 0.1
	for want := 1; want <= 500; want++ {
		d, err := capacity.Decide(capacity.Situation{Values: []float64{float64(want)}, Observed: nan}, capacity.Rules{
			Policy: capacity.Policy{TargetPerPod: 1, MaxReplicas: 10000}, Tolerance: tolerance,
		})
		if err != nil {
			t.Fatal(err)
		}
		asked := d.Replicas[0]
		for n := 1; n < want; n++ {
			if math.Abs(float64(asked)/float64(n)-1) <= tolerance {
				t.Fatalf("plan %d asks for %d: an HPA at %d stays", want, asked, n)
			}
		}
		if math.Abs(float64(asked)/float64(want)-1) > tolerance+1e-9 {
			t.Errorf("plan %d asks for %d: an HPA already there moves", want, asked)
		}
	}
}
