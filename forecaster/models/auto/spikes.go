package auto

import (
	"slices"

	"github.com/kedastral/kedastral/forecaster/series"
)

const (
	spikeTimes   = 6     // a spike is this many times further off than 95 % of values
	spikeShare   = 0.015 // of values, neighbours of spikes included, that may be that far off
	spikeFew     = 15    // values that may in any case
	spikeSamples = 4096  // values looked at, at most
	spikeLeast   = 100   // values needed to tell
)

// spikeBounds is how far from the middle of its neighbours a value must be to
// be a spike, scaled and relative to that middle: many times what all but the
// wildest values are. A bound is zero, for never, where that happens too often
// to be a fault.
func spikeBounds(values []float64, s scaling) (far, ratio float64) {
	count := min(len(values), spikeSamples)
	d, r := make([]float64, 0, count), make([]float64, 0, count)
	stride := len(values)/spikeSamples + 1
	for i := 1; i+1 < len(values); i += stride {
		if series.Observed(values[i-1]) && series.Observed(values[i]) && series.Observed(values[i+1]) {
			middle := (s.in(values[i-1]) + s.in(values[i+1])) / 2
			off := abs(s.in(values[i]) - middle)
			d, r = append(d, off), append(r, off/(abs(middle)+leastLevel))
		}
	}
	return spikeBound(d), spikeBound(r)
}

func spikeBound(d []float64) float64 {
	if len(d) < spikeLeast {
		return 0
	}
	slices.Sort(d)
	bound := spikeTimes * d[len(d)*95/100]
	i, _ := slices.BinarySearch(d, bound)
	if float64(len(d)-i) > max(spikeFew, spikeShare*float64(len(d))) {
		return 0
	}
	return bound
}

// despike sets aside lone values far from both neighbours, up or down, unless
// the same happens a day or a week before or after. A last value that far from
// the one before waits for a second one to confirm it. It returns how many it
// set aside.
func (g *grid) despike(s scaling) int {
	out := 0
	for t := 1; t < g.n && (s.spike > 0 || s.ratio > 0); t++ {
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

// alone reports whether z[t] is a spike among its neighbours, which may be a
// few steps away.
func (g *grid) alone(t int, s scaling) bool {
	if left := abs(g.z[t] - g.z[t-1]); g.ok[t-1] && (s.spike == 0 || left < s.spike/2) &&
		(s.ratio == 0 || left < s.ratio/2*(abs(g.z[t-1])+leastLevel)) {
		return false // by far the usual case
	}
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
