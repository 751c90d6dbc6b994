package history

import (
	"math"
	"strconv"
)

// Numbers are values for people: six digits as JSON, null where not finite.
type Numbers []float64

// MarshalJSON writes the list, [] when it is nil.
func (n Numbers) MarshalJSON() ([]byte, error) {
	out := make([]byte, 0, 2+8*len(n))
	out = append(out, '[')
	for i, v := range n {
		if i > 0 {
			out = append(out, ',')
		}
		if math.IsNaN(v) || math.IsInf(v, 0) {
			out = append(out, "null"...)
			continue
		}
		out = append(out, shortest(v)...)
	}
	return append(out, ']'), nil
}

// shortest is v with six digits, all of them where it is whole.
func shortest(v float64) string {
	const exact = 1 << 53
	if v == math.Trunc(v) && math.Abs(v) < exact {
		return strconv.FormatInt(int64(v), 10)
	}
	return strconv.FormatFloat(v, 'g', 6, 64)
}
