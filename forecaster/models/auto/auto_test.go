package auto_test

import (
	"testing"

	"github.com/kedastral/kedastral/forecaster/models"
	"github.com/kedastral/kedastral/forecaster/models/auto"
	"github.com/kedastral/kedastral/forecaster/models/modeltest"
)

func newModel(o models.Options) models.Model { return auto.New(o) }

func TestContract(t *testing.T) { modeltest.Run(t, newModel) }

// Any bytes read as a history give a sane forecast or models.ErrTooShort.
func FuzzModel(f *testing.F) { modeltest.Fuzz(f, newModel) }
