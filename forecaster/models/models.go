// Package models turns a history into a forecast with quantiles.
//
// A model's only state is its last fit, and a fit is a function of the frame
// it was trained on: no clock, no random seed, nothing a restart would lose.
// What a model knows of its own accuracy it measures by forecasting the past
// again from earlier origins while it trains.
//
// Training is the expensive half and runs on its own interval; Predict takes
// the newest history with it, so a forecast between two fits still starts from
// the newest observation.
package models

import (
	"context"
	"errors"
	"time"

	"github.com/kedastral/kedastral/forecaster/features"
	"github.com/kedastral/kedastral/shared/forecast"
)

// Model is a forecasting method.
type Model interface {
	// Train fits the model to a history. It leaves the frame alone.
	// A history it cannot learn from is [ErrTooShort] and keeps the last fit.
	Train(ctx context.Context, history features.Frame) error
	// Predict forecasts the Horizon steps after the frame's history, which is
	// the trained one or a later one of the same step. Before a successful
	// Train it is [ErrUntrained].
	Predict(ctx context.Context, frame features.Frame) (Forecast, error)
	// Name is the name the model is chosen by.
	Name() string
}

// Scored is a model that measured itself while it trained.
type Scored interface {
	// Score is how the last fit fared on the past; its Origins are 0 where
	// the history was too short to tell.
	Score() Score
}

// Substituted is a model that may let another one answer in its stead.
type Substituted interface {
	// Substitute is the name of the model that made the last forecast in this
	// one's stead, and why; blank where it answered itself.
	Substitute() (name string, cause error)
}

// The errors of models.
var (
	ErrUntrained = errors.New("model is not trained")
	ErrTooShort  = errors.New("too little history")
)

// Forecast is what a model predicts: Values has the median of each step of the
// horizon, Quantiles one entry per asked level, ascending and never crossing.
// All numbers are finite, and none is negative if no observation was.
type Forecast struct {
	Values    []float64
	Quantiles []forecast.Quantile
}

// Options are what every model is made with.
type Options struct {
	Levels  []float64 // quantile levels in (0, 1), ascending; may be empty
	Order   string    // of arima and sarima, "p,d,q" or "p,d,q,P,D,Q"; blank is chosen from the data
	Service Service   // what byom asks
}

// Service is where a model brought along answers.
type Service struct {
	URL     string        // http or https, without credentials
	Token   string        // sent as a bearer token where it is not blank
	Timeout time.Duration // of one question; 0 is 5 s
}

// Score is a model's record over rolling origins of the past, per block of the
// horizon. Errors are in the metric's unit, comparable because every method
// was scored on the same origins and steps.
type Score struct {
	Origins int
	Scale   float64 // in-sample seasonal-naive MAE (last-value where there is no season); 0 if unknown
	Blocks  []BlockScore
}

// BlockScore is the record within steps [From, To) of the horizon.
type BlockScore struct {
	From, To     int
	MAE          float64
	LastValueMAE float64
	SeasonalMAE  float64      // NaN-free: equals LastValueMAE where history holds no season
	Levels       []LevelScore // one per level of the options
}

// LevelScore is how one quantile fared.
type LevelScore struct {
	Level    float64
	Coverage float64 // share of observations at or below the quantile
	Pinball  float64 // mean pinball loss
}
