package auto

import (
	"math"
	"slices"

	"github.com/kedastral/kedastral/forecaster/models/internal/order"
)

const (
	mostWeeks = 4   // weeks the weekly curve looks back
	oddTimes  = 6   // an hour is odd that departs from the day this many times as far as four in five do: …
	oddShare  = 0.8 // … two days in seven, a weekend, are no oddity …
	oddRanges = 1   // … and further than this many ranges of the day
	oddHours  = 300 // hours looked at to tell, at most
	oddFew    = 20  // needed to tell
)

// drawWeekly lays out the daily season and, smoothed over an hour to either
// side, how the same time departed from it in the weeks before. As many weeks
// count for every step, or the curve would leap where history ends. An hour that
// departed like no other is repeated no further than the rest go: a week has one
// of each of its hours, and an incident is none of them.
func (w *workspace) drawWeekly(v *vintage, lo, hi int) {
	g, at := &w.grid, w.curves.at[weekly]
	copy(at, w.curves.at[daily])
	weeks := 0
	for weeks < mostWeeks && g.ago(lo, 7*weeks+7) >= g.hour {
		weeks++
	}
	for k := 1; k <= weeks; k++ {
		// Clocks change by hours at most.
		first, end := max(0, g.ago(lo, 7*k)-4*g.hour), min(v.at, g.ago(hi-1, 7*k)+4*g.hour)
		w.sum = grow(w.sum, end-first+1)
		sum := w.sum
		sum[0] = 0
		for i, z := range g.z[first:end] {
			sum[i+1] = sum[i] + z - v.daily[g.slot[first+i]]
		}
		for t := lo; t < hi; t++ {
			u := g.ago(t, 7*k) - first
			if from, to := max(0, u-g.hour), min(len(sum)-1, u+g.hour+1); from < to {
				departure := (sum[to] - sum[from]) / float64(to-from)
				at[t-lo] += max(v.low, min(v.high, departure)) / float64(weeks)
			}
		}
	}
}

// bound says how far from the daily season the weekly curve may be.
func (w *workspace) bound(v *vintage) {
	g := &w.grid
	v.low, v.high = math.Inf(-1), math.Inf(1)
	w.far = w.far[:0]
	for stride, t := max(1, v.at/oddHours), g.hour; t+g.hour < v.at; t += stride {
		if !g.ok[t] {
			continue
		}
		sum := 0.0
		for k := -2; k <= 2; k++ {
			u := t + k*g.hour/2
			sum += g.z[u] - v.daily[g.slot[u]]
		}
		w.far = append(w.far, sum/5)
	}
	if len(w.far) < oddFew {
		return
	}
	middle := order.Nth(w.far, len(w.far)/2)
	for i, x := range w.far {
		w.far[i] = abs(x - middle)
	}
	reach := max(oddTimes*order.Nth(w.far, int(oddShare*float64(len(w.far)))), oddRanges*(slices.Max(v.daily)-slices.Min(v.daily)))
	v.low, v.high = middle-reach, middle+reach
}
