package arima

import "math"

// term is one coefficient of a lag polynomial, whose leading 1 is left out.
// Seasonal polynomials are sparse: a lag of a day of minutes is one term, not
// 1440, which keeps every pass over the data linear in its length.
type term struct {
	lag int
	c   float64
}

// lagged is 1 + sign·Σ cᵢ B^(i·step).
func lagged(c []float64, sign float64, step int) []term {
	terms := make([]term, 0, len(c))
	for i, v := range c {
		terms = append(terms, term{(i + 1) * step, sign * v})
	}
	return terms
}

// product multiplies two lag polynomials; lags ascend.
func product(a, b []term) []term {
	out := make([]term, 0, len(a)+len(b)+len(a)*len(b))
	for _, t := range a {
		out = add(out, t)
	}
	for _, t := range b {
		out = add(out, t)
		for _, u := range a {
			out = add(out, term{t.lag + u.lag, t.c * u.c})
		}
	}
	return out
}

// add keeps the terms ascending and merges equal lags.
func add(terms []term, t term) []term {
	i := len(terms)
	for i > 0 && terms[i-1].lag >= t.lag {
		i--
	}
	if i < len(terms) && terms[i].lag == t.lag {
		terms[i].c += t.c
		return terms
	}
	terms = append(terms, term{})
	copy(terms[i+1:], terms[i:])
	terms[i] = t
	return terms
}

// differences is (1−B)^d (1−Bˢ)^sd.
func differences(o Order) []term {
	var terms []term
	for range o.D {
		terms = product(terms, []term{{1, -1}})
	}
	for range o.SD {
		terms = product(terms, []term{{o.Season, -1}})
	}
	return terms
}

// reflections turns the coefficients of 1 − Σ aᵢBⁱ into partial
// autocorrelations by stepping the recursion of Durbin and Levinson down. All
// lie within (−1, 1) exactly when the polynomial's roots lie outside the unit
// circle; ok is false otherwise.
func reflections(a, scratch []float64) (out []float64, ok bool) {
	n := len(a)
	out = append(scratch[:0], a...)
	var work [maxLags]float64
	for k := n - 1; k >= 0; k-- {
		r := out[k]
		if !(math.Abs(r) < 1) {
			return nil, false
		}
		for i := range k {
			work[i] = (out[i] + r*out[k-1-i]) / (1 - r*r)
		}
		copy(out[:k], work[:k])
	}
	return out, true
}

// fromReflections is the inverse of reflections.
func fromReflections(r, out []float64) {
	var work [maxLags]float64
	for k, v := range r {
		for i := range k {
			work[i] = out[i] - v*out[k-1-i]
		}
		copy(out[:k], work[:k])
		out[k] = v
	}
}

// admissible reports whether the process is stationary and invertible.
func admissible(c coefficients) bool {
	var scratch, negated [maxLags]float64
	for _, ar := range [][]float64{c.ar, c.sar} {
		if _, ok := reflections(ar, scratch[:]); !ok {
			return false
		}
	}
	for _, ma := range [][]float64{c.ma, c.sma} {
		for i, v := range ma {
			negated[i] = -v
		}
		if _, ok := reflections(negated[:len(ma)], scratch[:]); !ok {
			return false
		}
	}
	return true
}
