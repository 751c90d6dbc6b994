package series

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// maxSteps keeps a stray timestamp from asking for all the memory there is:
// a year of seconds.
const maxSteps = 32_000_000

// Sample is one value that speaks for the step At falls into.
type Sample struct {
	At    time.Time
	Value float64
}

// Align is t rounded down to a multiple of step since the Unix epoch, in UTC.
// The step is positive whole seconds.
func Align(t time.Time, step time.Duration) time.Time {
	seconds := int64(step / time.Second)
	at := t.Unix()
	return time.Unix(at-((at%seconds)+seconds)%seconds, 0).UTC()
}

// CheckStep says what is wrong with a step.
func CheckStep(step time.Duration) error {
	if step < time.Second || step%time.Second != 0 {
		return fmt.Errorf("step %v: must be positive whole seconds", step)
	}
	return nil
}

// Build lays samples in any order on the grid from one instant to another,
// both rounded down to it. Of several samples in one step the one latest in
// time wins, and of those the last given. A NaN or an infinity is no
// observation, and what is at or after to, the present, is left out: nothing
// can have been observed in the future.
func Build(samples []Sample, step time.Duration, from, to time.Time) (DataFrame, error) {
	if err := CheckStep(step); err != nil {
		return DataFrame{}, err
	}
	d := DataFrame{Start: Align(from, step), Step: step}
	n := d.Index(to)
	if n > maxSteps {
		return DataFrame{}, fmt.Errorf("%d steps of %v from %s to %s: must be at most %d",
			n, step, from.Format(time.RFC3339), to.Format(time.RFC3339), maxSteps)
	}
	d.Values = gaps(max(0, n))
	newest := make([]time.Time, len(d.Values))
	for _, s := range samples {
		i := d.Index(s.At)
		if i < 0 || i >= len(d.Values) || !Observed(s.Value) || s.At.Before(newest[i]) {
			continue
		}
		d.Values[i], newest[i] = s.Value, s.At
	}
	return d, nil
}

// Span builds the frame that just holds all samples before now.
func Span(samples []Sample, step time.Duration, now time.Time) (DataFrame, error) {
	if err := CheckStep(step); err != nil {
		return DataFrame{}, err
	}
	var from, to time.Time
	for _, s := range samples {
		if s.At.Before(now) {
			if from.IsZero() || s.At.Before(from) {
				from = s.At
			}
			if to.IsZero() || s.At.After(to) {
				to = s.At
			}
		}
	}
	if from.IsZero() {
		return DataFrame{Start: Align(now, step), Step: step}, nil
	}
	return Build(samples, step, from, Align(to, step).Add(step))
}

// Index is the step that t falls into; it may lie outside the frame.
func (d DataFrame) Index(t time.Time) int {
	// Not by Sub, which stops at 292 years.
	return int((Align(t, d.Step).Unix() - d.Start.Unix()) / int64(d.Step/time.Second))
}

// InferStep is the step samples were taken at: the most frequent distance
// between neighbours in time, the shorter one of two as frequent.
func InferStep(samples []Sample) (time.Duration, error) {
	at := make([]time.Time, len(samples))
	for i, s := range samples {
		at[i] = s.At
	}
	slices.SortFunc(at, time.Time.Compare)
	count := map[time.Duration]int{}
	var step time.Duration
	for i := 1; i < len(at); i++ {
		apart := at[i].Sub(at[i-1])
		if apart == 0 {
			continue
		}
		count[apart]++
		if n := count[apart]; n > count[step] || n == count[step] && apart < step {
			step = apart
		}
	}
	if step == 0 {
		return 0, fmt.Errorf("%d samples: two instants are needed to tell the step", len(samples))
	}
	return step, CheckStep(step)
}

func gaps(n int) []float64 {
	values := make([]float64, n)
	for i := range values {
		values[i] = math.NaN()
	}
	return values
}
