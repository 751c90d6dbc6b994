package arima

import "math"

// recursion is a fit written on the series itself: differences and
// polynomials multiplied out,
//
//	yₜ = c − Σ aₖ yₜ₋ₖ + eₜ + Σ bₖ eₜ₋ₖ
//
// so that a forecast undoes the differencing as it goes.
type recursion struct {
	level    []term
	shock    []term
	constant float64
}

func (f Fit) recursion() recursion {
	o := f.Order
	ar := product(lagged(f.AR, -1, 1), lagged(f.SAR, -1, o.Season))
	gain := 1.0
	for _, t := range ar {
		gain += t.c
	}
	return recursion{
		level:    product(ar, differences(o)),
		shock:    product(lagged(f.MA, 1, 1), lagged(f.SMA, 1, o.Season)),
		constant: f.Mean * gain,
	}
}

// reach is the longest lag on levels and on shocks.
func (r recursion) reach() int {
	reach := 0
	if n := len(r.level); n > 0 {
		reach = r.level[n-1].lag
	}
	if n := len(r.shock); n > 0 {
		reach = max(reach, r.shock[n-1].lag)
	}
	return reach
}

// expect is the expectation of y[t] given everything before; lags beyond the
// start count as zero.
func (r recursion) expect(y, e []float64, t int) float64 {
	v := r.constant
	for _, k := range r.level {
		if k.lag > t {
			break
		}
		v -= k.c * y[t-k.lag]
	}
	for _, k := range r.shock {
		if k.lag > t {
			break
		}
		v += k.c * e[t-k.lag]
	}
	return v
}

// Forecast continues the series the fit was made of by h steps. NaN in it
// stands for its expectation.
func (f Fit) Forecast(y []float64, h int) []float64 {
	r, n := f.recursion(), len(y)
	levels, shocks := make([]float64, n+h), make([]float64, n+h)
	copy(shocks, f.Residuals)
	for t := range levels {
		if t < n && !math.IsNaN(y[t]) {
			levels[t] = y[t]
			continue
		}
		levels[t] = r.expect(levels, shocks, t)
	}
	return levels[n:]
}

// StandardErrors are those of a forecast 1 to h steps ahead: σ·√(1 + ψ₁² + … +
// ψ²ₕ₋₁), with ψ the weights of the process's infinite moving average.
func (f Fit) StandardErrors(h int) []float64 {
	r := f.recursion()
	psi, out := make([]float64, h), make([]float64, h)
	var sum float64
	for j := range psi {
		psi[j] = 0
		if j == 0 {
			psi[j] = 1
		}
		for _, k := range r.shock {
			if k.lag == j {
				psi[j] += k.c
			}
		}
		for _, k := range r.level {
			if k.lag <= j {
				psi[j] -= k.c * psi[j-k.lag]
			}
		}
		sum += psi[j] * psi[j]
		out[j] = math.Sqrt(f.Sigma2 * sum)
	}
	return out
}
