package ets_test

import (
	"testing"

	"github.com/kedastral/kedastral/forecaster/models"
	"github.com/kedastral/kedastral/forecaster/models/ets"
	"github.com/kedastral/kedastral/forecaster/models/modeltest"
)

func TestETS(t *testing.T) {
	modeltest.Run(t, func(o models.Options) models.Model { return ets.New(o) })
}

func TestHoltWinters(t *testing.T) {
	modeltest.Run(t, func(o models.Options) models.Model { return ets.NewHoltWinters(o) })
}
