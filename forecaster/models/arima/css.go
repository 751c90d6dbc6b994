package arima

import "gonum.org/v1/gonum/floats"

// conditional is the conditional sum of squares of a series (Box and Jenkins
// 1970, ch. 7): residuals before the first that has all its lags are zero, the
// others follow by recursion. One pass costs O(n · terms).
//
// A residual at a gap is zero too, as the unknown shock's mean is; the series
// must have been filled there, and the filled value counts for nothing but as
// the lag of a later one.
type conditional struct {
	order Order
	w     []float64 // differenced, filled
	gaps  []bool    // true where w was filled; nil for none
	from  int       // the first residual that counts

	x    []float64   // w − mean
	e    []float64   // residuals of the last run
	part []float64   // w with one AR polynomial applied
	jac  [][]float64 // ∂e/∂β, a column per coefficient
}

// newSquares picks the cheapest form of the sum that will do. Its residuals go
// into e.
func newSquares(w, e []float64, gaps []bool, o Order) squares {
	if gaps == nil && !o.Seasonal() {
		return newPlain(w, e, o)
	}
	return newConditional(w, e, gaps, o)
}

func newConditional(w, e []float64, gaps []bool, o Order) *conditional {
	n, k := len(w), o.parameters()
	block := make([]float64, n*(k+2))
	c := &conditional{order: o, w: w, e: e, gaps: gaps, from: o.reach(), jac: make([][]float64, k)}
	cut := func() (s []float64) { s, block = block[:n:n], block[n:]; return s }
	c.x, c.part = cut(), cut()
	for i := range c.jac {
		c.jac[i] = cut()
	}
	return c
}

// polynomials expands the coefficients.
func (o Order) polynomials(v []float64) (ar, ma []term, mean float64) {
	c := o.split(v)
	return product(lagged(c.ar, -1, 1), lagged(c.sar, -1, o.Season)),
		product(lagged(c.ma, 1, 1), lagged(c.sma, 1, o.Season)), c.mean
}

// run makes one pass at v and returns the sum of squares.
func (c *conditional) run(v []float64) float64 {
	ar, ma, mu := c.order.polynomials(v)
	c.centre(mu)
	apply(c.e, c.x, ar, c.from)
	recurse(c.e, ma, c.from, c.gaps)
	return floats.Dot(c.e[c.from:], c.e[c.from:])
}

func (c *conditional) centre(mu float64) {
	for t, v := range c.w {
		c.x[t] = v - mu
	}
}

func (c *conditional) counted() int {
	n := len(c.w) - c.from
	if c.gaps != nil {
		for _, gap := range c.gaps[c.from:] {
			if gap {
				n--
			}
		}
	}
	return n
}

// apply is out = polynomial(B)·x from index from on, zero before.
func apply(out, x []float64, polynomial []term, from int) {
	clear(out[:from])
	copy(out[from:], x[from:])
	for _, p := range polynomial {
		floats.AddScaled(out[from:], p.c, x[from-p.lag:len(x)-p.lag])
	}
}

// recurse divides by a polynomial in place: outₜ −= Σ c·outₜ₋ₗₐ₉, with nothing
// before from.
func recurse(out []float64, polynomial []term, from int, gaps []bool) {
	if n := len(polynomial); gaps == nil && n > 0 && n <= 2 && polynomial[n-1].lag == n {
		var c [2]float64
		for i, p := range polynomial {
			c[i] = p.c
		}
		last, before := 0.0, 0.0
		for t, v := range out[from:] {
			last, before = (v-c[1]*before)-c[0]*last, last
			out[from+t] = last
		}
		return
	}
	for t := from; t < len(out); t++ {
		if gaps != nil && gaps[t] {
			out[t] = 0
			continue
		}
		v := out[t]
		for _, p := range polynomial {
			if t-p.lag < from {
				break
			}
			v -= p.c * out[t-p.lag]
		}
		out[t] = v
	}
}

// jacobian fills the derivatives of the accepted residuals at v. Each obeys
// the recursion of the residuals themselves, driven by the term the
// coefficient multiplies.
func (c *conditional) jacobian(v []float64) {
	o, parts := c.order, c.order.split(v)
	_, ma, mu := o.polynomials(v)
	c.centre(mu)
	columns := c.jac
	take := func() (col []float64) { col, columns = columns[0], columns[1:]; return col }
	c.drive(take, o.P, 1, lagged(parts.sar, -1, o.Season), c.x)
	c.drive(take, o.Q, 1, lagged(parts.sma, 1, o.Season), c.e)
	c.drive(take, o.SP, o.Season, lagged(parts.ar, -1, 1), c.x)
	c.drive(take, o.SQ, o.Season, lagged(parts.ma, 1, 1), c.e)
	if o.Mean {
		slope := -1.0
		for _, a := range parts.ar {
			slope += a
		}
		seasonal := 1.0
		for _, a := range parts.sar {
			seasonal -= a
		}
		col := take()
		clear(col[:c.from])
		for t := c.from; t < len(col); t++ {
			col[t] = slope * seasonal
		}
	}
	for _, col := range c.jac {
		recurse(col, ma, c.from, c.gaps)
	}
}

// drive sets count columns to −(other(B)·x) at lags step, 2·step, …; what
// lies before the series counts as zero.
func (c *conditional) drive(take func() []float64, count, step int, other []term, x []float64) {
	if count == 0 {
		return
	}
	copy(c.part, x)
	for _, p := range other {
		if p.lag < len(x) {
			floats.AddScaled(c.part[p.lag:], p.c, x[:len(x)-p.lag])
		}
	}
	for i := range count {
		col, lag := take(), (i+1)*step
		start := min(max(c.from, lag), len(col))
		clear(col[:start])
		for t := start; t < len(col); t++ {
			col[t] = -c.part[t-lag]
		}
	}
}

func (c *conditional) normal(v, normal, gradient []float64) {
	c.jacobian(v)
	for i, a := range c.jac {
		gradient[i] = floats.Dot(a[c.from:], c.e[c.from:])
		for j, b := range c.jac[:i+1] {
			dot := floats.Dot(a[c.from:], b[c.from:])
			normal[i*len(gradient)+j], normal[j*len(gradient)+i] = dot, dot
		}
	}
}
