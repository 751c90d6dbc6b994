package arima

import "math"

// kalman evaluates the exact Gaussian likelihood of a stationary ARMA process
// through its state space form (Harvey 1989, §3.3): state i of r = max(p, q+1)
// holds what is known now about the value i steps ahead. A gap is a step
// without an update, so gaps cost nothing but information.
//
// The mean is concentrated out: the filter runs over the series and over a
// column of ones at once, and generalised least squares on the two innovations
// gives the best mean for the coefficients.
type kalman struct {
	w        []float64
	mean     bool
	r        int
	phi, rho []float64 // AR coefficients; 1, MA coefficients
	a, b     []float64 // states of the series and of the ones
	p        []float64 // state covariance ÷ σ²
	gain     []float64
	t, s, u  []float64 // for the stationary covariance
	v, ones  []float64 // innovations
	f        []float64 // their variances ÷ σ²; 0 at a gap
}

func newKalman(w []float64, o Order) *kalman {
	ar, ma := o.P+o.SP*o.Season, o.Q+o.SQ*o.Season
	r, n := max(ar, ma+1), len(w)
	return &kalman{
		w: w, mean: o.Mean, r: r,
		phi: make([]float64, r), rho: make([]float64, r),
		a: make([]float64, r), b: make([]float64, r), gain: make([]float64, r),
		p: make([]float64, r*r), t: make([]float64, r*r), s: make([]float64, r*r), u: make([]float64, r*r),
		v: make([]float64, n), ones: make([]float64, n), f: make([]float64, n),
	}
}

// likelihood is what the filter finds at given coefficients.
type likelihood struct {
	logLik, sigma2, mean float64
	n                    int
}

// evaluate runs the filter; ok is false where the process has no stationary
// covariance.
func (k *kalman) evaluate(ar, ma []term) (likelihood, bool) {
	clear(k.phi)
	clear(k.rho)
	k.rho[0] = 1
	for _, t := range ar {
		k.phi[t.lag-1] = -t.c
	}
	for _, t := range ma {
		k.rho[t.lag] = t.c
	}
	if !k.stationary() {
		return likelihood{}, false
	}
	k.filter()
	return k.summarise(), true
}

// filter leaves innovations and their variances.
func (k *kalman) filter() {
	clear(k.a)
	clear(k.b)
	steady := false
	for t, w := range k.w {
		k.f[t], k.v[t], k.ones[t] = 0, 0, 0
		if math.IsNaN(w) {
			steady = false
		} else {
			k.update(t, w, steady)
		}
		advance(k.a, k.phi)
		advance(k.b, k.phi)
		if !steady {
			k.spread()
			steady = !math.IsNaN(w) && k.p[0]-1 < 1e-12
		}
	}
}

// update takes one observation in. Once the variance of the innovations has
// come down to σ² nothing is left to learn about the state and the gain stands.
func (k *kalman) update(t int, w float64, steady bool) {
	r, f := k.r, k.p[0]
	k.f[t], k.v[t], k.ones[t] = f, w-k.a[0], 1-k.b[0]
	if !steady {
		for i := range r {
			k.gain[i] = k.p[i*r] / f
		}
	}
	for i, g := range k.gain {
		k.a[i] += g * k.v[t]
		k.b[i] += g * k.ones[t]
	}
	if steady {
		return
	}
	top := k.s[:r]
	copy(top, k.p[:r])
	for i, g := range k.gain {
		row := k.p[i*r : i*r+r]
		for j := range row {
			row[j] -= g * top[j]
		}
	}
}

// advance moves a state one step on: aᵢ ← φᵢ a₀ + aᵢ₊₁.
func advance(a, phi []float64) {
	first := a[0]
	for i := range len(a) - 1 {
		a[i] = phi[i]*first + a[i+1]
	}
	a[len(a)-1] = phi[len(a)-1] * first
}

// spread moves the covariance one step on: P ← T·P·T′ + ρ·ρ′, using that T
// shifts and adds multiples of its first row.
func (k *kalman) spread() {
	r, p, out := k.r, k.p, k.s
	at := func(i, j int) float64 {
		if i >= r || j >= r {
			return 0
		}
		return p[i*r+j]
	}
	for i := range r {
		for j := range i + 1 {
			v := k.phi[i]*(k.phi[j]*p[0]+at(0, j+1)) + k.phi[j]*at(i+1, 0) + at(i+1, j+1) + k.rho[i]*k.rho[j]
			out[i*r+j], out[j*r+i] = v, v
		}
	}
	k.p, k.s = out, p
}

// stationary puts the stationary covariance P = T·P·T′ + ρ·ρ′ into p by
// doubling: after m rounds the sum holds 2ᵐ terms of the series ΣTⁱρρ′T′ⁱ.
func (k *kalman) stationary() bool {
	r := k.r
	for i := range r {
		for j := range r {
			k.p[i*r+j] = k.rho[i] * k.rho[j]
			k.t[i*r+j] = 0
		}
		k.t[i*r] = k.phi[i]
		if i+1 < r {
			k.t[i*r+i+1] = 1
		}
	}
	for range 40 {
		multiply(k.s, k.t, k.p, r, false)
		multiply(k.u, k.s, k.t, r, true)
		var grown, size float64
		for i, v := range k.u {
			k.p[i] += v
			grown, size = grown+math.Abs(v), size+math.Abs(k.p[i])
		}
		if grown <= 1e-14*size {
			return true
		}
		if math.IsNaN(size) || math.IsInf(size, 0) {
			return false
		}
		multiply(k.s, k.t, k.t, r, false)
		k.t, k.s = k.s, k.t
	}
	return false
}

// multiply is out = a·b, or a·b′.
func multiply(out, a, b []float64, r int, transposed bool) {
	clear(out)
	for i := range r {
		row := out[i*r : i*r+r]
		for m := range r {
			v := a[i*r+m]
			switch {
			case v == 0:
			case transposed:
				for j := range row {
					row[j] += v * b[j*r+m]
				}
			default:
				for j, bv := range b[m*r : m*r+r] {
					row[j] += v * bv
				}
			}
		}
	}
}

// summarise concentrates mean and variance out of the likelihood and leaves
// the innovations of the series less its mean.
func (k *kalman) summarise() likelihood {
	var l likelihood
	if k.mean {
		var up, down float64
		for t, f := range k.f {
			if f > 0 {
				up += k.v[t] * k.ones[t] / f
				down += k.ones[t] * k.ones[t] / f
			}
		}
		if down > 0 {
			l.mean = up / down
		}
	}
	var sum, logs float64
	for t, f := range k.f {
		if f > 0 {
			k.v[t] -= l.mean * k.ones[t]
			sum += k.v[t] * k.v[t] / f
			logs += math.Log(f)
			l.n++
		}
	}
	n := float64(l.n)
	l.sigma2 = sum / n
	l.logLik = -0.5 * (n*math.Log(2*math.Pi*l.sigma2) + n + logs)
	return l
}
