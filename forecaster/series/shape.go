package series

import (
	"fmt"
	"slices"
	"time"
)

// Window is the part of the frame from one instant to another, both rounded
// down to the grid, as a copy. What lies outside the frame is a gap: the
// window always covers what was asked.
func (d DataFrame) Window(from, to time.Time) DataFrame {
	start := d.Index(from)
	out := DataFrame{Start: Align(from, d.Step), Step: d.Step, Values: gaps(max(0, d.Index(to)-start))}
	for i := range out.Values {
		if k := start + i; k >= 0 && k < len(d.Values) {
			out.Values[i] = d.Values[k]
		}
	}
	return out
}

// Merge lays a newer frame of the same step over this one, as a copy that
// covers both. Where both observed, the newer one wins; a gap in it takes
// nothing away.
func (d DataFrame) Merge(newer DataFrame) (DataFrame, error) {
	if d.Step != newer.Step {
		return DataFrame{}, fmt.Errorf("merging a series of step %v into one of step %v: steps must be equal", newer.Step, d.Step)
	}
	if len(d.Values) == 0 || len(newer.Values) == 0 {
		if len(newer.Values) > 0 {
			d = newer
		}
		return d.Window(d.Start, d.End()), nil
	}
	out := d.Window(earlier(d.Start, newer.Start), later(d.End(), newer.End()))
	at := out.Index(newer.Start)
	for i, v := range newer.Values {
		if Observed(v) {
			out.Values[at+i] = v
		}
	}
	return out, nil
}

// Resample averages the frame into steps of a multiple of its own. A coarse
// step is observed when at least the given share of its fine steps is, the
// unseen parts of the first and the last one counting as missing; share 0
// asks for one.
func (d DataFrame) Resample(step time.Duration, share float64) (DataFrame, error) {
	switch {
	case step < d.Step || step%d.Step != 0:
		return DataFrame{}, fmt.Errorf("resampling steps of %v to %v: must be a multiple", d.Step, step)
	case !(share >= 0 && share <= 1):
		return DataFrame{}, fmt.Errorf("least share observed %v: must be between 0 and 1", share)
	}
	out := DataFrame{Start: Align(d.Start, step), Step: step}
	if len(d.Values) == 0 {
		return out, nil
	}
	out.Values = gaps(out.Index(d.End().Add(-d.Step)) + 1)
	per, first := int(step/d.Step), int(d.Start.Sub(out.Start)/d.Step)
	for i := range out.Values {
		mean, n := meanObserved(d.Values[max(0, i*per-first):min(len(d.Values), (i+1)*per-first)])
		if n > 0 && float64(n) >= share*float64(per) {
			out.Values[i] = mean
		}
	}
	return out, nil
}

// Missing is the share of steps that were not observed, 1 of none at all.
func (d DataFrame) Missing() float64 {
	if len(d.Values) == 0 {
		return 1
	}
	_, n := meanObserved(d.Values)
	return 1 - float64(n)/float64(len(d.Values))
}

// LastObserved is the newest observation's step, or -1.
func (d DataFrame) LastObserved() int {
	for i, v := range slices.Backward(d.Values) {
		if Observed(v) {
			return i
		}
	}
	return -1
}

// meanObserved sums nothing up, so that no sum overflows.
func meanObserved(values []float64) (mean float64, n int) {
	for _, v := range values {
		if Observed(v) {
			n++
			mean += v/float64(n) - mean/float64(n)
		}
	}
	return mean, n
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
