// Package order puts numbers in order, or just as far in order as is asked for.
//
// The library's sorts are general: they order NaNs and call a function per
// comparison. Models ask for medians and quantiles of short runs of numbers
// without NaNs thousands of times a fit, where that is most of the cost.
package order

import "math"

// short is the length from which insertion sort is beaten.
const short = 16

// Nth is the k-th smallest value, from 0. It reorders the values, which hold
// no NaN, such that none before k is larger and none after it smaller, and
// takes linear time (Hoare's quickselect, the pivot in the middle of three).
func Nth(values []float64, k int) float64 {
	low, high := 0, len(values)-1
	for low < high {
		i, j := low, high
		pivot := middle(values[low], values[(low+high)/2], values[high])
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

// Median is the middle value, or the mean of the two in the middle; NaN of
// none. It reorders the values, which hold no NaN.
func Median(values []float64) float64 {
	n := len(values)
	if n == 0 {
		return math.NaN()
	}
	upper := Nth(values, n/2)
	if n%2 == 1 {
		return upper
	}
	lower := values[0]
	for _, v := range values[1 : n/2] {
		if v > lower {
			lower = v
		}
	}
	return lower + (upper-lower)/2
}

// Insert sorts the values, which hold no NaN, in quadratic time: the fastest
// way for a handful.
func Insert(values []float64) {
	for i := 1; i < len(values); i++ {
		x, j := values[i], i
		for ; j > 0 && values[j-1] > x; j-- {
			values[j] = values[j-1]
		}
		values[j] = x
	}
}

// Weighted is a number that counts as much as its weight.
type Weighted struct{ Value, Weight float64 }

// Sort sorts by value, of which none is NaN (Hoare's quicksort).
func Sort(items []Weighted) {
	for len(items) > short {
		i, j := 0, len(items)-1
		pivot := middle(items[0].Value, items[j/2].Value, items[j].Value)
		for i <= j {
			for items[i].Value < pivot {
				i++
			}
			for items[j].Value > pivot {
				j--
			}
			if i <= j {
				items[i], items[j] = items[j], items[i]
				i, j = i+1, j-1
			}
		}
		left, right := items[:j+1], items[i:]
		if len(left) > len(right) { // the shorter half by recursion bounds its depth
			left, right = right, left
		}
		Sort(left)
		items = right
	}
	for i := 1; i < len(items); i++ {
		x, j := items[i], i
		for ; j > 0 && items[j-1].Value > x.Value; j-- {
			items[j] = items[j-1]
		}
		items[j] = x
	}
}

func middle(a, b, c float64) float64 { return max(min(a, b), min(max(a, b), c)) }
