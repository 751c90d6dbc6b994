package arima_test

import (
	"testing"

	"github.com/kedastral/kedastral/forecaster/models"
	"github.com/kedastral/kedastral/forecaster/models/arima"
	"github.com/kedastral/kedastral/forecaster/models/modeltest"
)

// build is a constructor whose options are known to be good.
func build(tb testing.TB, make func(models.Options) (*models.Calibrated, error)) modeltest.New {
	return func(o models.Options) models.Model {
		m, err := make(o)
		if err != nil {
			tb.Fatal(err)
		}
		return m
	}
}

// An order that is given is kept to.
func TestGivenOrders(t *testing.T) {
	for order, make := range map[string]func(models.Options) (*models.Calibrated, error){
		"1,1,1": arima.New, "2,0,0": arima.New, "1,0,1,0,1,1": arima.NewSeasonal, "0,1,1": arima.NewSeasonal,
	} {
		m := build(t, make)(models.Options{Order: order, Levels: []float64{0.9}})
		f := modeltest.WeekOfMinutes()
		if err := m.Train(t.Context(), f); err != nil {
			t.Errorf("order %s: %v", order, err)
			continue
		}
		if _, err := m.Predict(t.Context(), f); err != nil {
			t.Errorf("order %s: %v", order, err)
		}
	}
}
