package arima

import "gonum.org/v1/gonum/floats"

// plain is the conditional sum of squares of a series without seasonal part
// and without gaps, where one pass gives residuals and derivatives together.
//
// With z = x/θ(B) and u = e/θ(B) every derivative is one of the two, shifted:
// ∂eₜ/∂φᵢ = −zₜ₋ᵢ and ∂eₜ/∂θᵢ = −uₜ₋ᵢ (Box and Jenkins 1970, A7.3), so no
// column of the Jacobian is ever written down. What that leaves out, at the
// very start, fades with θ.
type plain struct {
	order   Order
	w, x    []float64
	from    int
	e, z, u []float64
}

func newPlain(w, e []float64, o Order) *plain {
	n := len(w)
	c := &plain{order: o, w: w, x: w, from: o.P, e: e}
	if o.Q > 0 {
		both := make([]float64, 2*n)
		c.z, c.u = both[:n], both[n:]
	}
	if o.Mean {
		c.x = make([]float64, n)
	}
	if o.Q == 0 {
		c.z, c.u = c.x, c.e
	}
	return c
}

// run makes one pass at v and returns the sum of squares.
func (c *plain) run(v []float64) float64 {
	parts := c.order.split(v)
	if c.order.Mean {
		for t, w := range c.w {
			c.x[t] = w - parts.mean
		}
	}
	clear(c.e[:c.from])
	copy(c.e[c.from:], c.x[c.from:])
	for i, a := range parts.ar {
		floats.AddScaled(c.e[c.from:], -a, c.x[c.from-i-1:len(c.x)-i-1])
	}
	switch c.order.Q {
	case 0:
	case 1:
		return c.first(parts.ma[0])
	default:
		ma := lagged(parts.ma, 1, 1)
		copy(c.z, c.x)
		recurse(c.e, ma, c.from, nil)
		recurse(c.z, ma, 0, nil)
		copy(c.u, c.e)
		recurse(c.u, ma, c.from, nil)
	}
	return floats.Dot(c.e, c.e)
}

// first is the pass for one moving average term: three recursions abreast, as
// each alone would wait for its own last value, and two steps at a time, as
// eₜ₊₁ = (aₜ₊₁ − θ·aₜ) + θ²·eₜ₋₁ need not wait for eₜ.
func (c *plain) first(theta float64) float64 {
	var e, z, u float64
	for t, x := range c.x[:c.from] {
		z = x - theta*z
		c.z[t], c.u[t] = z, 0
	}
	x, pe, pz, pu := c.x[c.from:], c.e[c.from:], c.z[c.from:], c.u[c.from:]
	pe, pz, pu = pe[:len(x)], pz[:len(x)], pu[:len(x)]
	square, t := theta*theta, 0
	for ; t+1 < len(x) && t+1 < len(pe) && t+1 < len(pz) && t+1 < len(pu); t += 2 {
		a, b := pe[t], x[t]
		nextE, nextZ := (pe[t+1]-theta*a)+square*e, (x[t+1]-theta*b)+square*z
		e, z = a-theta*e, b-theta*z
		nextU := (nextE - theta*e) + square*u
		u = e - theta*u
		pe[t], pz[t], pu[t] = e, z, u
		pe[t+1], pz[t+1], pu[t+1] = nextE, nextZ, nextU
		e, z, u = nextE, nextZ, nextU
	}
	if t < len(x) {
		e, z = pe[t]-theta*e, x[t]-theta*z
		pe[t], pz[t], pu[t] = e, z, e-theta*u
	}
	return floats.Dot(c.e, c.e)
}

// normal fills the Gauss-Newton equations of the accepted pass.
func (c *plain) normal(v, normal, gradient []float64) {
	o, n := c.order, len(c.w)
	k := len(gradient)
	column := func(i int) []float64 {
		if i < o.P {
			return c.z[c.from-i-1 : n-i-1]
		}
		lag := i - o.P + 1
		return c.u[max(0, c.from-lag) : n-lag]
	}
	for i := range o.lags() {
		a := column(i)
		gradient[i] = -floats.Dot(a, c.e[n-len(a):])
		for j := range i + 1 {
			b := column(j)
			m := min(len(a), len(b))
			dot := floats.Dot(a[len(a)-m:], b[len(b)-m:])
			normal[i*k+j], normal[j*k+i] = dot, dot
		}
	}
	if o.Mean {
		c.meanRow(v, normal, gradient, column)
	}
}

// meanRow adds the mean, whose derivative is −φ(1)/θ(1) everywhere.
func (c *plain) meanRow(v, normal, gradient []float64, column func(int) []float64) {
	parts, k := c.order.split(v), len(gradient)
	slope := (1 - floats.Sum(parts.ar)) / (1 + floats.Sum(parts.ma))
	m := k - 1
	gradient[m] = -slope * floats.Sum(c.e)
	normal[m*k+m] = slope * slope * float64(len(c.w)-c.from)
	for i := range m {
		dot := slope * floats.Sum(column(i))
		normal[m*k+i], normal[i*k+m] = dot, dot
	}
}

func (c *plain) counted() int { return len(c.w) - c.from }
