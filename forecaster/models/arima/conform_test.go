package arima_test

import (
	"testing"

	"github.com/kedastral/kedastral/forecaster/models"
	"github.com/kedastral/kedastral/forecaster/models/arima"
	"github.com/kedastral/kedastral/forecaster/models/modeltest"
)

func TestARIMA(t *testing.T) {
	modeltest.Run(t, func(o models.Options) models.Model { return arima.New(o) })
}

func TestSARIMA(t *testing.T) {
	modeltest.Run(t, func(o models.Options) models.Model { return arima.NewSeasonal(o) })
}
