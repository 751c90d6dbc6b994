package auto

import "math"

const (
	swingDays   = 1    // half-life of the sizes that say how wide
	swingFew    = 5    // origins of the usual size they are drawn to
	swingMost   = 4    // times the usual size that one miss counts for at most
	swingMargin = 0.01 // share of the loss that going by them must save
)

// swings fills w.swing with how large the misses known at each origin were
// relative to the usual, the newest counting most, and returns how large those
// known now are. A metric that becomes wilder, or calmer, has its law widened, or
// narrowed, within a day, long before most of the misses in it are new.
func (w *workspace) swings(f *fit) float64 {
	w.size(f)
	K, day := len(f.knots), float64(w.grid.day)
	few := float64(swingFew * K)
	w.swing = grow(w.swing, len(w.origins))
	clear(w.pending)
	sum, mass, before := 0.0, 0.0, 0
	for i, o := range w.origins {
		left := math.Exp2(-float64(o-before) / (swingDays * day))
		sum, mass, before = sum*left, mass*left, o
		more, n := w.known(f, o)
		sum, mass = sum+more, mass+n
		w.swing[i] = (sum + few) / (mass + few)
	}
	more, n := w.known(f, w.grid.n)
	return (sum + more + few) / (mass + n + few)
}

// size fills w.sizes with how large every miss of the replay is, in units of
// the mean at its knot.
func (w *workspace) size(f *fit) {
	K := len(f.knots)
	w.sizes = grow(w.sizes, len(w.origins)*K)
	for k := range f.knots {
		total, n := 0.0, 0.0
		for i := range w.origins {
			size := abs(w.target[i*K+k]-w.mean[i*K+k]) / w.width(f, i, k)
			if w.sizes[i*K+k] = size; !math.IsNaN(size) {
				total += size
				n++
			}
		}
		for i := range w.origins {
			if s := &w.sizes[i*K+k]; total > 0 {
				*s = min(*s*n/total, swingMost)
			} else if !math.IsNaN(*s) {
				*s = 1 // no miss at all is the usual here
			}
		}
	}
}

// known sums and counts the sizes that became known by step now.
func (w *workspace) known(f *fit, now int) (sum, n float64) {
	K := len(f.knots)
	for k, h := range f.knots {
		i := w.pending[k]
		for ; i < len(w.origins) && w.origins[i]+h <= now; i++ {
			if x := w.sizes[i*K+k]; !math.IsNaN(x) {
				sum += x
				n++
			}
		}
		w.pending[k] = i
	}
	return sum, n
}
