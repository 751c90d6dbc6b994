package auto

import "math"

// ridge is one robust linear regression per knot of the horizon. Targets and
// features are relative to the last value, so shrinking the coefficients
// shrinks the forecast to the last value and a shifted level costs nothing.
//
// Robustness is Huber's, in one pass: an origin's weight comes from how far
// the fit of the days before it missed it.
type ridge struct {
	width int       // features
	gram  []float64 // knot × width × (width+1): lower triangle, and the right-hand side in the last column
	beta  []float64 // knot × width
	work  []float64
	scale []float64 // per knot: typical absolute residual
	mass  []float64 // per knot: sum of weights
}

func (r *ridge) reset(knots, width int) {
	r.width = width
	r.gram = grow(r.gram, knots*width*(width+1))
	r.beta = grow(r.beta, knots*width)
	r.scale, r.mass = grow(r.scale, knots), grow(r.mass, knots)
	r.work = grow(r.work, width*(width+1))
	clear(r.gram)
	clear(r.beta)
	clear(r.scale)
	clear(r.mass)
}

func (r *ridge) at(knot int, f []float64) float64 {
	b, sum := r.beta[knot*r.width:], 0.0
	for i, x := range f {
		sum += b[i] * x
	}
	return sum
}

// learn adds an example; miss is how far the current fit is from it.
func (r *ridge) learn(knot int, f []float64, y, weight float64) {
	miss := abs(y - r.at(knot, f))
	s := &r.scale[knot]
	if *s == 0 {
		*s = miss
	}
	if limit := debug.Hub * *s; miss > limit {
		weight *= limit / miss
		miss = limit
	}
	*s += 0.02 * (miss - *s)
	r.mass[knot] += weight
	n := r.width
	gram := r.gram[knot*n*(n+1) : (knot+1)*n*(n+1)]
	for i, x := range f {
		x *= weight
		row := gram[i*(n+1) : i*(n+1)+i+1]
		for j := range row {
			row[j] += x * f[j]
		}
		gram[i*(n+1)+n] += x * y
	}
}

// forget multiplies all that was learnt by keep.
func (r *ridge) forget(keep float64) {
	for i := range r.gram {
		r.gram[i] *= keep
	}
	for i := range r.mass {
		r.mass[i] *= keep
	}
}

// solve refits every knot from the examples so far, by Cholesky factors of
// the Gram matrix with penalty on its diagonal, in the scale of each feature.
func (r *ridge) solve(penalty float64) {
	n := r.width
	for knot := range r.scale {
		gram := r.gram[knot*n*(n+1) : (knot+1)*n*(n+1)]
		beta := r.beta[knot*n : (knot+1)*n]
		if r.mass[knot] == 0 || !cholesky(r.work, gram, beta, n, penalty, r.mass[knot]) {
			clear(beta)
		}
	}
}

// cholesky solves (G + P)·b = g, reporting whether it could.
func cholesky(l, gram, beta []float64, n int, penalty, mass float64) bool {
	trace := 0.0
	for i := range n {
		trace += gram[i*(n+1)+i]
	}
	base := penalty*trace/float64(n) + 1e-9*mass + math.SmallestNonzeroFloat64
	for i := range n {
		li := l[i*n : i*n+i+1]
		for j := range i + 1 {
			lj := l[j*n : j*n+j+1]
			sum := gram[i*(n+1)+j]
			for k := range j {
				sum -= li[k] * lj[k]
			}
			if i != j {
				li[j] = sum / lj[j]
				continue
			}
			sum += base
			if !(sum > 0) {
				return false
			}
			li[i] = math.Sqrt(sum)
		}
	}
	for i := range n {
		sum := gram[i*(n+1)+n]
		for k := range i {
			sum -= l[i*n+k] * beta[k]
		}
		beta[i] = sum / l[i*n+i]
	}
	for i := n - 1; i >= 0; i-- {
		sum := beta[i]
		for k := i + 1; k < n; k++ {
			sum -= l[k*n+i] * beta[k]
		}
		beta[i] = sum / l[i*n+i]
		if math.IsNaN(beta[i]) || math.IsInf(beta[i], 0) {
			return false
		}
	}
	return true
}
