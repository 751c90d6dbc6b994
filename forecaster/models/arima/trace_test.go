package arima_test

import (
	"math"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/kedastral/kedastral/forecaster/features"
	"github.com/kedastral/kedastral/forecaster/models"
	"github.com/kedastral/kedastral/forecaster/models/arima"
	"github.com/kedastral/kedastral/forecaster/series"
)

// trace reads a recorded load: a comment, start, step, then a value a line,
// blank where nothing was recorded.
func trace(t *testing.T, path string, horizon int) features.Frame {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimRight(string(raw), "\n"), "\n")
	start, err := time.Parse(time.RFC3339, strings.TrimPrefix(lines[1], "start,"))
	if err != nil {
		t.Fatal(err)
	}
	step, err := time.ParseDuration(strings.TrimPrefix(lines[2], "step,"))
	if err != nil {
		t.Fatal(err)
	}
	values := make([]float64, 0, len(lines))
	for _, line := range lines[3:] {
		v, err := strconv.ParseFloat(line, 64)
		if err != nil {
			v = math.NaN()
		}
		values = append(values, v)
	}
	return features.Build(series.DataFrame{Start: start, Step: step, Values: values}, horizon, features.Calendar{})
}

// meanErrors forecasts an hour ahead from 60 origins over the last three days
// with a model trained before them, and repeats the last value beside it.
func meanErrors(t *testing.T, m models.Model, f features.Frame) (model, lastValue float64) {
	t.Helper()
	n := len(f.Observed)
	span := int(3 * 24 * time.Hour / f.Step)
	if err := m.Train(t.Context(), f.Before(n-span)); err != nil {
		t.Fatal(err)
	}
	for origin := n - span; origin+f.Horizon <= n; origin += span / 60 {
		last := f.Observed[origin-1]
		if math.IsNaN(last) {
			continue
		}
		got, err := m.Predict(t.Context(), f.Before(origin))
		if err != nil {
			t.Fatal(err)
		}
		for h, v := range got.Values {
			if truth := f.Observed[origin+h]; !math.IsNaN(truth) {
				model += math.Abs(truth - v)
				lastValue += math.Abs(truth - last)
			}
		}
	}
	return model, lastValue
}

// On recorded loads with a daily season the models are worth having.
func TestModelsBeatTheLastValue(t *testing.T) {
	for _, tt := range []struct {
		path   string
		model  string
		atMost float64 // of the last value's error; what was measured is well below
	}{
		{"testdata/nasa_http.csv", "arima", 0.95},
		{"testdata/nasa_http.csv", "sarima", 0.92},
		{"testdata/mongo_app_01.csv", "sarima", 0.5},
	} {
		make := arima.New
		if tt.model == "sarima" {
			make = arima.NewSeasonal
		}
		model, last := meanErrors(t, build(t, make)(models.Options{}), trace(t, tt.path, 12))
		t.Logf("%s on %s: %.3f of the last value's error", tt.model, tt.path, model/last)
		if model > tt.atMost*last {
			t.Errorf("%s on %s has %.3f of the last value's error, want at most %v", tt.model, tt.path, model/last, tt.atMost)
		}
	}
}
