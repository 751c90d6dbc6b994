package arima

import "math"

// difference applies (1−B)ᴰ(1−Bˢ)ˢᴰ; the result is o.lost() shorter and has a
// gap wherever one of its parts has.
func difference(y []float64, o Order) []float64 {
	w := make([]float64, len(y))
	copy(w, y)
	w = differenced(w, 1, o.D)
	return differenced(w, o.Season, o.SD)
}

// differenced works in place, from the end, and returns what is left.
func differenced(w []float64, lag, times int) []float64 {
	for range times {
		for t := len(w) - 1; t >= lag; t-- {
			w[t] -= w[t-lag]
		}
		w = w[min(lag, len(w)):]
	}
	return w
}

// mean is the mean of the observed values, and how many there are.
func mean(w []float64) (float64, int) {
	var sum float64
	n := 0
	for _, v := range w {
		if !math.IsNaN(v) {
			sum += v
			n++
		}
	}
	if n == 0 {
		return 0, 0
	}
	return sum / float64(n), n
}
