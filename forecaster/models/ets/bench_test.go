package ets_test

import (
	"testing"

	"github.com/kedastral/kedastral/forecaster/models"
	"github.com/kedastral/kedastral/forecaster/models/ets"
	"github.com/kedastral/kedastral/forecaster/models/modeltest"
)

func BenchmarkWeekETS(b *testing.B) {
	modeltest.Bench(b, func(o models.Options) models.Model { return ets.New(o) })
}

func BenchmarkWeekHoltWinters(b *testing.B) {
	modeltest.Bench(b, func(o models.Options) models.Model { return ets.NewHoltWinters(o) })
}
