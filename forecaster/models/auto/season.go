package auto

import (
	"math"
	"slices"
)

const mostDays = 21 // days a season looks back

// detrend fills w.x with z minus its centred mean over one whole day, which
// is defined half a day from both ends of the history.
func (w *workspace) detrend() {
	g := &w.grid
	w.sum = grow(w.sum, g.n+1)
	w.x = grow(w.x, g.n)
	w.sum[0] = 0
	for i, v := range g.z {
		w.sum[i+1] = w.sum[i] + v
	}
	half := g.day / 2
	for t := half; t < g.n-half; t++ {
		total := w.sum[t+half+1] - w.sum[t-half]
		if g.day%2 == 0 {
			total -= (g.z[t-half] + g.z[t+half]) / 2
		}
		w.x[t] = g.z[t] - total/float64(g.day)
	}
}

// season fills s, one value a slot of the day, with the trimmed mean of the
// detrended values of each slot over the whole days known at step c. Whole
// centred periods only: an end window cut short bends the season.
func (w *workspace) season(s []float64, c int) {
	g := &w.grid
	half := g.day / 2
	days := min((c-2*half)/g.day, mostDays)
	from, to, x := c-half-days*g.day, c-half, w.x
	if days < 1 {
		days, from, to, x = 1, max(0, c-g.day), c, g.z
	}
	room := days + 2 // a day of a changing clock has slots twice
	w.pick = grow(w.pick, g.day*room)
	w.count = grow(w.count, g.day)
	clear(w.count)
	for t := from; t < to; t++ {
		if k := g.slot[t]; g.ok[t] && int(w.count[k]) < room {
			w.pick[int(k)*room+int(w.count[k])] = x[t]
			w.count[k]++
		}
	}
	w.gather(s, room)
}

// gather fills s with the trimmed means of what was picked for each place.
func (w *workspace) gather(s []float64, room int) {
	for k := range s {
		s[k] = math.NaN()
		if m := int(w.count[k]); m > 0 {
			s[k] = trimmedMean(w.pick[k*room : k*room+m])
		}
	}
	bridgeSlots(s)
	centre(s)
}

// trimmedMean is the mean of v without about a fifth of it at either end.
func trimmedMean(v []float64) float64 {
	insertionSort(v)
	trim := 0
	if len(v) > 2 {
		trim = (len(v) + 2) / 5
	}
	v = v[trim : len(v)-trim]
	sum := 0.0
	for _, x := range v {
		sum += x
	}
	return sum / float64(len(v))
}

// insertionSort beats the library's sort on the handful of days it is for.
func insertionSort(v []float64) {
	if len(v) > 32 {
		slices.Sort(v)
		return
	}
	for i := 1; i < len(v); i++ {
		x, j := v[i], i
		for ; j > 0 && v[j-1] > x; j-- {
			v[j] = v[j-1]
		}
		v[j] = x
	}
}

// bridgeSlots joins slots never observed by a line around the day.
func bridgeSlots(s []float64) {
	first := slices.IndexFunc(s, func(v float64) bool { return !math.IsNaN(v) })
	if first < 0 {
		clear(s)
		return
	}
	last := first
	for i := 1; i <= len(s); i++ {
		k := (first + i) % len(s)
		if math.IsNaN(s[k]) {
			continue
		}
		for gap, j := first+i-last, last+1; j < first+i; j++ {
			x := float64(j-last) / float64(gap)
			s[j%len(s)] = s[last%len(s)]*(1-x) + s[k]*x
		}
		last = first + i
	}
}

func centre(s []float64) {
	mean := 0.0
	for _, v := range s {
		mean += v
	}
	mean /= float64(len(s))
	for i := range s {
		s[i] -= mean
	}
}
