package modeltest_test

import (
	"context"
	"errors"
	"math"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/kedastral/kedastral/forecaster/features"
	"github.com/kedastral/kedastral/forecaster/models"
	"github.com/kedastral/kedastral/forecaster/models/modeltest"
)

// broken are models with one fault each, by the check that must notice it.
var broken = map[string]func(*faulty){
	"untrained":        func(m *faulty) { m.eager = true },
	"nothing_observed": func(m *faulty) { m.train = func(features.Frame) error { return errors.New("no") } },
	"deterministic": func(m *faulty) {
		m.spoil = func(_ features.Frame, f models.Forecast) { m.count++; f.Values[0] -= m.count * 1e-9 }
	},
	"input_left_alone": func(m *faulty) { m.train = func(f features.Frame) error { f.Observed[0] = 1; return nil } },
	"scale": func(m *faulty) {
		m.spoil = func(_ features.Frame, f models.Forecast) { f.Quantiles[5].Values[0] += 50 }
	},
	"constant": func(m *faulty) { m.spoil = func(_ features.Frame, f models.Forecast) { last(f)[0] += 5 } },
	"never_negative": func(m *faulty) {
		m.spoil = func(_ features.Frame, f models.Forecast) { f.Quantiles[0].Values[2] -= 100 }
	},
	"negative_metric": func(m *faulty) { m.spoil = func(_ features.Frame, f models.Forecast) { clampAll(f) } },
	"outage_to_now": func(m *faulty) {
		m.spoil = func(h features.Frame, f models.Forecast) { f.Values[1] = h.Observed[len(h.Observed)-1] }
	},
	"horizon_longer_than_history":   func(m *faulty) { m.spoil = func(_ features.Frame, f models.Forecast) { f.Values[0] = math.Inf(1) } },
	"failed_training_keeps_the_fit": func(m *faulty) { m.forgetful = true },
	"cancelled":                     func(m *faulty) { m.stubborn = true },
}

func last(f models.Forecast) []float64 {
	if len(f.Quantiles) == 0 {
		return f.Values
	}
	return f.Quantiles[len(f.Quantiles)-1].Values
}

func clampAll(f models.Forecast) {
	for _, q := range f.Quantiles {
		for h := range q.Values {
			q.Values[h] = max(0, q.Values[h])
		}
	}
	for h := range f.Values {
		f.Values[h] = max(0, f.Values[h])
	}
}

// faulty is the naive model with a fault.
type faulty struct {
	*models.Calibrated
	options                    models.Options
	eager, forgetful, stubborn bool
	train                      func(features.Frame) error
	spoil                      func(features.Frame, models.Forecast)
	count                      float64
}

func (m *faulty) Train(ctx context.Context, f features.Frame) error {
	if m.stubborn {
		ctx = context.WithoutCancel(ctx)
	}
	if m.train != nil {
		if err := m.train(f); err != nil {
			return err
		}
	}
	err := m.Calibrated.Train(ctx, f)
	if err != nil && m.forgetful {
		m.Calibrated = models.NewNaive(m.options)
	}
	return err
}

func (m *faulty) Predict(ctx context.Context, f features.Frame) (models.Forecast, error) {
	got, err := m.Calibrated.Predict(ctx, f)
	if m.eager {
		return got, nil
	}
	if err == nil && m.spoil != nil {
		m.spoil(f, got)
	}
	return got, err
}

// TestBroken is run by TestRunNotices in a process of its own, where it fails.
func TestBroken(t *testing.T) {
	fault, ok := broken[os.Getenv("MODELTEST_FAULT")]
	if !ok {
		t.Skip("no fault asked for")
	}
	modeltest.Run(t, func(o models.Options) models.Model {
		m := &faulty{Calibrated: models.NewNaive(o), options: o}
		fault(m)
		return m
	})
}

// Every fault fails the check that is there to notice it.
func TestRunNotices(t *testing.T) {
	for check := range broken {
		t.Run(check, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestBroken$/^"+check+"$")
			cmd.Env = append(os.Environ(), "MODELTEST_FAULT="+check)
			out, err := cmd.CombinedOutput()
			if err == nil || !strings.Contains(string(out), "--- FAIL: TestBroken/"+check) {
				t.Errorf("the fault went unnoticed: %v\n%s", err, out)
			}
		})
	}
}
