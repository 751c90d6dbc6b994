package models

import (
	"math"

	"github.com/kedastral/kedastral/forecaster/series"
)

// typicalSize is the median size of an observation, or the mean where that is
// zero; 0 of nothing.
func typicalSize(values []float64) float64 {
	sizes := make([]float64, len(values))
	mean, n := 0.0, 0.0
	for i, v := range values {
		sizes[i] = math.Abs(v)
		if series.Observed(v) {
			n++
			mean += (sizes[i] - mean) / n
		}
	}
	if m := median(sizes); m > 0 {
		return m
	}
	return mean
}

// median is the middle observation; 0 of none.
func median(values []float64) float64 {
	observed := observedOf(values)
	if len(observed) == 0 {
		return 0
	}
	return nth(observed, len(observed)/2)
}

// nth is the k-th smallest value, from 0. It reorders the values, which hold
// no NaN, and takes linear time (Hoare's quickselect, the pivot in the middle
// of three): week-long histories are asked for a median often.
func nth(values []float64, k int) float64 {
	low, high := 0, len(values)-1
	for low < high {
		i, j := low, high
		a, b, c := values[low], values[(low+high)/2], values[high]
		pivot := max(min(a, b), min(max(a, b), c))
		for i <= j {
			for values[i] < pivot {
				i++
			}
			for values[j] > pivot {
				j--
			}
			if i <= j {
				values[i], values[j] = values[j], values[i]
				i, j = i+1, j-1
			}
		}
		switch {
		case k <= j:
			high = j
		case k >= i:
			low = i
		default:
			return values[k]
		}
	}
	return values[k]
}

// observedOf leaves the gaps out.
func observedOf(values []float64) []float64 {
	out := make([]float64, 0, len(values))
	for _, v := range values {
		if series.Observed(v) {
			out = append(out, v)
		}
	}
	return out
}
