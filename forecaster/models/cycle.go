package models

import (
	"math"
	"slices"

	"github.com/kedastral/kedastral/forecaster/features"
)

const trimmed = 0.2 // share of a cell's values left out at either end

// cycle is one level: a table that is walked through once a period.
type cycle struct {
	period, cell int     // seconds
	perCell      float64 // 1 / cell
	smooth       bool
	table        []float64
}

// at is the table's value at a second of the week, interpolated between the
// middles of its cells where the level is smooth. It runs for every step of a
// history, hence no division by what the compiler does not know.
func (c *cycle) at(second int) float64 {
	switch c.period {
	case secondsOfHour:
		second %= secondsOfHour
	case secondsOfDay:
		second %= secondsOfDay
	default:
		second %= secondsOfWeek
	}
	position, n := float64(second)*c.perCell, len(c.table)
	if !c.smooth {
		return c.table[min(int(position), n-1)]
	}
	if position -= 0.5; position < 0 {
		position += float64(n)
	}
	low := int(position)
	high := low + 1
	if high >= n {
		low, high = min(low, n-1), 0
	}
	return c.table[low] + (position-float64(low))*(c.table[high]-c.table[low])
}

const (
	secondsOfHour = 60 * 60
	secondsOfDay  = 24 * secondsOfHour
	secondsOfWeek = 7 * secondsOfDay
)

// learn fills the table with the trimmed means of its cells, shrunk by the
// Spearman–Brown reliability of two halves: every other period against the
// rest. A table that the halves do not agree on stays nil.
func (c *cycle) learn(clock features.Clock, rest []float64, middle int) {
	n := (c.period + c.cell - 1) / c.cell
	even, odd := make([][]float64, n), make([][]float64, n)
	room := make([]float64, 2*n*(len(rest)/n/2+2))
	for k := range n {
		size := len(room) / (2 * n)
		even[k], odd[k] = room[2*k*size:2*k*size:(2*k+1)*size], room[(2*k+1)*size:(2*k+1)*size:(2*k+2)*size]
	}
	for i, v := range rest {
		if math.IsNaN(v) {
			continue
		}
		local := int(clock.Local(i)) + 4*secondsOfDay + middle // weeks begin on Sunday
		k := (clock.SecondOfWeek(i) + middle) % c.period / c.cell
		if local/c.period&1 == 0 {
			even[k] = append(even[k], v)
		} else {
			odd[k] = append(odd[k], v)
		}
	}
	all, a, b := make([]float64, n), make([]float64, n), make([]float64, n)
	for k := range n {
		a[k], b[k] = trimmedMean(even[k]), trimmedMean(odd[k])
		all[k] = trimmedMean(append(even[k], odd[k]...))
	}
	r := correlation(a, b)
	if !(r > 0) {
		return
	}
	c.table = all
	for k, v := range all {
		if math.IsNaN(v) {
			v = 0
		}
		c.table[k] = v * 2 * r / (1 + r)
	}
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
