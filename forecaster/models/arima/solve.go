package arima

import "math"

// solve puts the solution of a·x = b into b, by Cholesky, spoiling a, a
// symmetric k×k matrix laid out by rows. It reports false where a is not
// positive definite.
func solve(a, b []float64) bool {
	k := len(b)
	for j := range k {
		pivot := a[j*k+j]
		for p := range j {
			pivot -= a[j*k+p] * a[j*k+p]
		}
		if !(pivot > 0) || math.IsInf(pivot, 0) {
			return false
		}
		pivot = math.Sqrt(pivot)
		a[j*k+j] = pivot
		for i := j + 1; i < k; i++ {
			v := a[i*k+j]
			for p := range j {
				v -= a[i*k+p] * a[j*k+p]
			}
			a[i*k+j] = v / pivot
		}
	}
	for i := range k {
		for p := range i {
			b[i] -= a[i*k+p] * b[p]
		}
		b[i] /= a[i*k+i]
	}
	for i := k - 1; i >= 0; i-- {
		for p := i + 1; p < k; p++ {
			b[i] -= a[p*k+i] * b[p]
		}
		b[i] /= a[i*k+i]
	}
	return true
}
