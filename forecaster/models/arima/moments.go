package arima

import (
	"gonum.org/v1/gonum/floats"
)

// autocovariances puts γ(0), γ(1), … of w around its mean into gamma, divided
// by n, so that the matrix of them is positive definite. It returns the mean
// and leaves w less it in x.
func autocovariances(w, gamma, x []float64) (mu float64) {
	mu = floats.Sum(w) / float64(max(1, len(w)))
	for i, v := range w {
		x[i] = v - mu
	}
	for k := range gamma {
		gamma[k] = 0
		if k < len(x) {
			gamma[k] = floats.Dot(x[k:], x[:len(x)-k]) / float64(len(w))
		}
	}
	return mu
}

// startLags is the long autoregression behind a starting point, which need not
// be as good as one that orders are compared by.
const startLags = 10

// moments holds what the regression of Hannan and Rissanen (1982) needs, all
// of it from autocovariances: no pass over the data is made per order, so
// comparing a dozen orders costs less than one such pass.
type moments struct {
	gamma [maxLong + maxChosen + 1]float64
	cross [maxChosen + 1]float64 // c(k) = E[wₜ·eₜ₋ₖ] for the shocks e of a long autoregression
	sigma float64                // variance of those shocks
}

// maxLong is the longest autoregression whose residuals stand for the shocks.
const maxLong = 20

// longest is the order of that autoregression for n values, bounded so that
// the moments' cost is.
func longest(n int) int { return max(1, min(maxLong, n/5)) }

// newMoments takes the moments of w that orders up to (lags, lags) need, with
// an autoregression of order m; x has room for w.
func newMoments(w, x []float64, m, lags int) moments {
	var mo moments
	gamma := mo.gamma[:m+lags+1]
	autocovariances(w, gamma, x)
	var long [maxLong]float64
	n := 0
	n, mo.sigma = durbinLevinson(gamma, long[:m])
	for k := range lags + 1 {
		mo.cross[k] = gamma[k]
		for j, a := range long[:n] {
			mo.cross[k] -= a * gamma[k+j+1]
		}
	}
	return mo
}

// durbinLevinson solves the Yule-Walker equations of order len(a), or of the
// lower order n that leaves nothing to explain.
func durbinLevinson(gamma, a []float64) (n int, sigma float64) {
	var old [maxLong]float64
	sigma = gamma[0]
	for k := range a {
		if !(sigma > 1e-12*gamma[0]) {
			return k, max(sigma, 0)
		}
		r := gamma[k+1]
		for i := range k {
			r -= a[i] * gamma[k-i]
		}
		r /= sigma
		copy(old[:], a[:k])
		for i := range k {
			a[i] = old[i] - r*old[k-1-i]
		}
		a[k] = r
		sigma *= 1 - r*r
	}
	return len(a), sigma
}

// estimate regresses wₜ on p of its lags and q lags of the shocks. It returns
// the variance left over; ok is false where the regression is singular.
func (m *moments) estimate(p, q int, ar, ma []float64) (sigma2 float64, ok bool) {
	k := p + q
	if k == 0 {
		return m.gamma[0], true
	}
	var system [4 * maxChosen * maxChosen]float64
	var right [2 * maxChosen]float64
	a, b := system[:k*k], right[:k]
	for i := range p {
		b[i] = m.gamma[i+1]
		for j := range p {
			a[i*k+j] = m.gamma[max(i-j, j-i)]
		}
		for j := i; j < q; j++ {
			a[i*k+p+j] = m.cross[j-i]
			a[(p+j)*k+i] = m.cross[j-i]
		}
	}
	for j := range q {
		b[p+j] = m.cross[j+1]
		a[(p+j)*k+p+j] = m.sigma
	}
	for i := range k { // a whisper of ridge: nearly common factors stay solvable
		a[i*k+i] *= 1 + 1e-9
	}
	var rhs [2 * maxChosen]float64
	copy(rhs[:], b)
	if !solve(a, b) {
		return 0, false
	}
	copy(ar, b[:p])
	copy(ma, b[p:])
	return m.gamma[0] - floats.Dot(b, rhs[:k]), true
}

// blank has no autoregression and no moving average, but a mild seasonal one
// and the sample mean.
func blank(w []float64, o Order) ([]float64, coefficients) {
	v := make([]float64, o.parameters())
	c := o.split(v)
	if o.Mean {
		v[len(v)-1], _ = mean(w)
	}
	for i := range c.sma[:min(1, len(c.sma))] {
		c.sma[i] = -0.5
	}
	return v, c
}

// start is where a fit's search starts: the moments' estimate of the part
// without season, a mild seasonal moving average, and the sample mean. x has
// room for w.
func start(w, x []float64, o Order) []float64 {
	v, c := blank(w, o)
	p, q := min(o.P, maxChosen), min(o.Q, maxChosen)
	m := newMoments(w, x, min(longest(len(w)), startLags), max(p, q))
	if _, ok := m.estimate(p, q, c.ar[:p], c.ma[:q]); !ok || !admit(c) {
		clear(c.ar)
		clear(c.ma)
	}
	return v
}

// admit moves the roots of what moments say away from the unit circle until
// they lie outside it, and reports whether they do: coefficient i shrinks by
// the i-th power of the same factor.
func admit(c coefficients) bool {
	for range 8 {
		if admissible(c) {
			return true
		}
		for _, part := range [][]float64{c.ar, c.ma} {
			factor := 1.0
			for i := range part {
				factor *= 0.9
				part[i] *= factor
			}
		}
	}
	return false
}
