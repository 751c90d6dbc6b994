// Package minimize finds the minimum of a function of a few variables without
// its derivatives.
//
// Likelihoods of small models have kinks, ridges and regions where they are
// infinite; the simplex of Nelder and Mead (1965) walks through all of them,
// and a restart from where it ended mends the cases in which it collapsed too
// early. There is no randomness: the same function gives the same minimum.
package minimize

import (
	"math"
	"slices"
)

// Options bound a search.
type Options struct {
	Tolerance   float64 // stop when the simplex's values differ by less, relatively; 0 is 1e-8
	Evaluations int     // of the function, in all; 0 is 400 per variable
	Restarts    int     // further searches from the minimum found
}

// Minimum is where a search ended.
type Minimum struct {
	At    []float64
	Value float64
}

// Simplex searches from start, with first steps of the given sizes. Values
// that are not finite count as +Inf.
func Simplex(f func([]float64) float64, start, steps []float64, o Options) Minimum {
	if o.Tolerance == 0 {
		o.Tolerance = 1e-8
	}
	if o.Evaluations == 0 {
		o.Evaluations = 400 * len(start)
	}
	s := search{f: f, left: o.Evaluations, tolerance: o.Tolerance}
	best := vertex{slices.Clone(start), s.eval(start)}
	for range o.Restarts + 1 {
		before := best.value
		best = s.run(best, steps)
		if s.left <= 0 || before-best.value <= o.Tolerance*(math.Abs(best.value)+o.Tolerance) {
			break
		}
	}
	return Minimum{At: best.at, Value: best.value}
}

type vertex struct {
	at    []float64
	value float64
}

type search struct {
	f         func([]float64) float64
	left      int
	tolerance float64
}

func (s *search) eval(x []float64) float64 {
	s.left--
	if v := s.f(x); !math.IsNaN(v) {
		return v
	}
	return math.Inf(1)
}

// run is one descent of the simplex.
func (s *search) run(start vertex, steps []float64) vertex {
	n := len(start.at)
	simplex := make([]vertex, 0, n+1)
	simplex = append(simplex, vertex{slices.Clone(start.at), start.value})
	for i := range n {
		at := slices.Clone(start.at)
		at[i] += steps[i]
		simplex = append(simplex, vertex{at, s.eval(at)})
	}
	centre, trial, spare := make([]float64, n), make([]float64, n), make([]float64, n)
	for {
		slices.SortStableFunc(simplex, func(a, b vertex) int { return compare(a.value, b.value) })
		if s.left <= 0 || s.small(simplex) {
			return simplex[0]
		}
		centroid(centre, simplex[:n])
		trial, spare = s.improve(simplex, centre, trial, spare)
	}
}

// small reports whether the simplex has come down to one value and one place.
func (s *search) small(simplex []vertex) bool {
	best, worst := simplex[0], simplex[len(simplex)-1]
	if worst.value-best.value > s.tolerance*(math.Abs(best.value)+s.tolerance) {
		return false
	}
	for i, x := range best.at {
		if math.Abs(worst.at[i]-x) > math.Sqrt(s.tolerance)*(math.Abs(x)+1e-3) {
			return false
		}
	}
	return true
}

// improve replaces the worst vertex, or shrinks the simplex towards the best.
// It returns the two buffers to use next.
func (s *search) improve(simplex []vertex, centre, trial, spare []float64) ([]float64, []float64) {
	n := len(centre)
	worst := &simplex[n]
	along(trial, centre, worst.at, -1)
	reflected := s.eval(trial)
	switch {
	case reflected < simplex[0].value:
		along(spare, centre, worst.at, -2)
		if expanded := s.eval(spare); expanded < reflected {
			worst.at, spare, worst.value = spare, worst.at, expanded
			return trial, spare
		}
	case reflected < simplex[n-1].value:
	default:
		side := 0.5
		if reflected < worst.value {
			side = -0.5
		}
		along(spare, centre, worst.at, side)
		if v := s.eval(spare); v < min(reflected, worst.value) {
			worst.at, spare, worst.value = spare, worst.at, v
		} else {
			s.shrink(simplex)
		}
		return trial, spare
	}
	worst.at, trial, worst.value = trial, worst.at, reflected
	return trial, spare
}

func (s *search) shrink(simplex []vertex) {
	best := simplex[0].at
	for k := 1; k < len(simplex); k++ {
		v := &simplex[k]
		for i := range v.at {
			v.at[i] = best[i] + 0.5*(v.at[i]-best[i])
		}
		v.value = s.eval(v.at)
	}
}

// along puts centre + by·(from − centre) into out.
func along(out, centre, from []float64, by float64) {
	for i, c := range centre {
		out[i] = c + by*(from[i]-c)
	}
}

func centroid(out []float64, simplex []vertex) {
	clear(out)
	for _, v := range simplex {
		for i, x := range v.at {
			out[i] += x / float64(len(simplex))
		}
	}
}

func compare(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
