package arima

import (
	"math"

	"gonum.org/v1/gonum/floats"
)

// autocovariances are γ(0) … γ(lags) of w around its mean, divided by n, so
// that the matrix of them is positive definite.
func autocovariances(w []float64, lags int) (gamma []float64, mu float64) {
	mu = floats.Sum(w) / float64(max(1, len(w)))
	x := make([]float64, len(w))
	for i, v := range w {
		x[i] = v - mu
	}
	gamma = make([]float64, lags+1)
	for k := range gamma {
		if k < len(x) {
			gamma[k] = floats.Dot(x[k:], x[:len(x)-k]) / float64(len(w))
		}
	}
	return gamma, mu
}

// startLags is the long autoregression behind a starting point, which need not
// be as good as one that orders are compared by.
const startLags = 10

// moments holds what the regression of Hannan and Rissanen (1982) needs, all
// of it from autocovariances: no pass over the data is made per order, so
// comparing a dozen orders costs less than one such pass.
type moments struct {
	gamma []float64
	cross []float64 // c(k) = E[wₜ·eₜ₋ₖ] for the shocks e of a long autoregression
	sigma float64   // variance of those shocks
}

// longest is the order of the long autoregression whose residuals stand for
// the shocks, bounded so that the moments' cost is.
func longest(n int) int { return max(1, min(20, n/5)) }

func newMoments(w []float64, m int) moments {
	gamma, _ := autocovariances(w, m+maxChosen)
	long, sigma := durbinLevinson(gamma, m)
	mo := moments{gamma: gamma, sigma: sigma, cross: make([]float64, maxChosen+1)}
	for k := range mo.cross {
		mo.cross[k] = gamma[k]
		for j, a := range long {
			mo.cross[k] -= a * gamma[k+j+1]
		}
	}
	return mo
}

// durbinLevinson solves the Yule-Walker equations of order m.
func durbinLevinson(gamma []float64, m int) (a []float64, sigma float64) {
	a, sigma = make([]float64, m), gamma[0]
	old := make([]float64, m)
	for k := range m {
		if !(sigma > 1e-12*gamma[0]) {
			return a[:k], max(sigma, 0)
		}
		r := gamma[k+1]
		for i := range k {
			r -= a[i] * gamma[k-i]
		}
		r /= sigma
		copy(old, a[:k])
		for i := range k {
			a[i] = old[i] - r*old[k-1-i]
		}
		a[k] = r
		sigma *= 1 - r*r
	}
	return a, sigma
}

// estimate regresses wₜ on p of its lags and q lags of the shocks. It returns
// the variance left over; ok is false where the regression is singular.
func (m moments) estimate(p, q int, ar, ma []float64) (sigma2 float64, ok bool) {
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
// without season, a mild seasonal moving average, and the sample mean.
func start(w []float64, o Order) []float64 {
	v, c := blank(w, o)
	p, q := min(o.P, maxChosen), min(o.Q, maxChosen)
	m := newMoments(w, min(longest(len(w)), startLags))
	if _, ok := m.estimate(p, q, c.ar[:p], c.ma[:q]); !ok || !admissible(c) {
		clear(c.ar)
		clear(c.ma)
		if o.P == 1 && o.Q == 0 && m.gamma[0] > 0 {
			c.ar[0] = math.Max(-0.95, math.Min(0.95, m.gamma[1]/m.gamma[0]))
		}
	}
	return v
}
