package auto

import (
	"math"

	"github.com/kedastral/kedastral/forecaster/models/internal/order"
	"github.com/kedastral/kedastral/forecaster/series"
)

const (
	spikeTimes   = 6     // a spike is this many times further off than 95 % of values
	spikeShare   = 0.015 // of values, neighbours of spikes included, that may be that far off
	spikeFew     = 15    // values that may in any case
	spikeSamples = 4096  // values looked at, at most
	spikeLeast   = 100   // values needed to tell
	leastLevel   = 0.05  // of the mean level's root; nothing is measured relative to less
)

// spikeBounds is how far from the middle of its neighbours a value must be to
// be a spike, scaled and relative to that middle: many times what all but the
// wildest values are. A bound is zero, for never, where that happens too often
// to be a fault.
func (w *workspace) spikeBounds(values []float64, s scaling) (far, ratio float64) {
	w.far, w.ratio = w.far[:0], w.ratio[:0]
	stride := len(values)/spikeSamples + 1
	for i := 1; i+1 < len(values); i += stride {
		a, b, c := values[i-1], values[i], values[i+1]
		if series.Observed(a) && series.Observed(b) && series.Observed(c) {
			middle := (s.in(a) + s.in(c)) / 2
			off := abs(s.in(b) - middle)
			w.far, w.ratio = append(w.far, off), append(w.ratio, off/(abs(middle)+leastLevel))
		}
	}
	return spikeBound(w.far), spikeBound(w.ratio)
}

func spikeBound(d []float64) float64 {
	if len(d) < spikeLeast {
		return 0
	}
	bound, beyond := spikeTimes*order.Nth(d, len(d)*95/100), 0
	for _, x := range d {
		if x >= bound {
			beyond++
		}
	}
	if float64(beyond) > max(spikeFew, spikeShare*float64(len(d))) {
		return 0
	}
	return bound
}

// despike sets aside lone values far from both neighbours, up or down, unless
// the same happens a day or a week before or after. A last value that far from
// the one before waits for a second one to confirm it. It returns how many it
// set aside.
func (g *grid) despike(s scaling) int {
	if s.spike == 0 && s.ratio == 0 {
		return 0
	}
	far, ratio := bound(s.spike)/2, bound(s.ratio)/2
	out := 0
	for t := 1; t < g.n; t++ {
		before := g.z[t-1]
		if jump := abs(g.z[t] - before); g.ok[t-1] && jump < far && jump < ratio*(abs(before)+leastLevel) {
			continue // by far the usual case
		}
		if g.ok[t] && g.alone(t, s) && !g.repeats(t) {
			g.ok[t] = false
			out++
		}
	}
	for g.n > 1 && !g.ok[g.n-1] {
		g.n--
		g.lead++
	}
	g.z, g.ok = g.z[:g.n], g.ok[:g.n]
	return out
}

// bound is a bound of which zero is none.
func bound(b float64) float64 {
	if b == 0 {
		return math.Inf(1)
	}
	return b
}

// alone reports whether z[t] is a spike among its neighbours, which may be a
// few steps away.
func (g *grid) alone(t int, s scaling) bool {
	i, j := t-1, t+1
	for i > max(0, t-3) && !g.ok[i] {
		i--
	}
	for j < min(g.n-1, t+3) && !g.ok[j] {
		j++
	}
	if !g.ok[i] {
		return false
	}
	left, right := g.z[t]-g.z[i], 0.0
	middle, certain := abs(g.z[i]), 1.5
	if j < g.n {
		right = g.z[t] - g.z[j]
		if !g.ok[j] || left*right <= 0 || min(abs(left), abs(right)) < max(abs(left), abs(right))/3 {
			return false
		}
		left, middle, certain = (left+right)/2, abs(g.z[i]+g.z[j])/2, 1
	}
	off := abs(left)
	return s.spike > 0 && off > certain*s.spike || s.ratio > 0 && off > certain*s.ratio*(middle+leastLevel)
}

// repeats reports whether a jump at least half as large stands at about the
// same time of other days: of two, or of one where the history has few.
func (g *grid) repeats(t int) bool {
	jump := abs(g.z[t] - g.z[t-1])
	hits, days := 0, 0
	for _, d := range [...]int{-14, -7, -3, -2, -1, 1, 2, 3, 7, 14} {
		at := t + d*g.day
		if at < 1 || at >= g.n {
			continue
		}
		days++
		for u := max(1, at-1); u <= min(g.n-1, at+1); u++ {
			if g.ok[u] && g.ok[u-1] && abs(g.z[u]-g.z[u-1]) > jump/2 {
				hits++
				break
			}
		}
	}
	return hits > 1 || hits == 1 && days < 4
}
