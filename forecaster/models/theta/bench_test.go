package theta_test

import (
	"testing"

	"github.com/kedastral/kedastral/forecaster/models"
	"github.com/kedastral/kedastral/forecaster/models/modeltest"
	"github.com/kedastral/kedastral/forecaster/models/theta"
)

func BenchmarkWeek(b *testing.B) {
	modeltest.Bench(b, func(o models.Options) models.Model { return theta.NewModel(o) })
}
