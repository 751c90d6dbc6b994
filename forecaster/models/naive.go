package models

import (
	"context"

	"github.com/kedastral/kedastral/forecaster/features"
)

// NewNaive makes the model that repeats the last observed value: what a
// reactive trigger believes, and the benchmark every other model must beat.
func NewNaive(o Options) *Calibrated {
	return Calibrate(func() Method { return naive{} }, o)
}

type naive struct{}

func (naive) Name() string { return "naive" }

func (naive) Fit(context.Context, features.Frame) error { return nil }

func (naive) Path(frame features.Frame, path []float64) error {
	last := frame.Observed[lastObserved(frame.Observed)]
	for h := range path {
		path[h] = last
	}
	return nil
}
