package auto

import (
	"math"
	"slices"
	"time"
)

// How an expert follows the level of the series beside its curve.
const (
	raw    = iota // not at all
	ses           // exponential smoothing
	fading        // exponential smoothing, the correction decays over two hours
	holt          // smoothing with a damped trend
	mean          // mean of the last hour
	median        // median of the last three hours
	slope         // last value and a damped slope of the last half hour
	fitted        // the regression
)

// expert is one way to forecast; rate picks the smoothing rate.
type expert struct{ curve, follow, rate int }

// Half-lives of the level in exponential smoothing; the first is the last value.
var halfLives = [...]time.Duration{0, 9 * time.Minute, 30 * time.Minute, 2 * time.Hour, 8 * time.Hour}

const (
	rateCount = len(halfLives)
	last      = 0
	min9      = 1
	min30     = 2
	hours2    = 3
	hours8    = 4
)

// trends are the damped trends: half-lives of level and slope, and the time
// over which the slope's effect halves.
var trends = [...]struct{ level, slope, damp time.Duration }{
	{9 * time.Minute, 30 * time.Minute, 20 * time.Minute},
	{30 * time.Minute, 2 * time.Hour, time.Hour},
	{2 * time.Hour, 8 * time.Hour, 4 * time.Hour},
}

const trendCount = len(trends)

// flatExperts need no season; seasonalExperts join them once there is one.
var flatExperts = []expert{
	{flat, ses, last},
	{flat, ses, min9},
	{flat, ses, min30},
	{flat, ses, hours2},
	{flat, mean, 0},
	{flat, median, 0},
	{flat, slope, 0},
	{flat, holt, 0},
	{flat, holt, 1},
}

var seasonalExperts = slices.Concat(flatExperts, []expert{
	{daily, ses, last},
	{daily, ses, min9},
	{daily, ses, min30},
	{daily, ses, hours2},
	{daily, ses, hours8},
	{daily, holt, 0},
	{daily, holt, 1},
	{daily, holt, 2},
	{profile, raw, 0},
	{profile, ses, min30},
	{profile, ses, hours2},
	{fresh, raw, 0},
	{slow, raw, 0},
	{dayAgo, raw, 0},
	{dayAgo, ses, last},
	{dayAgo, ses, min30},
	{dayAgo, fading, min30},
	{median5, raw, 0},
	{median5, fading, min30},
	{median5, ses, hours2},
})

var weeklyExperts = slices.Concat(seasonalExperts, []expert{
	{weekly, ses, last},
	{weekly, ses, min9},
	{weekly, ses, min30},
	{weekly, ses, hours2},
	{weekly, ses, hours8},
	{weekly, holt, 0},
	{weekly, holt, 1},
	{weekly, holt, 2},
	{weekAgo, raw, 0},
	{weekAgo, ses, last},
	{weekAgo, ses, min30},
	{weekAgo, ses, hours2},
})

// bank runs every level and trend beside every curve, one step at a time.
type bank struct {
	rate  [rateCount]float64
	trend [trendCount]struct{ level, gain, damp float64 }
	reach [trendCount + 2][]float64 // damped sums by steps ahead: trends, slope, fading
	state state
}

// state is what the bank knows after a step.
type state struct {
	level      [curveCount][rateCount]float64
	base, incl [curveCount][trendCount]float64
	seen       bool
}

// keep is the share of a value left after one step when half is left after
// halfLife.
func keep(step, halfLife time.Duration) float64 {
	if halfLife <= 0 {
		return 0
	}
	return math.Exp2(-float64(step) / float64(halfLife))
}

func (b *bank) reset(step time.Duration, furthest int) {
	for i, h := range halfLives {
		b.rate[i] = 1 - keep(step, h)
	}
	for i, t := range trends {
		b.trend[i].level = 1 - keep(step, t.level)
		b.trend[i].gain = b.trend[i].level * (1 - keep(step, t.slope))
		b.trend[i].damp = keep(step, t.damp)
	}
	for i := range b.reach {
		d := keep(step, 30*time.Minute) // the slope's
		switch {
		case i < trendCount:
			d = b.trend[i].damp
		case i > trendCount:
			d = keep(step, 2*time.Hour)
		}
		b.reach[i] = grow(b.reach[i], furthest+1)
		sum, power := 0.0, 1.0
		for h := range b.reach[i] {
			b.reach[i][h] = sum
			if i > trendCount {
				b.reach[i][h] = power
			}
			power *= d
			sum += power
		}
	}
	b.state = state{}
}

// follows says which rates and trends are run beside each curve: those an
// expert uses. The last value needs no running.
var follows = [curveCount]struct{ from, to, trends int }{
	flat:    {min9, hours2 + 1, 2},
	daily:   {min9, hours8 + 1, trendCount},
	weekly:  {min9, hours8 + 1, trendCount},
	profile: {min30, hours2 + 1, 0},
	dayAgo:  {min30, min30 + 1, 0},
	weekAgo: {min30, hours2 + 1, 0},
	median5: {min30, hours2 + 1, 0},
}

// see advances the bank by an observation; a filled step is not one.
func (b *bank) see(z float64, c *curves, t, curveEnd int) {
	s := &b.state
	if !s.seen {
		b.begin(z, c, t, curveEnd)
		return
	}
	for k := range curveEnd {
		f := &follows[k]
		if f.to == 0 {
			continue
		}
		x := z
		if k != flat {
			x -= c.at[k][t-c.lo]
		}
		level, base, incl := &s.level[k], &s.base[k], &s.incl[k]
		level[last] = x
		for i := f.from; i < f.to; i++ {
			level[i] += b.rate[i] * (x - level[i])
		}
		for i := range f.trends {
			p := &b.trend[i]
			ahead := base[i] + p.damp*incl[i]
			e := x - ahead
			base[i] = ahead + p.level*e
			incl[i] = p.damp*incl[i] + p.gain*e
		}
	}
}

// begin sets every level to the first observation.
func (b *bank) begin(z float64, c *curves, t, curveEnd int) {
	for k := range curveEnd {
		x := z - c.value(k, t)
		for i := range b.state.level[k] {
			b.state.level[k][i] = x
		}
		for i := range b.state.base[k] {
			b.state.base[k][i] = x
		}
	}
	b.state.seen = true
}

// moment is what experts need to know of an origin.
type moment struct {
	state        *state
	mean, median float64
	slope        float64
	last         float64
	steps        [3]float64 // last value less the ones 1, 3 and an hour of steps before
}

// look measures the end of the history at origin o, the first step not known.
func (w *workspace) look(o int) moment {
	g := &w.grid
	m := moment{state: &w.bank.state, last: g.z[o-1]}
	from := max(0, o-g.hour)
	for _, v := range g.z[from:o] {
		m.mean += v / float64(o-from)
	}
	m.median = medianOf(g.z[max(0, o-3*g.hour):o])
	m.slope = slopeOf(g.z[max(0, o-max(3, g.hour/2)):o])
	for i, back := range [3]int{1, 3, g.hour} {
		m.steps[i] = m.last - g.z[max(0, o-1-back)]
	}
	return m
}

// medianOf is the median of up to 36 values spread evenly over v.
func medianOf(v []float64) float64 {
	var buf [36]float64
	n := min(len(v), len(buf))
	for i := range n {
		buf[i] = v[i*len(v)/n]
	}
	insertionSort(buf[:n])
	return (buf[(n-1)/2] + buf[n/2]) / 2
}

// slopeOf is the least-squares slope of v per step.
func slopeOf(v []float64) float64 {
	n := float64(len(v))
	if n < 2 {
		return 0
	}
	var sum, dot float64
	for i, y := range v {
		x := float64(i) - (n-1)/2
		dot += x * y
		sum += x * x
	}
	return dot / sum
}

// predict is an expert's forecast of step t, h steps after the last known one.
func (w *workspace) predict(e expert, m *moment, t, h int) float64 {
	c := w.curves.value(e.curve, t)
	switch e.follow {
	case raw:
		return c
	case ses:
		return c + m.state.level[e.curve][e.rate]
	case fading:
		return c + m.state.level[e.curve][e.rate]*w.bank.reach[trendCount+1][h]
	case holt:
		return c + m.state.base[e.curve][e.rate] + m.state.incl[e.curve][e.rate]*w.bank.reach[e.rate][h]
	case mean:
		return m.mean
	case median:
		return m.median
	default:
		return m.last + m.slope*w.bank.reach[trendCount][h]
	}
}
