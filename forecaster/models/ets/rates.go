package ets

import "math"

// variables is how many numbers the search over smoothing parameters has:
// always in the order alpha, beta, gamma, phi.
func (m Model) variables() int {
	switch {
	case m.Damped:
		return 4
	case m.Season != None:
		return 3
	case m.Trend != None:
		return 2
	}
	return 1
}

// Bounds of the parameters, those R uses.
const (
	least, most         = 1e-4, 0.9999
	dampLeast, dampMost = 0.8, 0.98
)

// bind maps the search's variables into the bounds.
func (m Model) bind(x []float64) Parameters {
	share := func(i int) float64 {
		if i >= len(x) {
			return 0
		}
		return 1 / (1 + math.Exp(-x[i]))
	}
	p := Parameters{Alpha: least + (most-least)*share(0), Phi: 1}
	if m.Trend != None {
		p.Beta = least + (p.Alpha-least)*share(1)
	}
	if m.Season != None {
		p.Gamma = least + max(0, 1-p.Alpha-least)*share(2)
	}
	if m.Damped {
		p.Phi = dampLeast + (dampMost-dampLeast)*share(3)
	}
	return p
}

// unbind is the inverse of bind.
func (m Model) unbind(x []float64) {
	set := func(i int, v, low, high float64) {
		if i < len(x) {
			share := max(1e-6, min(1-1e-6, (v-low)/max(high-low, 1e-12)))
			x[i] = math.Log(share / (1 - share))
		}
	}
	set(0, m.Alpha, least, most)
	set(1, m.Beta, least, m.Alpha)
	set(2, m.Gamma, least, 1-m.Alpha)
	set(3, m.Phi, dampLeast, dampMost)
}
