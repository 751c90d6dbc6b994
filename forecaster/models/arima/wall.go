package arima

import (
	"math"
	"time"

	"github.com/kedastral/kedastral/forecaster/features"
)

// wall lays a frame on the wall clock of its zone, so that a season is the same
// number of steps on every day: the hour that clocks leap over is a gap, and of
// the hour that they show twice the second counts.
type wall struct {
	at []int // by step of the frame, horizon included, its step on the wall clock
}

// onWall is nil where the frame's clock is never changed by a step or more:
// the wall clock's steps are the frame's then.
func onWall(frame features.Frame) *wall {
	clock := frame.Clock()
	if len(clock.Changes()) == 0 {
		return nil
	}
	step := int64(frame.Step / time.Second)
	w := &wall{at: make([]int, frame.Len())}
	changed := false
	for i := range w.at {
		w.at[i] = int((clock.Local(i) - clock.Local(0)) / step)
		changed = changed || w.at[i] != i
	}
	if !changed {
		return nil
	}
	return w
}

// lay is the history on the wall clock, up to its newest step.
func (w *wall) lay(observed []float64) []float64 {
	if len(observed) == 0 {
		return nil
	}
	out := make([]float64, max(0, w.at[len(observed)-1])+1)
	for i := range out {
		out[i] = math.NaN()
	}
	for i, v := range observed {
		if at := w.at[i]; at >= 0 && at < len(out) {
			out[at] = v
		}
	}
	return out
}

// path forecasts on the wall clock and reads the steps of the frame off it. A
// step that the clock shows again takes the first of the forecast.
func (w *wall) path(observed, path []float64, forecast func(observed, path []float64)) {
	laid, n := w.lay(observed), len(observed)
	ahead := func(h int) int { return max(0, w.at[n+h]-len(laid)) }
	farthest := 0
	for h := range path {
		farthest = max(farthest, ahead(h))
	}
	long := make([]float64, farthest+1)
	forecast(laid, long)
	for h := range path {
		path[h] = long[ahead(h)]
	}
}
