package theta_test

import (
	"testing"

	"github.com/kedastral/kedastral/forecaster/models"
	"github.com/kedastral/kedastral/forecaster/models/modeltest"
	"github.com/kedastral/kedastral/forecaster/models/theta"
)

func newModel(o models.Options) models.Model { return theta.NewModel(o) }

func TestModel(t *testing.T) { modeltest.Run(t, newModel) }

func BenchmarkWeek(b *testing.B) { modeltest.Bench(b, newModel) }
