// Package modeltest holds every model to the contract of [models.Model].
//
// A model that passes [Run] may be put into the catalogue: it answers any
// history with a sane, finite forecast or with an error that says what is
// missing. Which of two models forecasts better is not asked here.
package modeltest

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/kedastral/kedastral/forecaster/features"
	"github.com/kedastral/kedastral/forecaster/models"
)

// New makes the model under test.
type New func(models.Options) models.Model

// Run holds a model to the whole contract.
func Run(t *testing.T, newModel New) {
	t.Helper()
	for _, c := range []struct {
		name  string
		check func(*testing.T, New)
	}{
		{"untrained", untrained},
		{"nothing observed", nothing},
		{"deterministic", deterministic},
		{"input left alone", inputAlone},
		{"failed training keeps the fit", keepsFit},
		{"cancelled", cancelled},
		{"no levels", noLevels},
		{"later history", later},
		{"longer horizon than trained", longerHorizon},
		{"scale", scale},
		{"score", score},
		{"constant", constant},
		{"never negative", neverNegative},
		{"negative metric", negative},
	} {
		t.Run(c.name, func(t *testing.T) { c.check(t, newModel) })
	}
	for _, h := range histories() {
		t.Run(h.name, func(t *testing.T) { survives(t, newModel, h) })
	}
}

func options() models.Options {
	return models.Options{Levels: []float64{0.05, 0.25, 0.5, 0.9, 0.95, 0.99}}
}

// must trains on a frame and forecasts after it.
func must(t *testing.T, m models.Model, f features.Frame) models.Forecast {
	t.Helper()
	if err := m.Train(t.Context(), f); err != nil {
		t.Fatalf("Train: %v", err)
	}
	return predict(t, m, f)
}

func predict(t *testing.T, m models.Model, f features.Frame) models.Forecast {
	t.Helper()
	got, err := m.Predict(t.Context(), f)
	if err != nil {
		t.Fatalf("Predict: %v", err)
	}
	checkShape(t, got, f, options().Levels)
	return got
}

func same(t *testing.T, what string, a, b any, tolerance float64) {
	t.Helper()
	if diff := cmp.Diff(a, b, cmpopts.EquateNaNs(), cmpopts.EquateApprox(tolerance, tolerance)); diff != "" {
		t.Errorf("%s:\n%s", what, diff)
	}
}
