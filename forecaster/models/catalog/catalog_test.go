package catalog_test

import (
	"strings"
	"testing"

	"github.com/kedastral/kedastral/forecaster/models"
	"github.com/kedastral/kedastral/forecaster/models/catalog"
	"github.com/kedastral/kedastral/forecaster/models/modeltest"
)

// Every model that can be named has its own name and keeps the contract.
func TestModels(t *testing.T) {
	for _, name := range catalog.Names() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := build(t, name)(models.Options{}).Name(); got != name {
				t.Errorf("model %q calls itself %q", name, got)
			}
			modeltest.Run(t, build(t, name))
		})
	}
}

// build makes a model by name. The service of one that asks a service is not
// there, so it must keep the contract with what it falls back on.
func build(tb testing.TB, name string) modeltest.New {
	return func(o models.Options) models.Model {
		o.Service.URL = "http://127.0.0.1:1"
		m, err := catalog.New(name, o)
		if err != nil {
			tb.Fatal(err)
		}
		return m
	}
}

func TestNewRefuses(t *testing.T) {
	_, err := catalog.New("prophet", models.Options{})
	if err == nil || !strings.Contains(err.Error(), strings.Join(catalog.Names(), ", ")) {
		t.Errorf("New(prophet): %v; want the names there are", err)
	}
	for _, levels := range [][]float64{{0}, {1}, {0.9, 0.5}, {0.5, 0.5}} {
		if _, err := catalog.New("naive", models.Options{Levels: levels}); err == nil {
			t.Errorf("New(levels %v): no error", levels)
		}
	}
	for name, o := range map[string]models.Options{
		"arima": {Order: "1,1"}, "sarima": {Order: "a,b,c"}, "byom": {},
	} {
		if _, err := catalog.New(name, o); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("New(%s, %+v): %v; want an error that names the model", name, o, err)
		}
	}
}

func BenchmarkModels(b *testing.B) {
	for _, name := range catalog.Names() {
		b.Run(name, func(b *testing.B) {
			modeltest.Bench(b, build(b, name))
		})
	}
}

func FuzzNaive(f *testing.F)         { fuzz(f, "naive") }
func FuzzSeasonalNaive(f *testing.F) { fuzz(f, "seasonal-naive") }
func FuzzBaseline(f *testing.F)      { fuzz(f, "baseline") }
func FuzzARIMA(f *testing.F)         { fuzz(f, "arima") }
func FuzzSARIMA(f *testing.F)        { fuzz(f, "sarima") }
func FuzzETS(f *testing.F)           { fuzz(f, "ets") }
func FuzzHoltWinters(f *testing.F)   { fuzz(f, "holt-winters") }
func FuzzTheta(f *testing.F)         { fuzz(f, "theta") }
func FuzzAuto(f *testing.F)          { fuzz(f, "auto") }
func FuzzBYOM(f *testing.F)          { fuzz(f, "byom") }

// Any history at all is refused or forecast, never worse.
func fuzz(f *testing.F, name string) {
	modeltest.Fuzz(f, build(f, name))
}
