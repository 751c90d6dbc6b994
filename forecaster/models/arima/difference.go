package arima

import (
	"math"

	"gonum.org/v1/gonum/floats"
)

// difference applies (1−B)ᴰ(1−Bˢ)ˢᴰ to a copy, or returns y itself where there
// is nothing to do; the result is o.lost() shorter and has a
// gap wherever one of its parts has.
func difference(y []float64, o Order) []float64 {
	w := y
	for range o.D {
		w = differenced(w, 1)
	}
	for range o.SD {
		w = differenced(w, o.Season)
	}
	return w
}

func differenced(w []float64, lag int) []float64 {
	n := max(0, len(w)-lag)
	return floats.SubTo(make([]float64, n), w[len(w)-n:], w[:n])
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
