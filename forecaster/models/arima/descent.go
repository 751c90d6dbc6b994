package arima

import "math"

// squares is a sum of squares to be made small.
type squares interface {
	run(v []float64) float64              // the sum at v
	normal(v, normal, gradient []float64) // the Gauss-Newton equations of the last run, which was at v
	residuals() []float64                 // of the last run
	counted() int
}

// The descent stops when a step gains, or promises to gain, less log-likelihood
// than this: a hundredth of what tells two orders apart, and less where a few
// values leave the coefficients far to go for it.
const (
	enough      = 0.01
	enoughShort = 0.0005
	cssSteps    = 40
)

// descend minimises a sum of squares from v by the method of Levenberg and
// Marquardt, never leaving the stationary and invertible region. It changes v
// and returns the sum.
func descend(c squares, o Order, v []float64) float64 {
	sum := c.run(v)
	k := len(v)
	if k == 0 {
		return sum
	}
	block := make([]float64, 2*k*k+2*k)
	normal, work, gradient, trial := block[:k*k], block[k*k:2*k*k], block[2*k*k:2*k*k+k], block[2*k*k+k:]
	damping, tolerance := 1e-4, 2*enough/float64(c.counted())
	if c.counted() < short {
		tolerance *= enoughShort / enough
	}
	for range cssSteps {
		c.normal(v, normal, gradient)
		lower, ok, moved := sum, false, false
		for range 8 {
			promised, admitted := step(o, trial, v, normal, gradient, work, damping)
			if admitted && promised < tolerance*sum {
				break
			}
			if admitted {
				moved = true
				if lower = c.run(trial); lower < sum {
					ok = true
					break
				}
			}
			damping *= 10
		}
		if !ok && moved {
			c.run(v)
		}
		if !ok {
			break
		}
		copy(v, trial)
		gain := sum - lower
		sum, damping = lower, max(damping/10, 1e-12)
		if gain <= tolerance*sum {
			break
		}
	}
	return sum
}

// step solves for the trial coefficients; ok is false where there are none or
// they are not admissible. promised is what the sum would lose, were it
// quadratic.
func step(o Order, trial, v, normal, gradient, work []float64, damping float64) (promised float64, ok bool) {
	k := len(v)
	copy(work, normal)
	for i := range k {
		work[i*k+i] += damping*normal[i*k+i] + math.SmallestNonzeroFloat32
	}
	copy(trial, gradient)
	if !solve(work, trial) {
		return 0, false
	}
	for i, d := range trial {
		promised += d * gradient[i]
		trial[i] = v[i] - d
	}
	return promised, admissible(o.split(trial))
}
