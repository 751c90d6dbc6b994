package auto

// The reference curves: what the series would be if nothing but its level
// could differ. An expert is a curve and a way to follow the level beside it.
const (
	flat    = iota // nothing: the level is all
	daily          // trimmed-mean daily season
	weekly         // daily season and the smoothed departure from it a week ago
	profile        // exponentially weighted mean of each slot over days, middle decay
	fresh          // the same, fast decay
	slow           // the same, slow decay
	dayAgo         // the value a day ago
	weekAgo        // the value a week ago
	median5        // the median of the slot over five days
	curveCount
)

// profileDecays are the daily decays of fresh, profile and slow.
var profileDecays = [3]float64{0.5, 0.75, 0.9}

// vintage is what was known of the seasons at one step: forecasts of the past
// use the seasons of their past.
type vintage struct {
	at      int          // the step
	daily   []float64    // per slot
	profile [3][]float64 // per slot, in the order of profileDecays
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

// draw lays out the curves of a vintage over [lo, hi). Beyond a day (a week)
// after the vintage they repeat the last day (week).
func (w *workspace) draw(v *vintage, lo, hi, known, ahead int) {
	g, c := &w.grid, &w.curves
	c.lo = lo
	for k := daily; k < curveCount; k++ {
		c.at[k] = grow(c.at[k], hi-lo)
	}
	w.departures(v, lo, hi, known)
	recent := known // the newest step any forecast from this vintage may look at
	if ahead <= g.day {
		recent = hi - ahead
	}
	for t := lo; t < hi; t++ {
		i, s := t-lo, g.slot[t]
		c.at[daily][i] = v.daily[s]
		c.at[fresh][i], c.at[profile][i], c.at[slow][i] = v.profile[0][s], v.profile[1][s], v.profile[2][s]
		days := 1
		if t >= recent+g.day {
			days += (t - recent) / g.day
		}
		c.at[dayAgo][i] = w.lag(t, days, v.daily[s])
		c.at[median5][i] = w.slotMedian(t, days, v.daily[s])
		weeks := 7
		if t >= recent+g.week {
			weeks += 7 * ((t - recent) / g.week)
		}
		c.at[weekAgo][i] = c.at[dayAgo][i]
		if u := g.ago(t, weeks); u >= 0 && u < g.n {
			c.at[weekAgo][i] = g.z[u]
		}
	}
}

// lag is the value some days before t, or other where history does not reach.
func (w *workspace) lag(t, days int, other float64) float64 {
	if u := w.grid.ago(t, days); u >= 0 && u < w.grid.n {
		return w.grid.z[u]
	}
	return other
}

// departures fills the weekly curve: the daily season and, smoothed over half
// an hour to either side, how the same time departed from it in the weeks
// before.
func (w *workspace) departures(v *vintage, lo, hi, known int) {
	g := &w.grid
	w.sum = grow(w.sum, known+1)
	w.sum[0] = 0
	for i := range known {
		w.sum[i+1] = w.sum[i] + g.z[i] - v.daily[g.slot[i]]
	}
	weeks, reach := 0, g.hour
	for weeks < mostWeeks && g.ago(lo, 7*weeks+7) >= reach {
		weeks++
	}
	for t := lo; t < hi; t++ {
		depart := 0.0
		for k := 1; k <= weeks; k++ {
			u := g.ago(t, 7*k)
			if from, to := max(0, u-reach), min(known, u+reach+1); from < to {
				depart += (w.sum[to] - w.sum[from]) / float64((to-from)*weeks)
			}
		}
		w.curves.at[weekly][t-lo] = v.daily[g.slot[t]] + depart
	}
}

// slotMedian is the median of t's slot over five days, the newest being some
// days ago.
func (w *workspace) slotMedian(t, days int, other float64) float64 {
	var buf [5]float64
	v := buf[:0]
	for k := days; k < days+5; k++ {
		if u := w.grid.ago(t, k); u >= 0 && u < w.grid.n {
			v = append(v, w.grid.z[u])
		}
	}
	if len(v) == 0 {
		return other
	}
	insertionSort(v)
	m := len(v) / 2
	if len(v)%2 == 0 {
		return (v[m-1] + v[m]) / 2
	}
	return v[m]
}
