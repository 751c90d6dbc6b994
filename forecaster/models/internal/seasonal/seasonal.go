// Package seasonal measures seasons: the average over a whole one, what each
// slot of it lies above that, and how much of a series it accounts for.
//
// Averages are taken over whole, centred seasons only. One over a part of a
// season carries that part's shape into the trend.
package seasonal

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"
)

// Average is the centred moving average over width values, half of each end
// where width is even; element i is centred on y[i + width/2].
func Average(y []float64, width int) []float64 {
	half := width / 2
	if width < 1 || len(y) < 2*half+1 {
		return nil
	}
	out := make([]float64, 0, len(y)-2*half)
	var sum float64
	for _, v := range y[:width] {
		sum += v
	}
	for t := half; t+half < len(y); t++ {
		centre := sum
		if width%2 == 0 {
			centre += (y[t+half] - y[t-half]) / 2
		}
		out = append(out, centre/float64(width))
		if next := t - half + width; next < len(y) {
			sum += y[next] - y[t-half]
		}
	}
	return out
}

// Strength is the share of the variance around the trend that the season
// accounts for, 0 to 1, as Wang, Smith and Hyndman (2006) measure it; 0 where
// the series holds less than two seasons. Degrees of freedom are counted, for
// means of few seasons fit by chance.
func Strength(y []float64, season int) float64 {
	if season < 2 || len(y) < 2*season {
		return 0
	}
	trend := Average(y, season)
	n, half := len(trend), season/2
	means, counts := make([]float64, season), make([]float64, season)
	var mean float64
	for i, c := range trend {
		v, slot := y[half+i]-c, i%season
		counts[slot]++
		means[slot] += (v - means[slot]) / counts[slot]
		mean += v / float64(n)
	}
	var within, total float64
	for i, c := range trend {
		v := y[half+i] - c
		within += (v - means[i%season]) * (v - means[i%season])
		total += (v - mean) * (v - mean)
	}
	if free := float64(n - season); total > 0 && free > 0 {
		return max(0, 1-within/free/(total/float64(n-1)))
	}
	return 0
}

// normal95 is the one-sided 5 % point of the normal distribution.
const normal95 = 1.6448536269514722

// Certain reports whether the autocorrelation at lag season is significant at
// 5 % one-sided, by Bartlett's formula over the shorter lags.
func Certain(y []float64, season int) bool {
	n := len(y)
	if season < 2 || n <= 2*season {
		return false
	}
	x, mean := make([]float64, n), Mean(y)
	for t, v := range y {
		x[t] = v - mean
	}
	variance := floats.Dot(x, x)
	if !(variance > 0) {
		return false
	}
	at := func(lag int) float64 { return floats.Dot(x[lag:], x[:n-lag]) / variance }
	sum := 1.0
	for lag := 1; lag < season; lag++ {
		r := at(lag)
		sum += 2 * r * r
	}
	return math.Abs(at(season)) > normal95*math.Sqrt(sum/float64(n))
}

// Shape is what each slot lies above the trend (or its ratio to the trend,
// where ratio is set): the middle of the values of all seasons, balanced to
// nothing. It is nil where y holds less than two seasons.
func (s Slots) Shape(y []float64, ratio bool, middle func([]float64) float64) []float64 {
	if s.Count < 2 || len(y) < 2*s.Width() {
		return nil
	}
	half := s.Width() / 2
	values := make([][]float64, s.Count)
	for i, c := range Average(y, s.Width()) {
		v, slot := y[half+i]-c, s.Of(half+i)
		if ratio {
			v = y[half+i] / c
		}
		values[slot] = append(values[slot], v)
	}
	shape := make([]float64, s.Count)
	for i, v := range values {
		shape[i] = middle(v)
	}
	return balanced(shape, ratio)
}

// Median is the middle value; it reorders v.
func Median(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	slices.Sort(v)
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}

// Mean is the arithmetic mean.
func Mean(v []float64) float64 {
	var mean float64
	for _, x := range v {
		mean += x / float64(len(v))
	}
	return mean
}
