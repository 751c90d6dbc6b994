package ets_test

import (
	_ "embed"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/kedastral/kedastral/forecaster/models/ets"
	"github.com/kedastral/kedastral/forecaster/models/internal/reference"
	"github.com/kedastral/kedastral/forecaster/models/internal/seasonal"
)

//go:embed testdata/reference.csv
var fixture string

func specOf(name string) ets.Spec {
	s := ets.Spec{
		Error: ets.Component(name[0]), Trend: ets.Component(name[1]), Season: ets.Component(name[len(name)-1]),
	}
	if strings.Contains(name, "d") {
		s.Damped = true
		s.Season = ets.Component(strings.TrimSuffix(name, "d")[2])
	}
	return s
}

// stateOf reads R's first state: level, trend, then the season backwards.
func stateOf(s ets.Spec, v []float64) ets.State {
	state := ets.State{Level: v[0]}
	v = v[1:]
	if s.Trend == ets.Additive {
		state.Trend, v = v[0], v[1:]
	}
	state.Season = slices.Clone(v)
	slices.Reverse(state.Season)
	return state
}

var fitted = []string{
	"lynx:ANN", "lynx:AANd", "logair:AAN", "deaths:ANA", "deaths:AAA", "logair:AAAd", "nottem:ANA", "nottem:AAAd",
	"air:MAMd", "air:MNM", "lynx:MNN", "air:MAA", "air:MAM",
}

// At R's own parameters nothing is left to chance.
func TestRecursionsAgreeWithR(t *testing.T) {
	ref := reference.Read(t, fixture)
	for _, name := range fitted {
		base, model, _ := strings.Cut(name, ":")
		spec, par := specOf(model), ref.Values(t, name, "par")
		for i, v := range par {
			if math.IsNaN(v) {
				par[i] = 0
			}
		}
		m := ets.Model{
			Spec: spec, Parameters: ets.Parameters{Alpha: par[0], Beta: par[1], Gamma: par[2], Phi: par[3]},
			Start: stateOf(spec, ref.Values(t, name, "initial")), Slots: slots(ref.Value(t, base, "season")),
		}
		y := ref.Values(t, base, "y")
		m = m.Score(y)
		if want := ref.Value(t, name, "loglik"); math.Abs(m.LogLik-want) > 1e-5*math.Abs(want) {
			t.Errorf("%s: log-likelihood = %v, R has %v", name, m.LogLik, want)
		}
		if want := ref.Value(t, name, "aicc"); math.Abs(m.AICc-want) > 1e-5*math.Abs(want) {
			t.Errorf("%s: AICc = %v, R has %v", name, m.AICc, want)
		}
		tol := 1e-5
		if spec.Season == ets.Multiplicative {
			tol = 2e-3 // R gives the mean over paths there, ours is the path without shocks
		}
		pred := ref.Values(t, name, "pred")
		for i, got := range m.Forecast(y, len(pred)) {
			if math.Abs(got/pred[i]-1) > tol {
				t.Errorf("%s: forecast %d = %v, R has %v", name, i+1, got, pred[i])
			}
		}
	}
}

// R stops its search early on many variables, so ours may be likelier; it may
// not be less likely.
func TestFitsAreAsLikelyAsR(t *testing.T) {
	const slack = 0.5 // in log-likelihood
	ref := reference.Read(t, fixture)
	for _, name := range fitted {
		base, model, _ := strings.Cut(name, ":")
		spec, y := specOf(model), ref.Values(t, base, "y")
		m, err := ets.Fit(y, spec, ets.Decompose(y, slots(ref.Value(t, base, "season")), spec.Season), slots(ref.Value(t, base, "season")))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		want := ref.Value(t, name, "loglik")
		t.Logf("%s: %.3f R %.3f par %.4v R %.4v", name, m.LogLik, want, m.Parameters, ref.Values(t, name, "par"))
		if !(m.LogLik > want-slack) {
			t.Errorf("%s: log-likelihood = %.3f, R has %.3f", name, m.LogLik, want)
		}
	}
}

// Holt and Winters' additive method is the model AAA by other names: Beta is
// R's alpha·beta, Gamma R's gamma·(1−alpha). R starts after the first season.
func TestHoltWintersAgreesWithR(t *testing.T) {
	ref := reference.Read(t, fixture)
	for _, name := range ref.Cases(":hw-additive") {
		base, _, _ := strings.Cut(name, ":")
		y, par, first := ref.Values(t, base, "y"), ref.Values(t, name, "par"), ref.Values(t, name, "initial")
		m := ets.Model{
			Spec:       ets.Spec{Error: ets.Additive, Trend: ets.Additive, Season: ets.Additive},
			Parameters: ets.Parameters{Alpha: par[0], Beta: par[0] * par[1], Gamma: par[2] * (1 - par[0]), Phi: 1},
			Start:      ets.State{Level: first[0], Trend: first[1], Season: first[2:]}, Slots: slots(12),
		}
		y = y[len(m.Start.Season):]
		m = m.Score(y)
		sse := m.Sigma2 * float64(len(y))
		if want := ref.Value(t, name, "sse"); math.Abs(sse/want-1) > 1e-6 {
			t.Errorf("%s: sum of squares = %v, R has %v", name, sse, want)
		}
		pred := ref.Values(t, name, "pred")
		for i, got := range m.Forecast(y, len(pred)) {
			if math.Abs(got/pred[i]-1) > 1e-6 {
				t.Errorf("%s: forecast %d = %v, R has %v", name, i+1, got, pred[i])
			}
		}
	}
}

func slots(season float64) seasonal.Slots {
	if season < 2 {
		return seasonal.Slots{}
	}
	return seasonal.Slots{Count: int(season), Hold: 1}
}
