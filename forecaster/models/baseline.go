package models

import (
	"context"
	"math"
	"slices"
	"time"

	"github.com/kedastral/kedastral/forecaster/features"
	"github.com/kedastral/kedastral/forecaster/series"
)

const (
	memory  = 9              // half-lives after which an observation no longer counts
	longRun = 24 * time.Hour // half-life of the level that deviations return to
	bound   = 4              // innovations beyond so many times the usual size are cut there …
	believe = 3              // … unless so many in a row say the same: then the level has moved
)

// NewBaseline makes the model of level, damped trend and seasons:
//
//	x(t+h) = s(t+h) + L + (l−L)·ρ^h + b·(φ+φ²+…+φ^h)
//
// on the square root of the metric where it is never negative, since the noise
// of a count grows with its root. The season s adds up quarters of the day,
// hours of the week and minutes of the hour. The level l is exponentially
// smoothed with innovations cut at four times their usual size (Gelper, Fried
// and Croux 2010), L is its average over days, b is a damped trend (Gardner
// and McKenzie 1985). The smoothing, the return ρ, whether there is a trend
// and whether there is a season are chosen by how well each forecast the
// recent past.
func NewBaseline(o Options) *Calibrated {
	return Calibrate(func() Method { return &baseline{} }, o)
}

type baseline struct {
	root   bool // works on the square root
	season season
	filter filter
}

// filter is one way to follow the level; its numbers are per step.
type filter struct {
	seasonal    bool
	gain        float64 // of the level, in (0, 1]
	trend, damp float64 // gain and damping of the trend; 0 is no trend
	long        float64 // gain of the long-run level
	back        float64 // ρ: what is left of a deviation after a step; 1 keeps it for ever
	usual       float64 // size of an innovation
	warmUp      int     // steps to follow before the level is right
}

// state is where a filter stands.
type state struct {
	level, trend, long float64
	beyond             int // innovations beyond the bound in a row, negative for those below
	started            bool
}

func (*baseline) Name() string { return "baseline" }

func (m *baseline) Fit(ctx context.Context, f features.Frame) error {
	m.root = lowest(f.Observed) == 0
	x := m.scaled(f.Observed)
	first, origins := chooseOrigins(f)
	before := f.Before(first)
	m.season = learnSeason(before, x[:first])
	m.filter = defaultFilter(f.Step)
	if len(origins) > 0 {
		if err := m.choose(ctx, f, x, origins); err != nil {
			return err
		}
	}
	m.season = learnSeason(f, x)
	return nil
}

// choose follows the history with every filter and keeps the one that forecast
// the origins' futures best, all horizons weighing the same.
func (m *baseline) choose(ctx context.Context, f features.Frame, x []float64, origins []int) error {
	clock, best := f.Clock(), math.Inf(1)
	steps := blocks(f.Horizon)[1:]
	s := make([]float64, len(x))
	for _, seasonal := range []bool{false, true} {
		if seasonal && len(m.season.levels) == 0 {
			break
		}
		z := slices.Clone(x)
		if seasonal {
			for i := range s {
				s[i] = m.season.at(clock, i)
				z[i] -= s[i]
			}
		}
		usual := usualInnovation(z)
		for _, candidate := range filters(f.Step) {
			if err := ctx.Err(); err != nil {
				return err
			}
			candidate.seasonal, candidate.usual = seasonal, usual
			for _, tried := range candidate.returns(f.Step) {
				if loss := m.loss(tried, f.Observed, z, s, origins, steps); loss < best {
					m.filter, best = tried, loss
				}
			}
		}
	}
	return nil
}

// loss is the mean absolute error over origins and horizons, in the metric's
// unit.
func (m *baseline) loss(c filter, observed, z, s []float64, origins, steps []int) float64 {
	var st state
	loss, i := 0.0, 0
	for _, origin := range origins {
		for ; i < origin; i++ {
			c.step(&st, z[i])
		}
		for _, h := range steps {
			at := origin + h - 1
			if at < len(observed) && series.Observed(observed[at]) {
				loss += math.Abs(observed[at] - m.unscaled(c.ahead(st, float64(h))+s[at]))
			}
		}
	}
	return loss
}

func (m *baseline) Path(f features.Frame, path []float64) error {
	clock, n := f.Clock(), len(f.Observed)
	var st state
	last := lastObserved(f.Observed)
	for i := max(0, last-m.filter.warmUp); i < n; i++ {
		x := m.scale(f.Observed[i])
		if m.filter.seasonal {
			x -= m.season.at(clock, i)
		}
		m.filter.step(&st, x)
	}
	for h := range path {
		x := m.filter.ahead(st, float64(h+1))
		if m.filter.seasonal {
			x += m.season.at(clock, n+h)
		}
		path[h] = m.unscaled(x)
	}
	return nil
}

// step follows one value of the deseasonalised series; a gap lets the trend
// run on.
func (c filter) step(st *state, z float64) {
	st.trend *= c.damp
	st.level += st.trend
	switch {
	case !series.Observed(z):
		return
	case !st.started:
		*st = state{level: z, long: z, started: true}
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
	slices.Sort(changes)
	if median := 1.4826 * changes[len(changes)/2]; median > 0 {
		return median
	}
	return mean
}

func (m *baseline) scaled(values []float64) []float64 {
	x := make([]float64, len(values))
	for i, v := range values {
		x[i] = m.scale(v)
	}
	return x
}

// scale brings a value to the scale the model works on; a negative one that
// only came after the fit keeps its sign.
func (m *baseline) scale(v float64) float64 {
	switch {
	case !series.Observed(v):
		return math.NaN()
	case !m.root:
		return v
	}
	return math.Copysign(math.Sqrt(math.Abs(v)), v)
}

// unscaled undoes scale. What falls below zero where nothing can is zero.
func (m *baseline) unscaled(x float64) float64 {
	if !m.root {
		return x
	}
	return x * math.Abs(x)
}
