package models

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync/atomic"
	"time"

	"github.com/kedastral/kedastral/forecaster/features"
	"github.com/kedastral/kedastral/forecaster/series"
)

// Method is a way to forecast the median path and nothing else; [Calibrate]
// makes a [Model] of it by measuring how far the truth strays from the path.
type Method interface {
	Name() string
	// Fit learns from a history with at least one observation what stays the
	// same from one origin to the next: parameters, orders, seasons. A history
	// it cannot learn from is [ErrTooShort].
	Fit(ctx context.Context, history features.Frame) error
	// Path writes the forecast of the len(path) steps after the frame's
	// history into path, all finite. The frame has the fitted step and at
	// least one observation, possibly long before its end; it may end before
	// or after the history that was fitted. Path changes neither the method
	// nor the frame: it may run while another Path does.
	Path(frame features.Frame, path []float64) error
}

// Roller is a [Method] that forecasts from many origins in one pass.
type Roller interface {
	// Roll does Path(frame.Before(origins[i]), paths[i]) for every i; the
	// origins ascend.
	Roll(ctx context.Context, frame features.Frame, origins []int, paths [][]float64) error
}

// Calibrated is a [Method] made a [Model]: its quantiles and its [Score] come
// from forecasting the recent past again (split conformal prediction, Vovk et
// al. 2005; Lei et al. 2018). The method that is measured is fitted on what
// came before the first origin only, so nothing is scored on what it learned
// from. Predict may run while Train does; it then answers from the last fit.
type Calibrated struct {
	make    func() Method
	options Options
	name    string
	last    atomic.Pointer[fit]
}

// fit is all that a calibrated model knows.
type fit struct {
	method Method
	step   time.Duration
	band   band
	score  Score
	end    time.Time // of the history
	floor  float64   // lowest of it
}

// lowest is that of a frame. One that goes on from a history without negative
// values need only be searched from its end.
func (f *fit) lowest(frame features.Frame) float64 {
	observed := frame.Observed
	if newer := int(frame.Origin().Sub(f.end) / f.step); f.floor == 0 && newer >= 0 && newer < len(observed) {
		observed = observed[len(observed)-newer:]
	}
	return lowest(observed)
}

// Calibrate makes a model of the methods that newMethod returns, a fresh one
// for each fit.
func Calibrate(newMethod func() Method, o Options) *Calibrated {
	return &Calibrated{make: newMethod, options: o, name: newMethod().Name()}
}

// Name is the method's name.
func (c *Calibrated) Name() string { return c.name }

// Score is how the last fit fared on the past; zero before the first.
func (c *Calibrated) Score() Score {
	if f := c.last.Load(); f != nil {
		return f.score
	}
	return Score{}
}

// Train fits the method, then measures it from up to 80 earlier origins.
func (c *Calibrated) Train(ctx context.Context, history features.Frame) error {
	if err := c.check(history); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("training %s: %w", c.name, err)
	}
	method := c.make()
	if err := method.Fit(ctx, history); err != nil {
		return fmt.Errorf("fitting %s: %w", c.name, err)
	}
	past, err := c.replay(ctx, history, method)
	if err != nil {
		return fmt.Errorf("measuring %s: %w", c.name, err)
	}
	band, measured := calibrate(past, c.options.Levels)
	band.lay(history.Horizon)
	score := past.score(c.options.Levels, measured)
	score.Scale = seasonalScale(history)
	c.last.Store(&fit{
		method: method, step: history.Step, band: band, score: score,
		end: history.Origin(), floor: lowest(history.Observed),
	})
	return nil
}

// check refuses what no method could learn from.
func (c *Calibrated) check(frame features.Frame) error {
	if err := c.options.Validate(); err != nil {
		return err
	}
	if err := frame.Validate(); err != nil {
		return fmt.Errorf("%s: %w", c.name, err)
	}
	if lastObserved(frame.Observed) < 0 {
		return fmt.Errorf("%s: no observation in %d steps: %w", c.name, len(frame.Observed), ErrTooShort)
	}
	return nil
}

// Predict forecasts with the last fit from the end of the frame's history.
func (c *Calibrated) Predict(ctx context.Context, frame features.Frame) (Forecast, error) {
	f := c.last.Load()
	if f == nil {
		return Forecast{}, fmt.Errorf("%s: %w", c.name, ErrUntrained)
	}
	if err := c.check(frame); err != nil {
		return Forecast{}, err
	}
	if frame.Step != f.step {
		return Forecast{}, fmt.Errorf("%s: step=%v: must be the trained %v", c.name, frame.Step, f.step)
	}
	if err := ctx.Err(); err != nil {
		return Forecast{}, fmt.Errorf("%s: predicting: %w", c.name, err)
	}
	room := make([]float64, frame.Horizon*(1+len(c.options.Levels)))
	path := room[:frame.Horizon:frame.Horizon]
	if err := f.method.Path(frame, path); err != nil {
		return Forecast{}, fmt.Errorf("%s: predicting: %w", c.name, err)
	}
	return c.spread(f, frame, path, room[frame.Horizon:])
}

// Around is what Predict makes of a path that was forecast elsewhere: bounded,
// with the last fit's band around it. It keeps the path.
func (c *Calibrated) Around(frame features.Frame, path []float64) (Forecast, error) {
	f := c.last.Load()
	if f == nil {
		return Forecast{}, fmt.Errorf("%s: %w", c.name, ErrUntrained)
	}
	return c.spread(f, frame, path, make([]float64, len(path)*len(c.options.Levels)))
}

// spread puts the band around the path, into a room of one path per level.
func (c *Calibrated) spread(f *fit, frame features.Frame, path, room []float64) (Forecast, error) {
	floor := f.lowest(frame)
	if err := clampPath(path, floor); err != nil {
		return Forecast{}, fmt.Errorf("%s: %w", c.name, err)
	}
	quantiles, err := f.band.quantiles(path, room, floor)
	if err != nil {
		return Forecast{}, fmt.Errorf("%s: %w", c.name, err)
	}
	return Forecast{Values: path, Quantiles: quantiles}, nil
}

// lowest is the bound that forecasts keep to: 0 where nothing observed was
// negative, none otherwise.
func lowest(observed []float64) float64 {
	for _, v := range observed {
		if v < 0 && series.Observed(v) {
			return math.Inf(-1)
		}
	}
	return 0
}

// clampPath bounds a path from below; a number that is not finite ends here.
func clampPath(path []float64, floor float64) error {
	raise(path, nil, floor)
	return finite(path)
}

// finite names the first value that is not.
func finite(values []float64) error {
	for i, v := range values {
		if !series.Observed(v) {
			return fmt.Errorf("forecast step %d is %v: must be finite", i, v)
		}
	}
	return nil
}

// lastObserved is the index of the newest observation, or -1.
func lastObserved(values []float64) int {
	for i, v := range slices.Backward(values) {
		if series.Observed(v) {
			return i
		}
	}
	return -1
}
