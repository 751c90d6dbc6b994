package auto

import (
	"slices"

	"github.com/kedastral/kedastral/forecaster/models/internal/order"
)

// How an expert follows the level of the series beside its curve.
const (
	raw    = iota // not at all
	ses           // exponential smoothing
	fading        // exponential smoothing, the correction halves in two hours
	holt          // smoothing with a damped trend
	mean          // mean of the last hour
	median        // median of the last three hours
	slope         // last value and a damped slope of the last half hour
)

// expert is one way to forecast; rate picks the half-life or the trend.
type expert struct{ curve, follow, rate int }

// flatExperts need no season. The last value comes first.
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

// worth is what experts lose on short histories in general, the last value
// losing one: flatExperts in their order, then cycleExperts.
var worth = []float64{1, 1.05, 1.3, 1.7, 1.3, 1.6, 1.12, 1, 1.25, 1.1, 1.2, 1.4}

// cycleExperts join where a period was found.
var cycleExperts = []expert{{cycle, ses, min9}, {cycle, ses, min30}, {cycle, ses, hours2}}

// dailyExperts join once there is a season.
var dailyExperts = []expert{
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
}

// weeklyExperts join once there is a week and something to compare it with.
var weeklyExperts = []expert{
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
}

// choose sets the experts of a fit, the curves they follow and those that the
// regression looks at.
func (f *fit) choose(seasons, weeks, period bool) {
	f.experts = slices.Clone(flatExperts)
	if period {
		f.experts = append(f.experts, cycleExperts...)
	}
	if seasons {
		f.experts = append(f.experts, dailyExperts...)
	}
	if weeks {
		f.experts = append(f.experts, weeklyExperts...)
	}
	for i, e := range f.experts {
		if followed[e.curve].level && !slices.Contains(f.follows, e.curve) {
			f.follows = append(f.follows, e.curve)
		}
		if seasons && e.informs() {
			f.picks = append(f.picks, i)
		}
	}
}

// informs reports whether the regression looks at the expert: it leaves out
// near copies of others.
func (e expert) informs() bool {
	switch e.follow {
	case raw, median, slope:
		return true
	case ses:
		switch e.curve {
		case flat:
			return e.rate != last
		case daily, weekly:
			return e.rate != min9
		case dayAgo, weekAgo:
			return e.rate == last
		case cycle:
			return e.rate == min30
		}
	}
	return false
}

// moment is what experts need to know of an origin.
type moment struct {
	last         float64
	mean, median float64    // of the last hour and the last three
	slope        float64    // per step over the last half hour
	steps        [3]float64 // last value less the ones 1, 3 and an hour of steps before
}

// look measures the end of the history at origin o, the first step not known.
func (g *grid) look(o int) moment {
	m := moment{last: g.z[o-1]}
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
	return order.Median(buf[:n])
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

// ask fills row with what experts forecast for step t, h steps after the last
// known one.
func (w *workspace) ask(row []float64, experts []expert, m *moment, t, h int) {
	b, s := &w.bank, &w.bank.state
	var at [curveCount]float64
	for k := range at {
		at[k] = w.curves.value(k, t)
	}
	for i, e := range experts {
		c := at[e.curve]
		switch e.follow {
		case ses:
			c += s.level[e.curve][e.rate]
		case fading:
			c += s.level[e.curve][e.rate] * b.reach[fadeReach][h]
		case holt:
			c += s.base[e.curve][e.rate] + s.slope[e.curve][e.rate]*b.reach[e.rate][h]
		case mean:
			c = m.mean
		case median:
			c = m.median
		case slope:
			c = m.last + m.slope*b.reach[slopeReach][h]
		}
		row[i] = c
	}
}
