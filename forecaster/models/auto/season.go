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
	w.days.reset(0, 0, 0)
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

// slots gathers values by place: those of a slot on the days, each in order,
// so that a day more costs a day.
type slots struct {
	room     int
	from, to int       // the steps gathered
	values   []float64 // place × room
	count    []int32   // per place
}

// reset empties the places for as many values each.
func (s *slots) reset(places, room, from int) {
	s.room, s.from, s.to = room, from, from
	s.values, s.count = grow(s.values, places*room), grow(s.count, places)
	clear(s.count)
}

// put adds a value at a place, if there is room.
func (s *slots) put(place int, x float64) {
	m := int(s.count[place])
	if m == s.room {
		return
	}
	v := s.values[place*s.room : place*s.room+m+1]
	for ; m > 0 && v[m-1] > x; m-- {
		v[m] = v[m-1]
	}
	v[m] = x
	s.count[place]++
}

// means fills out with the trimmed mean of every place, around zero.
func (s *slots) means(out []float64) {
	for k := range out {
		out[k] = math.NaN()
		if m := int(s.count[k]); m > 0 {
			out[k] = trimmedMean(s.values[k*s.room : k*s.room+m])
		}
	}
	bridgeSlots(out)
	centre(out)
}

// season fills s, one value a slot of the day, with the trimmed mean of the
// detrended values of each slot over the whole days known at step c. Whole
// centred periods only: an end window cut short bends the season.
func (w *workspace) season(s []float64, c int) {
	g, d := &w.grid, &w.days
	half := g.day / 2
	days := min((c-2*half)/g.day, mostDays)
	from, to, x := c-half-days*g.day, c-half, w.x
	if days < 1 {
		from, to, x = 0, min(c, g.day), g.z
	}
	if from != d.from || to < d.to || days <= 1 {
		// A day of a changing clock has slots twice.
		d.reset(g.day, min(g.n/g.day, mostDays)+2, from)
	}
	for t := d.to; t < to; t++ {
		if g.ok[t] {
			d.put(int(g.slot[t]), x[t])
		}
	}
	d.to = to
	d.means(s)
}

// trimmedMean is the mean of v, in order, without about a fifth of it at
// either end.
func trimmedMean(v []float64) float64 {
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
