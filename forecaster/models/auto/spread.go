package auto

import (
	"math"

	"github.com/kedastral/kedastral/forecaster/models/internal/order"
)

const (
	hours       = 24
	leastSpread = 0.3   // of the mean level's root, a tenth of that level; below it spreads shrink no further
	hourFew     = 5     // origins an hour's width is drawn to one with
	margin      = 0.005 // share of the loss a less plain spread must save
	clockMargin = 0.02  // share that one with a width of its own for every step of the hour must save
	clockShare  = 0.9   // of steps that these widths span
	clockLeast  = 0.5   // of these widths, relative to their mean: no place in the hour is sure to stay calm, …
	clockMost   = 8     // … and the tail of all must not be blown up by the few that burst
	clockFew    = 5     // hours that one of them is drawn to one with
	clockSteps  = 6     // steps in an hour for it to have a shape
	clockHours  = 48    // hours that must have been seen
)

// powers are how a spread may grow with the scaled forecast: not at all, which
// is with the root of the level; with the level; or such that it is constant in
// the metric's unit.
var powers = [...]float64{0, 1, -1}

// spread is how wide the law around a forecast is, besides its quantiles.
type spread struct {
	power  float64
	swings bool      // whether the newest misses say how wide
	swing  float64   // how wide they say, relative to the usual
	clock  []float64 // relative width by step of the hour; nil if even
	hourly []float64 // relative width by hour of the local day, the last before the first and the first after the last; nil if even
}

// width is the spread at a scaled forecast p for a slot of the day.
func (s *spread) width(p float64, slot, day int32) float64 {
	width := 1.0
	switch s.power {
	case 1:
		width = max(p, leastSpread)
	case -1:
		width = 1 / max(p, leastSpread)
	}
	if s.clock != nil {
		width *= s.clock[int(slot)%len(s.clock)]
	}
	if s.hourly != nil {
		x := float64(slot)/float64(day)*hours + 0.5
		i := int(x)
		x -= float64(i)
		width *= s.hourly[i]*(1-x) + s.hourly[i+1]*x
	}
	return width
}

// width is the spread that the i-th origin's forecast at knot k had.
func (w *workspace) width(f *fit, i, k int) float64 {
	o := w.origins[i]
	width := f.spread.width(w.mean[i*len(f.knots)+k], w.grid.slot[o+f.knots[k]-1], int32(w.grid.day))
	if f.spread.swings {
		width *= w.swing[i]
	}
	return width
}

// chooseSpread picks power and hourly widths, then whether the clock and whether
// the newest misses say how wide, by the pinball loss either half of the replay
// has under the law of the other.
func (w *workspace) chooseSpread(f *fit) {
	best := math.Inf(1)
	var chosen spread
	for _, power := range powers {
		if f.scaling.signed && power != 0 {
			continue
		}
		f.spread = spread{power: power}
		for _, hourly := range [2][]float64{nil, w.hourly(f)} {
			f.spread.hourly = hourly
			if loss := w.trial(f); loss < best*(1-margin) {
				best, chosen = loss, f.spread
			}
		}
	}
	f.spread = chosen
	if f.spread.clock = w.clock(); f.spread.clock != nil {
		if loss := w.trial(f); loss < best*(1-clockMargin) {
			best = loss
		} else {
			f.spread.clock = nil
		}
	}
	f.spread.swing, f.spread.swings = w.swings(f), true
	if !(w.trial(f) < best*(1-swingMargin)) {
		f.spread.swings = false
	}
}

// trial is the pinball loss under the current spread across halves of the
// replay, at a near, a middle and the last knot.
func (w *workspace) trial(f *fit) float64 {
	levels := [2]float64{0.75, 0.92}
	var law [2]float64
	K, N, total := len(f.knots), len(w.origins), 0.0
	for _, k := range [3]int{0, K / 2, K - 1} {
		for half := range 2 {
			w.misses = w.collect(w.misses[:0], f, k, half*N/2, (half+1)*N/2, 1)
			conformal(law[:], w.misses, levels[:])
			for i := (1 - half) * N / 2; i < (2-half)*N/2; i++ {
				y, p := w.target[i*K+k], w.mean[i*K+k]
				if math.IsNaN(y) {
					continue
				}
				width := w.width(f, i, k)
				for l, level := range levels {
					total += w.recency[i] * pinball(f.scaling.out(y), f.scaling.out(p+law[l]*width), level)
				}
			}
		}
	}
	return total
}

// pinball is the loss of a quantile q of a level when y came.
func pinball(y, q, level float64) float64 { return max(level*(y-q), (level-1)*(y-q)) }

// hourly is the relative size of the misses by hour of the local day, smoothed
// over the neighbours and drawn to one where there are few.
func (w *workspace) hourly(f *fit) []float64 {
	K, day := len(f.knots), w.grid.day
	var sum, count [hours]float64
	even := spread{power: f.spread.power}
	for k, h := range f.knots {
		w.errs = w.errs[:0]
		total, n := 0.0, 0.0
		for i := range w.origins {
			size := abs(w.target[i*K+k]-w.mean[i*K+k]) / even.width(w.mean[i*K+k], 0, 1)
			w.errs = append(w.errs, size)
			if !math.IsNaN(size) {
				total += size
				n++
			}
		}
		if total == 0 {
			continue
		}
		for i, size := range w.errs {
			if !math.IsNaN(size) {
				hour := int(w.grid.slot[w.origins[i]+h-1]) * hours / day
				sum[hour] += min(size*n/total, 4)
				count[hour]++
			}
		}
	}
	out := make([]float64, hours+2)
	few := hourFew * float64(K)
	for i := range out {
		h := (i + hours - 1) % hours
		a, b := (h+hours-1)%hours, (h+1)%hours
		out[i] = (sum[h] + (sum[a]+sum[b])/2 + few) / (count[h] + (count[a]+count[b])/2 + few)
	}
	return out
}

// clock is how far nine in ten steps stray at most from the hour around them, by
// their place in the hour and relative to all places: jobs that a clock starts
// burst at their minute or not at all, which no forecast of the middle shows. All
// of history tells, for a replay has but a few origins a minute. It is nil where
// there is no telling.
func (w *workspace) clock() []float64 {
	g := &w.grid
	if g.hour < clockSteps || g.n < clockHours*g.hour || g.day%g.hour != 0 {
		return nil
	}
	w.sum = grow(w.sum, g.n+1)
	w.sum[0] = 0
	for i, z := range g.z {
		w.sum[i+1] = w.sum[i] + z
	}
	half, most := g.hour/2, g.n/g.hour+2
	w.stray = grow(w.stray, g.hour*most)
	w.seen = grow(w.seen, g.hour)
	clear(w.seen)
	for t := half; t+half < g.n; t++ {
		place := int(g.slot[t]) % g.hour
		if g.ok[t] && w.seen[place] < most {
			w.stray[place*most+w.seen[place]] = abs(g.z[t] - (w.sum[t+half]-w.sum[t-half])/float64(2*half))
			w.seen[place]++
		}
	}
	width, mean := make([]float64, g.hour), 0.0
	for i, n := range w.seen {
		if n == 0 {
			return nil
		}
		width[i] = order.Nth(w.stray[i*most:i*most+n], int(clockShare*float64(n)))
		mean += width[i] / float64(g.hour)
	}
	if mean == 0 {
		return nil
	}
	for i, n := range w.seen {
		width[i] = (max(clockLeast, min(clockMost, width[i]/mean))*float64(n) + clockFew) / float64(n+clockFew)
	}
	return width
}
