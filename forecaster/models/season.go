package models

import (
	"math"
	"slices"
	"time"

	"github.com/kedastral/kedastral/forecaster/features"
	"github.com/kedastral/kedastral/forecaster/series"
)

const (
	quarter = 15 * time.Minute
	trimmed = 0.2 // share of a cell's values left out at either end
)

// season is what repeats: the hour of the day in quarters, the hours by which
// a day of the week differs from it, and the minutes of the hour. Each level
// is learned from what the ones before left over, and shrunk by how well one
// half of the history agrees with the other about it.
type season struct {
	offset time.Duration // from a step's start to its middle
	levels []cycle
}

// cycle is one level: a table that is walked through once a period.
type cycle struct {
	period, cell int // seconds
	smooth       bool
	table        []float64
}

// learnSeason finds what repeats in x, the frame's history in the model's own
// scale. It takes a day and a half of steps to tell, two weeks for days of the
// week.
func learnSeason(f features.Frame, x []float64) season {
	s := season{offset: f.Step / 2}
	span := time.Duration(len(x)) * f.Step
	if span < day*3/2 || f.Step > 6*time.Hour {
		return s
	}
	around := day
	if span >= 2*week {
		around = week
	}
	clock := f.Clock()
	rest := withoutLevel(clip(x), int(around/f.Step))
	learn := func(period, cell time.Duration, smooth bool) {
		c := learnCycle(clock, rest, int((s.offset)/time.Second), cycle{period: int(period / time.Second), cell: int(cell / time.Second), smooth: smooth})
		if c.table == nil {
			return
		}
		for i := range rest {
			rest[i] -= c.at(clock.SecondOfWeek(i) + int(s.offset/time.Second))
		}
		s.levels = append(s.levels, c)
	}
	learn(day, max(quarter, f.Step), true)
	if around == week {
		learn(week, max(time.Hour, f.Step), true)
	}
	if f.Step <= 5*time.Minute && time.Hour%f.Step == 0 {
		learn(time.Hour, max(time.Minute, f.Step), false)
	}
	return s
}

// at is the season of step i.
func (s season) at(clock features.Clock, i int) float64 {
	if len(s.levels) == 0 {
		return 0
	}
	second, sum := clock.SecondOfWeek(i)+int(s.offset/time.Second), 0.0
	for _, c := range s.levels {
		sum += c.at(second)
	}
	return sum
}

// at is the table's value at a second of the week, interpolated between the
// middles of its cells where the level is smooth.
func (c cycle) at(second int) float64 {
	second %= c.period
	if !c.smooth {
		return c.table[second/c.cell%len(c.table)]
	}
	position := float64(second)/float64(c.cell) - 0.5
	if position < 0 {
		position += float64(len(c.table))
	}
	low := int(position)
	share := position - float64(low)
	return c.table[low%len(c.table)]*(1-share) + c.table[(low+1)%len(c.table)]*share
}

// learnCycle fills a table with the trimmed means of its cells, shrunk by the
// Spearman–Brown reliability of two halves: every other period against the
// rest. A table that the halves do not agree on stays nil.
func learnCycle(clock features.Clock, rest []float64, offset int, c cycle) cycle {
	n := max(1, (c.period+c.cell-1)/c.cell)
	halves := [2][][]float64{make([][]float64, n), make([][]float64, n)}
	for i, v := range rest {
		if math.IsNaN(v) {
			continue
		}
		local := int(clock.Local(i)) + 4*int(day/time.Second) + offset // weeks begin on Sunday
		cell := clock.SecondOfWeek(i) + offset
		half, k := local/c.period&1, cell%c.period/c.cell
		halves[half][k] = append(halves[half][k], v)
	}
	all, even, odd := make([]float64, n), make([]float64, n), make([]float64, n)
	for k := range n {
		even[k], odd[k] = trimmedMean(halves[0][k]), trimmedMean(halves[1][k])
		all[k] = trimmedMean(append(halves[0][k], halves[1][k]...))
	}
	r := correlation(even, odd)
	if !(r > 0) {
		return c
	}
	c.table = all
	for k, v := range all {
		if math.IsNaN(v) {
			v = 0
		}
		c.table[k] = v * 2 * r / (1 + r)
	}
	return c
}

// withoutLevel subtracts the centred mean over a whole period, so that a
// season is learned from whole periods only. The first and last half period
// take the nearest whole one's mean.
func withoutLevel(x []float64, period int) []float64 {
	rest := make([]float64, len(x))
	half := period / 2
	sum, n := 0.0, 0.0
	level, first := math.NaN(), -1
	for i := range x {
		if v := x[i]; !math.IsNaN(v) {
			sum, n = sum+v, n+1
		}
		if old := i - period; old >= 0 && !math.IsNaN(x[old]) {
			sum, n = sum-x[old], n-1
		}
		if i < period-1 {
			continue
		}
		if n*2 >= float64(period) || math.IsNaN(level) && n > 0 {
			level = sum / n
		}
		middle := i - half
		if first < 0 {
			first = middle
			for k := range middle {
				rest[k] = x[k] - level
			}
		}
		rest[middle] = x[middle] - level
	}
	for k := len(x) - half; k < len(x); k++ {
		rest[k] = x[k] - level
	}
	return rest
}

// clip bounds values so that a single one cannot carry a mean away.
func clip(x []float64) []float64 {
	sorted := observedOf(x)
	if len(sorted) == 0 {
		return x
	}
	slices.Sort(sorted)
	at := func(q float64) float64 { return sorted[int(q*float64(len(sorted)-1))] }
	low, high := at(0.01)-3*(at(0.5)-at(0.01)), at(0.99)+3*(at(0.99)-at(0.5))
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = math.NaN()
		if series.Observed(v) {
			out[i] = min(max(v, low), high)
		}
	}
	return out
}

func observedOf(x []float64) []float64 {
	out := make([]float64, 0, len(x))
	for _, v := range x {
		if series.Observed(v) {
			out = append(out, v)
		}
	}
	return out
}

// trimmedMean sorts the values; NaN of none.
func trimmedMean(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	slices.Sort(values)
	cut := int(trimmed * float64(len(values)))
	mean := 0.0
	for i, v := range values[cut : len(values)-cut] {
		mean += (v - mean) / float64(i+1)
	}
	return mean
}

// correlation is Pearson's r of the pairs without NaN; NaN where there is
// none.
func correlation(a, b []float64) float64 {
	var n, ma, mb, aa, bb, ab float64
	for i := range a {
		if math.IsNaN(a[i]) || math.IsNaN(b[i]) {
			continue
		}
		n++
		da, db := a[i]-ma, b[i]-mb
		ma, mb = ma+da/n, mb+db/n
		aa, bb, ab = aa+da*(a[i]-ma), bb+db*(b[i]-mb), ab+da*(b[i]-mb)
	}
	return ab / math.Sqrt(aa*bb)
}
