package ets

import (
	"fmt"
	"math"

	"github.com/kedastral/kedastral/forecaster/models/internal/seasonal"
)

// Component is how a part of the model joins the others.
type Component byte

// The components.
const (
	None           Component = 'N'
	Additive       Component = 'A'
	Multiplicative Component = 'M'
)

// Spec names a model of the taxonomy of Hyndman et al. (2008): how errors,
// trend and season join. The trend is None or Additive.
type Spec struct {
	Error, Trend, Season Component
	Damped               bool
}

func (s Spec) String() string {
	damped := ""
	if s.Damped {
		damped = "d"
	}
	return fmt.Sprintf("%c%c%s%c", s.Error, s.Trend, damped, s.Season)
}

// Parameters are the smoothing parameters. Beta and Gamma are those of the
// error correction form: Beta ≤ Alpha, Gamma ≤ 1 − Alpha.
type Parameters struct {
	Alpha, Beta, Gamma, Phi float64
}

// State is what a model knows at one instant.
type State struct {
	Level, Trend float64
	Season       []float64 // one per slot of the season; the same slots for ever
}

func (s State) clone() State {
	s.Season = append([]float64(nil), s.Season...)
	return s
}

// Model is a specification with its parameters and the state it starts from.
type Model struct {
	Spec
	Parameters
	Start  State
	Slots  seasonal.Slots
	Sigma2 float64 // variance of the errors, relative ones where those multiply
	LogLik float64 // up to a constant that no choice depends on, as in R
	AICc   float64
}

// free is how many numbers were estimated, the variance included.
func (s Spec) free(slots int) int {
	n := 3 // alpha, level, variance
	if s.Trend == Additive {
		n += 2
	}
	if s.Damped {
		n++
	}
	if s.Season != None {
		n += slots // gamma and all slots but one
	}
	return n
}

// record is what a run over a series leaves.
type record struct {
	squares float64 // of the errors
	logs    float64 // Σ log|forecast|, where errors multiply
	n       int
	product float64   // of forecasts whose logarithm is yet to be taken
	errors  []float64 // filled where it is not nil
}

// filter moves a model's state along a series. An error beyond limit is not
// believed until the patience-th in a row: a spike leaves no trace, a new
// level is taken up a few steps late.
type filter struct {
	Model
	now   State
	at    int     // steps of the series taken in
	limit float64 // 0 is none
	odd   int     // errors beyond the limit in a row
}

const patience = 3

func (m Model) filter() *filter {
	return &filter{Model: m, now: m.Start.clone()}
}

// expect is the forecast h steps ahead of the last value, h ≥ 1.
func (f *filter) expect(h int) float64 {
	level := f.now.Level
	switch {
	case f.Trend == None:
	case f.Phi == 1 || !f.Damped:
		level += float64(h) * f.now.Trend
	default:
		level += f.now.Trend * f.Phi * (1 - math.Pow(f.Phi, float64(h))) / (1 - f.Phi)
	}
	switch f.Season {
	case Additive:
		return level + f.now.Season[f.Slots.Of(f.at+h-1)]
	case Multiplicative:
		return level * f.now.Season[f.Slots.Of(f.at+h-1)]
	}
	return level
}

// run takes values in; NaN is a gap, over which the state drifts on.
func (f *filter) run(y []float64, r *record) {
	phi := 1.0
	if f.Damped {
		phi = f.Phi
	}
	slope := 0.0
	if f.Trend == Additive {
		slope = f.Beta / f.Alpha
	}
	for t, v := range y {
		drift := phi * f.now.Trend
		q := f.now.Level + drift
		expected, season, slot := q, 0.0, 0
		switch f.Season {
		case Additive:
			slot = f.Slots.Of(f.at)
			season = f.now.Season[slot]
			expected += season
		case Multiplicative:
			slot = f.Slots.Of(f.at)
			season = f.now.Season[slot]
			expected *= season
		}
		f.at++
		e := v - expected
		if f.Error == Multiplicative {
			e /= expected
		}
		if r.errors != nil {
			r.errors[t] = e
		}
		if !(math.Abs(e) <= math.MaxFloat64) || !f.believed(e) {
			f.now.Level, f.now.Trend = q, drift
			continue
		}
		r.squares += e * e
		r.n++
		if f.Error == Multiplicative {
			r.times(math.Abs(expected))
		}
		f.correct(v, q, drift, slope, season, slot)
	}
	r.times(0)
}

// times adds log v to the sum, many values at a time; 0 adds what is pending.
func (r *record) times(v float64) {
	if r.product == 0 {
		r.product = 1
	}
	if v > 0 {
		r.product *= v
		if r.product > 1e-100 && r.product < 1e100 {
			return
		}
	}
	r.logs += math.Log(r.product)
	r.product = 1
}

func (f *filter) believed(e float64) bool {
	if f.limit == 0 || math.Abs(e) <= f.limit {
		f.odd = 0
		return true
	}
	f.odd++
	return f.odd >= patience
}

// correct moves the state towards a value.
func (f *filter) correct(v, q, drift, slope, season float64, slot int) {
	level, seasonal := v, 0.0
	switch f.Season {
	case Additive:
		level, seasonal = v-season, v-q
	case Multiplicative:
		level, seasonal = v/season, v/q
	}
	next := q + f.Alpha*(level-q)
	if f.Trend == Additive {
		f.now.Trend = drift + slope*(next-f.now.Level-drift)
	}
	f.now.Level = next
	if f.Season != None {
		f.now.Season[slot] = season + f.Gamma*(seasonal-season)
	}
}

// tiny stands in for a sum of squares of nothing, whose logarithm is not finite.
const tiny = 1e-300

// Score fills in how likely a series is under the model.
func (m Model) Score(y []float64) Model {
	var r record
	m.filter().run(y, &r)
	n := float64(r.n)
	m.Sigma2 = r.squares / n
	m.LogLik = -0.5 * (n*math.Log(max(r.squares, tiny)) + 2*r.logs)
	m.AICc = aicc(m.LogLik, m.free(len(m.Start.Season)), r.n)
	return m
}

// aicc is −2·logLik + 2k·n/(n−k−1); +Inf where there are too few values.
func aicc(logLik float64, k, n int) float64 {
	if n <= k+1 {
		return math.Inf(1)
	}
	return -2*logLik + 2*float64(k)*float64(n)/float64(n-k-1)
}
