package auto

import (
	"math"

	"github.com/kedastral/kedastral/forecaster/models/internal/order"
)

// The reference curves: what the series would be if only its level could
// differ. An expert is a curve and a way to follow the level beside it.
const (
	flat    = iota // nothing: the level is all
	cycle          // the daily season and a cycle of another period
	daily          // trimmed-mean daily season
	weekly         // daily season and the smoothed departure from it in weeks before
	fresh          // exponentially weighted mean of the slot over days, fast decay
	profile        // the same, middle decay
	slow           // the same, slow decay
	dayAgo         // the value a day ago
	weekAgo        // the value a week ago
	median5        // the median of the slot over five days
	curveCount
)

// profileDecays are the shares fresh, profile and slow keep per day.
var profileDecays = [3]float64{0.5, 0.75, 0.9}

// vintage is what was known of the seasons at one step: forecasts of the past
// use the seasons of their past.
type vintage struct {
	at      int          // the step
	daily   []float64    // per slot of the day, nil without a season
	profile [3][]float64 // per slot, in the order of profileDecays
	weeks   bool         // whether the weekly curve is wanted
	low     float64      // departures from the daily season that the weekly curve repeats, at least …
	high    float64      // … and at most
	cycle   []float64    // per step of the period, counted from the Unix epoch; nil if there is none
}

// curves are the reference curves over the steps from lo on.
type curves struct {
	lo int
	at [curveCount][]float64
}

func (c *curves) value(k, t int) float64 {
	if k == flat {
		return 0
	}
	return c.at[k][t-c.lo]
}

// draw lays out the curves of a vintage over [lo, hi), of which forecasts see
// ahead steps. Further than a day (a week) ahead, yesterday (last week) repeats.
func (w *workspace) draw(v *vintage, lo, hi, ahead int) {
	g, c := &w.grid, &w.curves
	c.lo = lo
	for k := cycle; k < curveCount; k++ {
		c.at[k] = grow(c.at[k], hi-lo)
	}
	if v.cycle != nil {
		w.drawCycle(v, lo, hi)
	}
	if v.daily == nil {
		return
	}
	known := v.at // the newest step that any forecast from the vintage may look at
	if ahead <= g.day {
		known = hi - ahead
	}
	for t, s := range g.slot[lo:hi] {
		c.at[daily][t] = v.daily[s]
		c.at[fresh][t], c.at[profile][t], c.at[slow][t] = v.profile[0][s], v.profile[1][s], v.profile[2][s]
	}
	if v.weeks {
		w.drawWeekly(v, lo, hi)
	}
	w.drawDays(lo, hi, known)
}

// drawDays lays out yesterday, last week and the median of five days over
// [lo, hi), of which the steps up to known have passed.
func (w *workspace) drawDays(lo, hi, known int) {
	g, c := &w.grid, &w.curves
	other := c.at[daily]
	for t := lo; t < hi; t++ {
		days, weeks := 1, 1
		if t >= known+g.day {
			days += (t - known) / g.day
		}
		if t >= known+g.week {
			weeks += (t - known) / g.week
		}
		i := t - lo
		c.at[dayAgo][i] = g.lag(t, days, other[i])
		c.at[weekAgo][i] = g.lag(t, 7*weeks, c.at[dayAgo][i])
		c.at[median5][i] = g.slotMedian(t, days, other[i])
	}
}

// drawCycle lays out the cycle on top of the daily season, if there is one.
func (w *workspace) drawCycle(v *vintage, lo, hi int) {
	at := w.curves.at[cycle]
	phase := w.grid.phase(lo, len(v.cycle))
	for t := lo; t < hi; t++ {
		at[t-lo] = v.cycle[phase]
		if v.daily != nil {
			at[t-lo] += v.daily[w.grid.slot[t]]
		}
		if phase++; phase == len(v.cycle) {
			phase = 0
		}
	}
}

// lag is the value some days before t, or other where history does not reach.
func (g *grid) lag(t, days int, other float64) float64 {
	if u := g.ago(t, days); u >= 0 && u < g.n {
		return g.z[u]
	}
	return other
}

// slotMedian is the median of t's slot over five days, the newest being some
// days ago.
func (g *grid) slotMedian(t, days int, other float64) float64 {
	if first, newest := t-(days+4)*g.day, t-days*g.day; len(g.zone) == 0 && days < 3 && first >= 0 && newest < g.n {
		z, day := g.z[first:newest+1], g.day // by far the usual case
		return middle5(z[0], z[day], z[2*day], z[3*day], z[4*day])
	}
	var buf [5]float64
	v := buf[:0]
	for k := days; k < days+len(buf); k++ {
		if u := g.ago(t, k); u >= 0 && u < g.n {
			v = append(v, g.z[u])
		}
	}
	if len(v) == 0 {
		return other
	}
	order.Insert(v)
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}

// middle5 is the median of five.
func middle5(a, b, c, d, e float64) float64 {
	if a > b {
		a, b = b, a
	}
	if c > d {
		c, d = d, c
	}
	if c > a { // the least of four is not the middle of five
		a = c
	}
	if d < b { // nor is the greatest
		b = d
	}
	if a > b {
		a, b = b, a
	}
	switch { // the middle of a, b and e
	case e < a:
		return a
	case e > b:
		return b
	}
	return e
}

// begin readies a vintage for a replay.
func (v *vintage) begin(day, period int, seasonal, weeks bool) {
	*v = vintage{weeks: weeks, daily: v.daily[:0], profile: v.profile, cycle: v.cycle[:0]}
	if period > 0 {
		v.cycle = grow(v.cycle, period)
	} else {
		v.cycle = nil
	}
	if !seasonal {
		v.daily = nil
		return
	}
	v.daily = grow(v.daily, day)
	for i := range v.profile {
		v.profile[i] = grow(v.profile[i], day)
		for k := range v.profile[i] {
			v.profile[i][k] = math.NaN()
		}
	}
}

// advance brings the vintage forward to step c.
func (w *workspace) advance(v *vintage, c int) {
	g := &w.grid
	if v.daily != nil {
		w.season(v.daily, c)
		for t := v.at; t < c; t++ {
			if g.ok[t] {
				v.blend(int(g.slot[t]), g.z[t])
			}
		}
		for i := range v.profile {
			bridgeSlots(v.profile[i])
		}
	}
	v.at = c
	if v.weeks && v.daily != nil {
		w.bound(v)
	}
	if v.cycle != nil {
		w.recur(v)
	}
}

// blend takes a value into the profiles.
func (v *vintage) blend(slot int, z float64) {
	for i, d := range profileDecays {
		if p := &v.profile[i][slot]; math.IsNaN(*p) {
			*p = z
		} else {
			*p = d**p + (1-d)*z
		}
	}
}

// clone is a copy to keep.
func (v *vintage) clone() vintage {
	out := vintage{at: v.at, weeks: v.weeks, low: v.low, high: v.high, daily: append([]float64(nil), v.daily...), cycle: append([]float64(nil), v.cycle...)}
	for i := range v.profile {
		if v.daily != nil {
			out.profile[i] = append([]float64(nil), v.profile[i]...)
		}
	}
	return out
}
