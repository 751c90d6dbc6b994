package ets

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/kedastral/kedastral/forecaster/features"
	"github.com/kedastral/kedastral/forecaster/models/internal/clean"
	"github.com/kedastral/kedastral/forecaster/models/internal/seasonal"
	"github.com/kedastral/kedastral/forecaster/series"
)

// Track carries a fitted model along histories that begin before it or roll on
// after it.
type Track struct {
	Model
	Began  time.Time // start of the step that Start speaks for
	Lift   float64   // added to every forecast, and Slope for every further step
	Slope  float64
	limit  float64
	within time.Duration
}

// NewTrack makes a track of a model fitted from an instant on.
func NewTrack(m Model, began time.Time, step time.Duration) Track {
	return Track{Model: m, Began: began, limit: clean.Reach * math.Sqrt(m.Sigma2), within: step}
}

// Path forecasts the steps after a frame's history.
func (k *Track) Path(frame features.Frame, path []float64) error {
	f, from := k.along(frame)
	if from >= len(frame.Observed) {
		repeatLast(frame.Observed, path)
		return nil
	}
	f.run(frame.Observed[from:], &record{})
	k.continues(f, path)
	return nil
}

// Roll forecasts from every origin in one run over the history.
func (k *Track) Roll(ctx context.Context, frame features.Frame, origins []int, paths [][]float64) error {
	f, from := k.along(frame)
	at := from
	for i, origin := range origins {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("rolling: %w", err)
		}
		if origin <= from {
			repeatLast(frame.Observed[:origin], paths[i])
			continue
		}
		f.run(frame.Observed[at:origin], &record{})
		at = origin
		k.continues(f, paths[i])
	}
	return nil
}

// along is the model at the first step of a frame that it speaks for. Once the
// frame has left that step behind, the first state stands in at the frame's
// start: it is only ever a few steps old then.
func (k *Track) along(frame features.Frame) (f *filter, from int) {
	f = k.filter()
	f.limit = k.limit
	from = max(0, int(k.Began.Sub(frame.Start)/k.within))
	if f.Season == None {
		return f, from
	}
	weekly := f.Slots.Width() > int(24*time.Hour/k.within)
	f.Slots = seasonal.Daily(frame.Clock(), k.within)
	if weekly {
		f.Slots = seasonal.Weekly(frame.Clock(), k.within)
	}
	f.at = from
	return f, from
}

func (k *Track) continues(f *filter, path []float64) {
	for h := range path {
		path[h] = f.expect(h+1) + k.rise(f, h)
	}
}

// rise is the drift of step h, in the units of the level it is added to.
func (k *Track) rise(f *filter, h int) float64 {
	v := k.Lift + k.Slope*float64(h)
	if f.Season == Multiplicative && v != 0 {
		v *= f.now.Season[f.Slots.Of(f.at+h)]
	}
	return v
}

func repeatLast(observed, path []float64) {
	last := 0.0
	for _, v := range slices.Backward(observed) {
		if series.Observed(v) {
			last = v
			break
		}
	}
	for h := range path {
		path[h] = last
	}
}
