package features

import (
	"fmt"
	"math"
	"time"

	"github.com/kedastral/kedastral/forecaster/series"
)

// Len is the number of steps of history and horizon together. Columns known in
// advance have this length; those made of observations have the history's.
func (f Frame) Len() int { return len(f.Observed) + f.Horizon }

// MinuteOfHour is each step's minute by the local clock, 0 to 59.
func (f Frame) MinuteOfHour() []float64 {
	return f.column(func(c Clock, i int) int { return c.SecondOfDay(i) % hour / minute })
}

// HourOfDay is each step's hour by the local clock, 0 to 23.
func (f Frame) HourOfDay() []float64 {
	return f.column(func(c Clock, i int) int { return c.SecondOfDay(i) / hour })
}

// DayOfWeek is each step's local day, 0 for Sunday to 6 as in [time.Weekday].
func (f Frame) DayOfWeek() []float64 {
	return f.column(func(c Clock, i int) int { return c.SecondOfWeek(i) / day })
}

func (f Frame) column(at func(c Clock, i int) int) []float64 {
	clock, column := f.Clock(), make([]float64, f.Len())
	for i := range column {
		column[i] = float64(at(clock, i))
	}
	return column
}

// Fourier is sin and cos of 2πkt/period for k from 1 to order, where t is
// local time, so that a day's curve stays with the wall clock: column 2k−2 is
// the sine, 2k−1 the cosine.
func (f Frame) Fourier(period time.Duration, order int) ([][]float64, error) {
	switch {
	case period < time.Second || period%time.Second != 0:
		return nil, fmt.Errorf("period %v: must be positive whole seconds", period)
	case order < 1:
		return nil, fmt.Errorf("order %d: must be at least 1", order)
	}
	clock, seconds := f.Clock(), int64(period/time.Second)
	columns := make([][]float64, 2*order)
	for k := range columns {
		columns[k] = make([]float64, f.Len())
	}
	for i := range f.Len() {
		phase := 2 * math.Pi * float64(floorMod(clock.Local(i), seconds)) / float64(seconds)
		for k := 1; k <= order; k++ {
			columns[2*k-2][i], columns[2*k-1][i] = math.Sincos(float64(k) * phase)
		}
	}
	return columns, nil
}

// EMA is the exponential moving average of the history with a half-life in
// steps: after so many an observation weighs half as much as the newest one.
// A gap leaves the average where it is; before the first observation it is
// NaN.
func (f Frame) EMA(halfLife float64) ([]float64, error) {
	if !(halfLife > 0) {
		return nil, fmt.Errorf("half-life %v: must be positive", halfLife)
	}
	gain, average := 1-math.Exp2(-1/halfLife), math.NaN()
	column := make([]float64, len(f.Observed))
	for i, v := range f.Observed {
		switch {
		case !series.Observed(v):
		case math.IsNaN(average):
			average = v
		default:
			average += gain * (v - average)
		}
		column[i] = average
	}
	return column, nil
}

// Momentum is how much each step of the history is above the one lag steps
// before; NaN where either was not observed.
func (f Frame) Momentum(lag int) ([]float64, error) {
	if lag < 1 {
		return nil, fmt.Errorf("lag %d: must be at least one step", lag)
	}
	column := make([]float64, len(f.Observed))
	for i := range column {
		column[i] = math.NaN()
		if i >= lag && series.Observed(f.Observed[i]) && series.Observed(f.Observed[i-lag]) {
			column[i] = f.Observed[i] - f.Observed[i-lag]
		}
	}
	return column, nil
}

// Trend is the slope of the least-squares line through the window of steps
// that ends with each step of the history, per step; NaN where fewer than two
// were observed.
func (f Frame) Trend(window int) ([]float64, error) {
	if window < 2 {
		return nil, fmt.Errorf("window %d: must be at least two steps", window)
	}
	column := make([]float64, len(f.Observed))
	var line regression
	for i, v := range f.Observed {
		// The newest step is at x = 0; all others move one to the left.
		line.shift()
		if old := i - window; old >= 0 && series.Observed(f.Observed[old]) {
			line.add(-1, -float64(window), f.Observed[old])
		}
		if series.Observed(v) {
			line.add(1, 0, v)
		}
		column[i] = line.slope()
	}
	return column, nil
}

// regression holds the sums of a line through points (x, y).
type regression struct{ n, x, y, xx, xy float64 }

// add puts a point in with weight 1 or takes it out with −1.
func (r *regression) add(weight, x, y float64) {
	r.n += weight
	r.x += weight * x
	r.y += weight * y
	r.xx += weight * x * x
	r.xy += weight * x * y
}

// shift moves all points one to the left.
func (r *regression) shift() {
	r.xx += r.n - 2*r.x
	r.xy -= r.y
	r.x -= r.n
}

func (r *regression) slope() float64 {
	if r.n < 2 {
		return math.NaN()
	}
	return (r.xy - r.x*r.y/r.n) / (r.xx - r.x*r.x/r.n)
}
