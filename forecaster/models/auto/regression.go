package auto

import "math"

const (
	huber         = 3.0  // typical misses beyond which an example loses weight
	penalty       = 0.05 // of the mean of the Gram matrix's diagonal
	dailyKeep     = 0.9  // share of what was learnt that a day keeps
	extraFeatures = 5    // beside the experts
	together      = 4    // examples taken in at a time
)

// features fills w.feature with what the regression sees: experts and blend
// relative to the last value, the newest changes, and a constant.
func (w *workspace) features(picks []int, row []float64, m *moment, base float64) {
	n := len(picks)
	w.feature = grow(w.feature, n+extraFeatures)
	for i, e := range picks {
		w.feature[i] = row[e] - m.last
	}
	copy(w.feature[n:], m.steps[:])
	w.feature[n+3], w.feature[n+4] = 0.1, base-m.last
}

// study shows the regression what the blend missed from origins [from, to) and
// refits it.
func (w *workspace) study(f *fit, from, to int) {
	if len(f.picks) == 0 {
		return
	}
	K, E := len(f.knots), len(f.experts)
	for k := range f.knots {
		for i := from; i < to; i++ {
			j := i*K + k
			if y := w.target[j]; !math.IsNaN(y) {
				w.features(f.picks, w.preds[j*E:(j+1)*E], &w.moments[i], w.base[j])
				w.fit.learn(k, w.feature, y-w.base[j])
			}
		}
		w.fit.solve(k)
	}
}

// ridge is one robust linear regression per knot of the horizon, of what the
// blend missed on features relative to the last value: shrinking its
// coefficients shrinks the forecast to the blend, and a shifted level costs
// nothing.
//
// Robustness is Huber's, in one pass: an example's weight comes from how far
// the fit of the days before it missed it.
type ridge struct {
	width int       // features
	gram  []float64 // knot × width × (width+1): lower triangle, and the right-hand side in the last column
	beta  []float64 // knot × width
	work  []float64
	scale []float64 // per knot: typical absolute residual
	mass  []float64 // per knot: sum of weights

	batch   []float64         // examples of one knot still to be taken in: features, then outcome
	weight  [together]float64 // their weights
	waiting int
}

func (r *ridge) reset(knots, width int) {
	r.width = width
	r.gram = grow(r.gram, knots*width*(width+1))
	r.beta = grow(r.beta, knots*width)
	r.scale, r.mass = grow(r.scale, knots), grow(r.mass, knots)
	r.work, r.batch = grow(r.work, width*(width+1)), grow(r.batch, together*(width+1))
	r.waiting = 0
	clear(r.gram)
	clear(r.beta)
	clear(r.scale)
	clear(r.mass)
}

// at is the correction a knot's fit makes of features.
func (r *ridge) at(knot int, f []float64) float64 {
	return dot(r.beta[knot*r.width:(knot+1)*r.width], f)
}

// learn adds an example.
func (r *ridge) learn(knot int, f []float64, y float64) {
	miss, weight := abs(y-r.at(knot, f)), 1.0
	s := &r.scale[knot]
	if *s == 0 {
		*s = miss
	}
	if limit := huber * *s; miss > limit {
		weight = limit / miss
		miss = limit
	}
	*s += 0.02 * (miss - *s)
	r.mass[knot] += weight
	n := r.width + 1
	example := r.batch[r.waiting*n : (r.waiting+1)*n]
	copy(example, f)
	example[n-1] = y
	r.weight[r.waiting] = weight
	if r.waiting++; r.waiting == together {
		r.take(knot)
	}
}

// take adds the waiting examples to a knot's Gram matrix, together: its
// cells, not the products, are what costs.
func (r *ridge) take(knot int) {
	n := r.width + 1
	for i := r.waiting; i < together; i++ {
		clear(r.batch[i*n : (i+1)*n])
	}
	r.waiting = 0
	gram := r.gram[knot*r.width*n : (knot+1)*r.width*n]
	a, b, c, d := r.batch[:n], r.batch[n:2*n], r.batch[2*n:3*n], r.batch[3*n:4*n]
	wa, wb, wc, wd := r.weight[0], r.weight[1], r.weight[2], r.weight[3]
	for i := range r.width {
		wa, wb, wc, wd := wa*a[i], wb*b[i], wc*c[i], wd*d[i]
		row := gram[i*n : i*n+i+1]
		a, b, c, d := a[:len(row)], b[:len(row)], c[:len(row)], d[:len(row)]
		for j := range row {
			row[j] += wa*a[j] + wb*b[j] + (wc*c[j] + wd*d[j])
		}
		gram[i*n+n-1] += wa*r.batch[n-1] + wb*r.batch[2*n-1] + wc*r.batch[3*n-1] + wd*r.batch[4*n-1]
	}
}

// forget lets a day pass.
func (r *ridge) forget() {
	for i := range r.gram {
		r.gram[i] *= dailyKeep
	}
	for i := range r.mass {
		r.mass[i] *= dailyKeep
	}
}

// solve refits a knot from the examples so far.
func (r *ridge) solve(knot int) {
	if r.waiting > 0 {
		r.take(knot)
	}
	n := r.width
	gram := r.gram[knot*n*(n+1) : (knot+1)*n*(n+1)]
	beta := r.beta[knot*n : (knot+1)*n]
	if r.mass[knot] == 0 || !r.factor(gram, r.mass[knot]) || !r.substitute(gram, beta) {
		clear(beta)
	}
}

// factor fills r.work with the Cholesky factor of a Gram matrix and the penalty
// on its diagonal, reporting whether there is one.
func (r *ridge) factor(gram []float64, mass float64) bool {
	n, l := r.width, r.work
	trace := 0.0
	for i := range n {
		trace += gram[i*(n+1)+i]
	}
	base := penalty*trace/float64(n) + 1e-9*mass
	for i := range n {
		row := l[i*n : i*n+i+1]
		for j := range row {
			other, sum := l[j*n:j*n+j+1], gram[i*(n+1)+j]
			for k := range j {
				sum -= row[k] * other[k]
			}
			if i != j {
				row[j] = sum / other[j]
				continue
			}
			if sum += base; !(sum > 0) {
				return false
			}
			row[i] = math.Sqrt(sum)
		}
	}
	return true
}

// substitute solves for beta by the factor in r.work, reporting whether the
// answer is finite.
func (r *ridge) substitute(gram, beta []float64) bool {
	n, l := r.width, r.work
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
