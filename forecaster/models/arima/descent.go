package arima

import (
	"math"

	"gonum.org/v1/gonum/floats"
)

// squares is a sum of squares to be made small.
type squares interface {
	run(v []float64) float64              // the sum at v
	normal(v, normal, gradient []float64) // the Gauss-Newton equations of the last run, which was at v
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
//
// Where the two polynomials nearly share a root the equations underestimate
// the curvature and their steps swing about the minimum. A step's slope at its
// two ends tells by how much, and the next is shortened by that.
func descend(c squares, o Order, v []float64) float64 {
	sum := c.run(v)
	if len(v) == 0 {
		return sum
	}
	d := newDescent(o, v)
	tolerance := 2 * enough / float64(c.counted())
	if c.counted() < short {
		tolerance *= enoughShort / enough
	}
	for range cssSteps {
		c.normal(v, d.normal, d.gradient)
		d.relax()
		lower, ok, moved := sum, false, false
		for range 8 {
			promised, admitted := d.step(v)
			if admitted && promised < tolerance*sum {
				break
			}
			if admitted {
				moved = true
				if lower = c.run(d.trial); lower < sum {
					ok = true
					break
				}
			}
			d.damping *= 10
		}
		if !ok && moved {
			c.run(v)
		}
		if !ok {
			break
		}
		d.accept(v)
		gain := sum - lower
		sum = lower
		if gain <= tolerance*sum {
			break
		}
	}
	return sum
}

// descent is where a search stands.
type descent struct {
	order            Order
	normal, gradient []float64 // the equations where it stands
	work, trial      []float64
	moved            []float64 // the last step accepted
	slope            float64   // along it where it began; 0 before the first
	damping          float64
	length           float64 // of a step, as a share of what the equations say
}

func newDescent(o Order, v []float64) descent {
	k := len(v)
	block := make([]float64, 2*k*k+3*k)
	cut := func(n int) (s []float64) { s, block = block[:n:n], block[n:]; return s }
	return descent{
		order: o, normal: cut(k * k), work: cut(k * k), gradient: cut(k), trial: cut(k), moved: cut(k),
		damping: 1e-4, length: 1,
	}
}

// relax learns from the slopes along the last step how long the next should be.
func (d *descent) relax() {
	if d.slope == 0 {
		return
	}
	if end := floats.Dot(d.gradient, d.moved); end != d.slope {
		d.length = max(shortest, min(1, d.length*d.slope/(d.slope-end)))
	}
}

const shortest = 0.25 // share of a step that is taken at least

// step solves for the trial coefficients; ok is false where there are none or
// they are not admissible. promised is what the sum would lose, were it
// quadratic.
func (d *descent) step(v []float64) (promised float64, ok bool) {
	k := len(v)
	copy(d.work, d.normal)
	for i := range k {
		d.work[i*k+i] += d.damping*d.normal[i*k+i] + math.SmallestNonzeroFloat32
	}
	copy(d.trial, d.gradient)
	if !solve(d.work, d.trial) {
		return 0, false
	}
	for i, by := range d.trial {
		promised += d.length * by * d.gradient[i]
		d.trial[i] = v[i] - d.length*by
	}
	return promised, admissible(d.order.split(d.trial))
}

// accept moves v to the trial.
func (d *descent) accept(v []float64) {
	floats.SubTo(d.moved, d.trial, v)
	d.slope = floats.Dot(d.gradient, d.moved)
	copy(v, d.trial)
	d.damping = max(d.damping/10, 1e-12)
}
