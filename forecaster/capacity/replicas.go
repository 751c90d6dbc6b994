package capacity

import "math"

// Limit names what shaped a step's count beyond the load.
type Limit string

// The limits of a step.
const (
	Unlimited Limit = ""
	RiseLimit Limit = "rise limited"       // UpMaxFactorPerStep
	FallLimit Limit = "fall limited"       // DownMaxPercentPerStep
	Unknown   Limit = "load unknown, held" // a value was not finite
	AtMin     Limit = "at MinReplicas"
	AtMax     Limit = "at MaxReplicas"
)

// Step is how one step's count came about.
type Step struct {
	Load     float64 // the load planned for; 0 when it is not known
	Needed   int     // what it and the prewarm window need, rounded up
	Limit    Limit   // what else shaped the count
	Replicas int
}

// ToReplicas plans the replicas of each step of a forecast; prev is the count
// before its first step. The result has the forecast's length and is empty for
// an invalid policy or a step that is not positive. The package's doc has the
// mathematics.
func ToReplicas(prev int, forecast []float64, stepSec int, p Policy) []int {
	if stepSec <= 0 || p.Validate() != nil {
		return nil
	}
	return counts(plan(prev, forecast, p))
}

func counts(steps []Step) []int {
	out := make([]int, len(steps))
	for i, s := range steps {
		out[i] = s.Replicas
	}
	return out
}

// plan works the steps out in turn; the policy is valid.
func plan(prev int, forecast []float64, p Policy) []Step {
	prev = min(max(prev, 0), MaxCount)
	steps := make([]Step, len(forecast))
	for i := range forecast {
		ahead := min(p.PrewarmWindowSteps, len(forecast)-1-i) // never their sum, which may be beyond an int
		steps[i] = p.step(prev, forecast[i:i+ahead+1])
		prev = steps[i].Replicas
	}
	return steps
}

// step plans one step from the count before it and the loads of its prewarm
// window, whose first element is its own.
func (p Policy) step(prev int, window []float64) Step {
	var s Step
	known := true
	for _, v := range window {
		if !finite(v) {
			known = false
			continue
		}
		s.Needed = max(s.Needed, roundUp(p.adjusted(v)))
	}
	if finite(window[0]) {
		s.Load = window[0]
	}
	n := s.Needed
	switch up, down := p.highest(prev), p.lowest(prev); {
	case !known && n < prev:
		n, s.Limit = prev, Unknown
	case n > up:
		n, s.Limit = up, RiseLimit
	case n < down:
		n, s.Limit = down, FallLimit
	}
	s.Replicas = p.bound(n)
	switch {
	case s.Replicas > n:
		s.Limit = AtMin
	case s.Replicas < n:
		s.Limit = AtMax
	}
	return s
}

// highest is the most a step may have after one that had prev.
func (p Policy) highest(prev int) int {
	if p.UpMaxFactorPerStep == 0 {
		return MaxCount
	}
	up := math.Floor(float64(prev)*p.UpMaxFactorPerStep + 1e-9)
	return int(min(max(up, float64(prev)+1), MaxCount))
}

// lowest is the least a step may have after one that had prev.
func (p Policy) lowest(prev int) int {
	if p.DownMaxPercentPerStep == 0 {
		return 0
	}
	kept := (int64(prev)*int64(100-p.DownMaxPercentPerStep) + 99) / 100
	return max(min(int(kept), prev-1), 0)
}
