package series

import (
	"fmt"
	"time"
)

// leastSeen is the share of a step that must have been recorded for its mean to
// stand for all of it.
const leastSeen = 0.5

// Recorded lays a recording on steps of a multiple of the one it was taken at,
// or of that one for a step of 0: a load on a coarser step is its mean there.
// Whoever replays a recording and whoever tests with it see the same load.
func Recorded(samples []Sample, step time.Duration) (DataFrame, error) {
	if step != 0 {
		if err := CheckStep(step); err != nil {
			return DataFrame{}, err
		}
	}
	own, err := InferStep(samples)
	if err != nil {
		return DataFrame{}, err
	}
	if step == 0 {
		step = own
	}
	if step%own != 0 {
		return DataFrame{}, fmt.Errorf("recorded every %v, step %v: must be a multiple", own, step)
	}
	last := samples[0].At
	for _, s := range samples {
		last = later(last, s.At)
	}
	fine, err := Span(samples, own, last.Add(own))
	if err != nil {
		return DataFrame{}, err
	}
	return fine.Resample(step, leastSeen)
}
