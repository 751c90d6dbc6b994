package models

import (
	"math"
	"time"

	"github.com/kedastral/kedastral/forecaster/models/internal/order"
	"github.com/kedastral/kedastral/forecaster/series"
)

const (
	memory  = 9              // half-lives after which an observation no longer counts
	longRun = 24 * time.Hour // half-life of the level that deviations return to
	bound   = 4              // innovations beyond so many times the usual size are cut there …
	believe = 3              // … unless so many in a row say the same: then the level has moved
)

// filter is one way to follow the level; its numbers are per step.
type filter struct {
	seasonal    bool
	gain        float64 // of the level, in (0, 1]
	trend, damp float64 // gain and damping of the trend; 0 is no trend
	long        float64 // gain of the long-run level
	back        float64 // ρ: what is left of a deviation after a step; 1 keeps it for ever
	usual       float64 // size of an innovation
	centre      float64 // median of what is followed
	warmUp      int     // steps to follow before the level is right
}

// state is where a filter stands.
type state struct {
	level, trend, long float64
	beyond             int // innovations beyond the bound in a row, negative for those below
	started            bool
}

// start is where a filter stands before the first observation.
func (c filter) start() state { return state{level: c.centre, long: c.centre} }

// step follows one value of the deseasonalised series; a gap lets the trend
// run on.
func (c filter) step(st *state, z float64) {
	st.trend *= c.damp
	st.level += st.trend
	switch {
	case !series.Observed(z):
		return
	case !st.started:
		st.level, st.started = z, true
		return
	}
	e := z - st.level
	if c.usual > 0 && math.Abs(e) > bound*c.usual {
		sign := int(math.Copysign(1, e))
		if st.beyond*sign < 0 {
			st.beyond = 0
		}
		st.beyond += sign
		if st.beyond*sign < believe {
			e = math.Copysign(bound*c.usual, e)
		}
	} else {
		st.beyond = 0
	}
	st.level += c.gain * e
	st.trend += c.gain * c.trend * e
	st.long += c.long * (st.level - st.long)
}

// ahead is the deseasonalised forecast h steps on.
func (c filter) ahead(st state, h float64) float64 {
	x := st.level
	if c.back < 1 {
		x = st.long + (st.level-st.long)*math.Pow(c.back, h)
	}
	if c.trend > 0 {
		x += st.trend * c.damp * (1 - math.Pow(c.damp, h)) / (1 - c.damp)
	}
	return x
}

// gainOf is the smoothing gain of a half-life.
func gainOf(halfLife, step time.Duration) float64 {
	return 1 - math.Exp2(-float64(step)/float64(halfLife))
}

func defaultFilter(step time.Duration) filter {
	return filters(step)[1]
}

// filters are the ways to follow a level that Fit chooses from: last value,
// half-lives from minutes to a day, each with and without trend.
func filters(step time.Duration) []filter {
	var out []filter
	for _, halfLife := range []time.Duration{time.Second, 3 * time.Minute, 10 * time.Minute, 30 * time.Minute, 100 * time.Minute, 6 * time.Hour, day} {
		c := filter{gain: gainOf(halfLife, step), long: gainOf(longRun, step), back: 1}
		c.warmUp = memory * int(max(halfLife, step)/step)
		out = append(out, c)
		if c.trend, c.damp = 0.2, 1-gainOf(max(halfLife*2, 4*step), step); c.gain < 0.99 {
			out = append(out, c)
		}
	}
	return out
}

// returns is a filter with a level that stays, and ones that return to the
// long run.
func (c filter) returns(step time.Duration) []filter {
	out := []filter{c}
	if c.trend == 0 {
		for _, halfLife := range []time.Duration{2 * time.Hour, 12 * time.Hour} {
			c.back = 1 - gainOf(halfLife, step)
			c.warmUp = max(c.warmUp, 4*int(longRun/step))
			out = append(out, c)
		}
	}
	return out
}

// usualInnovation is the median change from one observation to the next, the
// mean where most do not change.
func usualInnovation(z []float64) float64 {
	last := math.NaN()
	var changes []float64
	mean := 0.0
	for _, v := range z {
		if !series.Observed(v) {
			continue
		}
		if !math.IsNaN(last) {
			changes = append(changes, math.Abs(v-last))
			mean += (changes[len(changes)-1] - mean) / float64(len(changes))
		}
		last = v
	}
	if len(changes) == 0 {
		return 0
	}
	if usual := 1.4826 * order.Nth(changes, len(changes)/2); usual > 0 {
		return usual
	}
	return mean
}
