package arima

import "github.com/kedastral/kedastral/forecaster/models"

// Rolling is what the models are made of.
type Rolling interface {
	models.Method
	models.Roller
}

// NewMethod is a model without its intervals.
func NewMethod(daily bool) Rolling {
	if daily {
		return &method{name: "sarima", daily: true}
	}
	return &method{name: "arima", window: window}
}
