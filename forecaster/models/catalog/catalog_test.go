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
			modeltest.Run(t, func(o models.Options) models.Model {
				m, err := catalog.New(name, o)
				if err != nil {
					t.Fatal(err)
				}
				if m.Name() != name {
					t.Errorf("model %q calls itself %q", name, m.Name())
				}
				return m
			})
		})
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
}

func BenchmarkModels(b *testing.B) {
	for _, name := range catalog.Names() {
		b.Run(name, func(b *testing.B) {
			modeltest.Bench(b, func(o models.Options) models.Model {
				m, err := catalog.New(name, o)
				if err != nil {
					b.Fatal(err)
				}
				return m
			})
		})
	}
}

func FuzzNaive(f *testing.F)         { fuzz(f, "naive") }
func FuzzSeasonalNaive(f *testing.F) { fuzz(f, "seasonal-naive") }
func FuzzBaseline(f *testing.F)      { fuzz(f, "baseline") }

// Any history at all is refused or forecast, never worse.
func fuzz(f *testing.F, name string) {
	modeltest.Fuzz(f, func(o models.Options) models.Model {
		m, err := catalog.New(name, o)
		if err != nil {
			f.Fatal(err)
		}
		return m
	})
}
