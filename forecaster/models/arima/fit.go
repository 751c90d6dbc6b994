package arima

import (
	"fmt"
	"math"

	"github.com/kedastral/kedastral/forecaster/models"
	"github.com/kedastral/kedastral/forecaster/models/internal/minimize"
)

// Fit is an ARIMA process fitted to a series.
type Fit struct {
	Order     Order
	AR, MA    []float64
	SAR, SMA  []float64
	Mean      float64   // of the differenced series: a drift where it was differenced once
	Sigma2    float64   // variance of the shocks
	LogLik    float64   // Gaussian log-likelihood
	AICc      float64   // small-sample information criterion (Hurvich and Tsai 1989)
	N         int       // differences observed
	Residuals []float64 // one per value of the series; 0 where there is none
}

// Conditional fits by conditional least squares: linear in the length of the
// series, for any season. gaps marks values that were filled in, nil for none.
func Conditional(y []float64, gaps []bool, o Order) (Fit, error) {
	if err := fittable(len(y), o); err != nil {
		return Fit{}, err
	}
	w, residuals := difference(y, o), make([]float64, len(y))
	return conditionalFrom(w, residuals, gaps, o, start(w, residuals[o.lost():], o))
}

// conditionalFrom searches from given coefficients; w is the series
// differenced, residuals has one place per value of it.
func conditionalFrom(w, residuals []float64, gaps []bool, o Order, v []float64) (Fit, error) {
	clear(residuals[:o.lost()])
	c := newSquares(w, residuals[o.lost():], differencedGaps(gaps, o), o)
	n := c.counted()
	if n < o.parameters()+2 {
		return Fit{}, fmt.Errorf("fitting ARIMA%v: %d residuals outside gaps: %w", o, n, models.ErrTooShort)
	}
	sum := descend(c, o, v)
	f := assemble(o, v)
	f.Sigma2 = sum / float64(n)
	f.N = n + o.reach() // R's count: orders with more lags are not rewarded for fewer residuals
	f.LogLik = -0.5 * float64(f.N) * (math.Log(2*math.Pi*f.Sigma2) + 1)
	return f.finish(residuals)
}

// Exact fits by exact Gaussian maximum likelihood. NaN marks a gap. The cost
// grows with the square of the season, so it is for short seasons.
func Exact(y []float64, o Order) (Fit, error) {
	if err := fittable(len(y), o); err != nil {
		return Fit{}, err
	}
	w := difference(y, o)
	if _, n := mean(w); n < o.parameters()+2 {
		return Fit{}, fmt.Errorf("fitting ARIMA%v: %d differences outside gaps: %w", o, n, models.ErrTooShort)
	}
	k := newKalman(w, o)
	v := maximise(k, o, exactStart(w, o))
	l, ok := k.evaluate(expand(o, v))
	if !ok {
		return Fit{}, fmt.Errorf("fitting ARIMA%v: no stationary fit", o)
	}
	f := assemble(o, v)
	f.N, f.Sigma2, f.LogLik, f.Mean = l.n, l.sigma2, l.logLik, l.mean
	residuals := make([]float64, len(y))
	copy(residuals[o.lost():], k.v)
	return f.finish(residuals)
}

func fittable(n int, o Order) error {
	if err := o.Validate(); err != nil {
		return err
	}
	if n < o.minimum() {
		return fmt.Errorf("fitting ARIMA%v to %d values: needs %d: %w", o, n, o.minimum(), models.ErrTooShort)
	}
	return nil
}

func expand(o Order, v []float64) (ar, ma []term) {
	ar, ma, _ = o.polynomials(v)
	return ar, ma
}

func assemble(o Order, v []float64) Fit {
	c := o.split(v)
	return Fit{Order: o, AR: c.ar, MA: c.ma, SAR: c.sar, SMA: c.sma, Mean: c.mean}
}

// finish derives what follows from the likelihood.
func (f Fit) finish(residuals []float64) (Fit, error) {
	if math.IsNaN(f.Sigma2) || math.IsInf(f.Sigma2, 0) {
		return Fit{}, fmt.Errorf("fitting ARIMA%v: the values overflow", f.Order)
	}
	f.AICc = aicc(f.LogLik, f.Order.parameters()+1, f.N)
	f.Residuals = residuals
	return f, nil
}

// aicc is −2·logLik + 2k·n/(n−k−1); +Inf where there are too few values.
func aicc(logLik float64, k, n int) float64 {
	if n <= k+1 {
		return math.Inf(1)
	}
	return -2*logLik + 2*float64(k)*float64(n)/float64(n-k-1)
}

// differencedGaps marks the differences that touch a gap.
func differencedGaps(gaps []bool, o Order) []bool {
	if gaps == nil {
		return nil
	}
	out := make([]bool, len(gaps)-o.lost())
	copy(out, gaps[o.lost():])
	for _, t := range differences(o) {
		for i := range out {
			out[i] = out[i] || gaps[i+o.lost()-t.lag]
		}
	}
	return out
}

// exactStart is where the likelihood's search starts: the conditional fit of
// the series with its gaps at its mean.
func exactStart(w []float64, o Order) []float64 {
	mu, _ := mean(w)
	filled, gaps := make([]float64, len(w)), make([]bool, len(w))
	for t, v := range w {
		if gaps[t] = math.IsNaN(v); gaps[t] {
			v = mu
		}
		filled[t] = v
	}
	e := make([]float64, len(w))
	v := start(filled, e, o)
	descend(newConditional(filled, e, gaps, o), o, v)
	return v
}

// maximise searches the stationary and invertible region, which is all of ℝ
// in the arc tangents of its partial autocorrelations.
func maximise(k *kalman, o Order, v []float64) []float64 {
	n := o.lags()
	if n == 0 {
		return v
	}
	at, steps := make([]float64, n), make([]float64, n)
	unbound(o, v, at)
	for i := range steps {
		steps[i] = 0.1
	}
	out := make([]float64, len(v))
	objective := func(x []float64) float64 {
		bind(o, x, out)
		l, ok := k.evaluate(expand(o, out))
		if !ok {
			return math.Inf(1)
		}
		return -l.logLik
	}
	best := minimize.Simplex(objective, at, steps, minimize.Options{Tolerance: 1e-11, Evaluations: 1500 * n, Restarts: 3})
	bind(o, best.At, out)
	return out
}

// unbound maps coefficients to the search's variables, bind back.
func unbound(o Order, v, out []float64) {
	eachPolynomial(o, func(from, to int, sign float64) {
		var a, scratch [maxLags]float64
		for i, c := range v[from:to] {
			a[i] = sign * c
		}
		r, ok := reflections(a[:to-from], scratch[:])
		for i := range to - from {
			out[from+i] = 0
			if ok {
				out[from+i] = math.Atanh(max(-0.9999, min(0.9999, r[i])))
			}
		}
	})
}

func bind(o Order, x, out []float64) {
	eachPolynomial(o, func(from, to int, sign float64) {
		var r [maxLags]float64
		for i, v := range x[from:to] {
			r[i] = math.Tanh(v)
		}
		fromReflections(r[:to-from], out[from:to])
		for i := from; i < to; i++ {
			out[i] *= sign
		}
	})
}

func eachPolynomial(o Order, do func(from, to int, sign float64)) {
	at := 0
	for _, part := range []struct {
		n    int
		sign float64
	}{{o.P, 1}, {o.Q, -1}, {o.SP, 1}, {o.SQ, -1}} {
		do(at, at+part.n, part.sign)
		at += part.n
	}
}
