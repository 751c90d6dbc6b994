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
	trust    trust
}

// trust bounds what is believed of values and shocks a season old: a spike
// yesterday is not a forecast for today. What is younger is believed as it is,
// for it may be the new level.
type trust struct {
	from      int // steps from which a lag is old; 0 is never
	low, high float64
	shock     float64
}

// polynomials are the stationary and the invertible half multiplied out.
func (f Fit) polynomials() (ar, ma []term) {
	return product(lagged(f.AR, -1, 1), lagged(f.SAR, -1, f.Order.Season)),
		product(lagged(f.MA, 1, 1), lagged(f.SMA, 1, f.Order.Season))
}

func (f Fit) recursion() recursion {
	ar, ma := f.polynomials()
	gain := 1.0
	for _, t := range ar {
		gain += t.c
	}
	return recursion{
		level:    product(ar, differences(f.Order)),
		shock:    ma,
		constant: f.Mean * gain,
	}
}

// reach is the longest lag on levels and on shocks.
func (r *recursion) reach() int {
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
func (r *recursion) expect(y, e []float64, t int) float64 {
	v := r.constant
	for _, k := range r.level {
		if k.lag > t {
			break
		}
		past := y[t-k.lag]
		if r.trust.from > 0 && k.lag >= r.trust.from {
			past = max(r.trust.low, min(r.trust.high, past))
		}
		v -= k.c * past
	}
	for _, k := range r.shock {
		if k.lag > t {
			break
		}
		past := e[t-k.lag]
		if r.trust.from > 0 && k.lag >= r.trust.from {
			past = max(-r.trust.shock, min(r.trust.shock, past))
		}
		v += k.c * past
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

// memory is how many steps a shock takes to fade from the shocks computed
// after it to a thousandth, at most 30 times the longest lag: the impulse
// response of 1/(θ(B)·Θ(Bˢ)).
func (r *recursion) memory() int {
	if len(r.shock) == 0 {
		return 0
	}
	longest := r.shock[len(r.shock)-1].lag
	n := 30 * longest
	response := make([]float64, n)
	response[0] = 1
	last := 0
	for t := 1; t < n; t++ {
		for _, k := range r.shock {
			if k.lag > t {
				break
			}
			response[t] -= k.c * response[t-k.lag]
		}
		if math.Abs(response[t]) > 1e-3 {
			last = t
		}
		if t-last > 2*longest {
			break
		}
	}
	return last + 1
}
