package auto

import "github.com/kedastral/kedastral/forecaster/models/internal/order"

const (
	rareZeros = 0.05 // share of zeros up to which a zero can be a lost metric
	lossDrop  = 10   // usual changes that a drop to zero must exceed to be one
	mostGone  = 0.5  // chance at most that a lost metric stays lost: what it measured is there still
)

// lose sets aside zeros that are a lost metric and not demand, and returns how
// many: a sudden exact zero where the level before was many times the usual
// change between steps, that does not recur at the same time of another day, in
// a history that hardly ever is zero. A run longer than a day is a workload that
// was switched off, and stands.
func (g *grid) lose(values []float64, s scaling) int {
	out := 0
	for i := 1; i < len(values); i++ {
		if values[i] != 0 || !(values[i-1] > 0) {
			continue
		}
		j := i
		for j < len(values) && !(values[j] > 0) {
			j++
		}
		level := s.in(values[i-1])
		if j-i <= g.day && level > lossDrop*s.usual && !recurs(values, i, j, g.day) {
			for k := i; k < j; k++ {
				if g.ok[k] {
					g.ok[k] = false
					out++
				}
			}
		}
		i = j
	}
	return out
}

// usualChange is the median magnitude of a step's change, scaled, between
// values above zero; of 2,048 of them at most.
func (w *workspace) usualChange(values []float64, s scaling) float64 {
	w.far = w.far[:0]
	stride := len(values)/2048 + 1
	for i := 1; i < len(values); i += stride {
		if values[i] > 0 && values[i-1] > 0 {
			w.far = append(w.far, abs(s.in(values[i])-s.in(values[i-1])))
		}
	}
	if len(w.far) == 0 {
		return 0
	}
	return order.Nth(w.far, len(w.far)/2)
}

// recurs reports whether another day is zero around the time of [i, j) too.
func recurs(values []float64, i, j, day int) bool {
	const near = 2 // steps of tolerance
	for _, shift := range []int{-7 * day, -2 * day, -day, day, 2 * day, 7 * day} {
		for k := max(0, i+shift-near); k < min(len(values), j+shift+near); k++ {
			if values[k] == 0 {
				return true
			}
		}
	}
	return false
}
