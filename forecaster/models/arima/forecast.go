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
	return max(longestOf(r.level), longestOf(r.shock))
}

// expect is the expectation of y[t] given everything before; lags beyond the
// start count as zero.
func (r *recursion) expect(y, e []float64, t int) float64 {
	v, cautious := r.constant, r.trust.from > 0
	for _, k := range r.level {
		if k.lag > t {
			break
		}
		past := y[t-k.lag]
		if cautious && k.lag >= r.trust.from {
			past = max(r.trust.low, min(r.trust.high, past))
		}
		v -= k.c * past
	}
	for _, k := range r.shock {
		if k.lag > t {
			break
		}
		past := e[t-k.lag]
		if cautious && k.lag >= r.trust.from {
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

// response is that of 1/(θ(B)·Θ(Bˢ)) to an impulse: how the shocks computed
// after one still remember it, until that has faded to a thousandth. A level
// that moves a hundredth of the way each step remembers 700 of them.
func (r *recursion) response() []float64 {
	longest := longestOf(r.shock)
	if longest == 0 {
		return nil
	}
	n := max(longestMemory, 30*longest)
	response := append(make([]float64, 0, 64), 1)
	last := 0
	for t := 1; t < n && t-last <= 2*longest; t++ {
		v := 0.0
		for _, k := range r.shock {
			if k.lag > t {
				break
			}
			v -= k.c * response[t-k.lag]
		}
		if response = append(response, v); math.Abs(v) > 1e-3 {
			last = t
		}
	}
	return response[:last+1]
}

// longestMemory bounds the steps a forecast looks back over where there is no
// season.
const longestMemory = 700
