package series

import (
	"math"
	"time"
)

const (
	shortHole = time.Hour // up to here a straight line is as good as any shape
	donorDays = 7         // earlier days searched for a shape
)

// Filled is a copy without gaps between the first and the last observation,
// for those who need every step. The receiver stays the record of what was
// observed: nothing may be scored or learned from a filled step.
//
// A hole of at most an hour becomes a straight line. A longer one takes the
// shape of the same hours on the nearest earlier day that was observed there
// (a later one where no earlier was), bent so that it joins both ends; where
// no day was, a line. Steps before the first observation repeat it, steps
// after the last one repeat the shape of the day before from there, or it.
func (d DataFrame) Filled() DataFrame {
	out := DataFrame{Start: d.Start, Step: d.Step, Values: append([]float64(nil), d.Values...)}
	last := d.LastObserved()
	if last < 0 {
		return out
	}
	first := 0
	for !Observed(d.Values[first]) {
		first++
	}
	for i := range first {
		out.Values[i] = d.Values[first]
	}
	for i := first; i < last; i++ {
		if to := i + 1; !Observed(d.Values[to]) {
			for !Observed(d.Values[to]) {
				to++
			}
			d.bridge(out.Values, i, to)
			i = to - 1
		}
	}
	d.extend(out.Values, last)
	return out
}

// bridge fills the steps between two observations.
func (d DataFrame) bridge(values []float64, from, to int) {
	shift := 0
	if time.Duration(to-from-1)*d.Step > shortHole {
		shift = d.donor(from, to)
	}
	left, right := d.Values[from], d.Values[to]
	floor := d.floor()
	for i := from + 1; i < to; i++ {
		share := float64(i-from) / float64(to-from)
		if shift == 0 {
			values[i] = left*(1-share) + right*share
			continue
		}
		// The donor's shape plus a line that mends both joints.
		mend := (left-d.Values[from+shift])*(1-share) + (right-d.Values[to+shift])*share
		values[i] = max(floor, d.shape(i+shift)+mend)
	}
}

// extend fills the steps after the last observation.
func (d DataFrame) extend(values []float64, last int) {
	if last == len(values)-1 {
		return
	}
	shift := 0
	if time.Duration(len(values)-1-last)*d.Step > shortHole {
		shift = d.donor(last, len(values)-1)
	}
	floor := d.floor()
	for i := last + 1; i < len(values); i++ {
		values[i] = d.Values[last]
		if shift != 0 {
			values[i] = max(floor, d.shape(i+shift)+d.Values[last]-d.Values[last+shift])
		}
	}
}

// donor is the distance to a day whose same hours were observed: both ends and
// at least nine tenths between them. 0 is none.
func (d DataFrame) donor(from, to int) int {
	perDay := int(24 * time.Hour / d.Step)
	for _, direction := range []int{-1, 1} {
		for days := 1; days <= donorDays; days++ {
			shift := direction * days * perDay
			if from+shift < 0 || to+shift >= len(d.Values) || shift == 0 {
				continue
			}
			if !Observed(d.Values[from+shift]) || !Observed(d.Values[to+shift]) {
				continue
			}
			if _, n := meanObserved(d.Values[from+shift : to+shift+1]); n*10 >= (to-from+1)*9 {
				return shift
			}
		}
	}
	return 0
}

// shape is a donor's value; a hole in it is bridged from neighbour to
// neighbour.
func (d DataFrame) shape(i int) float64 {
	before, after := i, i
	for !Observed(d.Values[before]) {
		before--
	}
	for !Observed(d.Values[after]) {
		after++
	}
	if before == after {
		return d.Values[i]
	}
	share := float64(i-before) / float64(after-before)
	return d.Values[before]*(1-share) + d.Values[after]*share
}

// floor keeps a bent shape from going below zero where nothing observed did.
func (d DataFrame) floor() float64 {
	for _, v := range d.Values {
		if Observed(v) && v < 0 {
			return math.Inf(-1)
		}
	}
	return 0
}
