package auto

import "math"

const (
	leastSkill  = 0.86 // experts below this share of the best's skill are left out
	priorWeight = 10   // origins that what experts are worth in general counts for
	alike       = 4.0  // how much more errors at the same time of day count
	alikeHours  = 2.5  // how far that reaches
	lossDays    = 1.5  // half-life of errors
)

// combiner weighs experts by how they fared so far: what it says at an origin
// rests on outcomes known there, so the errors of the blend are honest.
type combiner struct {
	experts int
	prior   []float64 // what experts lose in general, nil to go by the record alone
	loss    []float64 // knot × expert, exponentially forgotten
	weight  []float64 // knot × expert, summing to one a knot
	seen    []float64 // per knot, origins learnt from, forgotten alike
	nothing []float64 // zeros
}

func (c *combiner) reset(knots, experts int, prior []float64) {
	c.experts, c.prior = experts, prior
	c.loss, c.weight = grow(c.loss, knots*experts), grow(c.weight, knots*experts)
	c.seen, c.nothing = grow(c.seen, knots), grow(c.nothing, experts)
	clear(c.nothing)
	clear(c.loss)
	clear(c.seen)
	for i := range c.weight {
		c.weight[i] = 1 / float64(experts)
	}
}

// learn adds the losses experts had at a knot; what was learnt before counts
// keep times.
func (c *combiner) learn(knot int, losses []float32, keep float64) {
	loss := c.loss[knot*c.experts : (knot+1)*c.experts]
	for e, x := range losses {
		loss[e] = loss[e]*keep + float64(x)
	}
	c.seen[knot] = c.seen[knot]*keep + 1
}

// weigh refreshes a knot's weights: proportional to (best/loss)²⁴, which on
// roots of errors is the twelfth power. A knot borrows half of what it knows
// from its neighbours.
func (c *combiner) weigh(knot int) []float64 {
	weight := c.weight[knot*c.experts : (knot+1)*c.experts]
	if c.seen[knot] == 0 {
		return weight
	}
	best := c.losses(knot, weight)
	total := 0.0
	for e, x := range weight {
		if leastSkill*x > best {
			weight[e] = 0
			continue
		}
		s := 1.0
		if x > 0 {
			s = best / x
		}
		s *= s * s
		s *= s
		s *= s
		s *= s
		weight[e] = s
		total += s
	}
	for e, x := range weight {
		if x > 0 {
			weight[e] = x / total
		}
	}
	return weight
}

// losses fills out with what experts lost at a knot and is the least of them.
func (c *combiner) losses(knot int, out []float64) float64 {
	before, after := c.lost(knot-1), c.lost(knot+1)
	best := math.Inf(1)
	for e, x := range c.lost(knot) {
		x += (before[e] + after[e]) / 2
		out[e] = x
		if x < best {
			best = x
		}
	}
	if c.prior != nil {
		for e := range out {
			out[e] += priorWeight / c.seen[knot] * best * c.prior[e]
		}
		best = least(out)
	}
	return best
}

// lost is what experts lost at a knot, nothing beyond the first and the last.
func (c *combiner) lost(knot int) []float64 {
	if knot < 0 || knot == len(c.seen) {
		return c.nothing
	}
	return c.loss[knot*c.experts : (knot+1)*c.experts]
}

func least(v []float64) float64 {
	best := v[0]
	for _, x := range v[1:] {
		best = min(best, x)
	}
	return best
}

// blended is the weighted mean of what experts say.
func blended(weight, row []float64, signed bool) float64 {
	sum := 0.0
	row = row[:len(weight)]
	if signed {
		return dot(weight, row)
	}
	for e, x := range weight {
		sum += x * max(row[e], 0)
	}
	return sum
}

// root is the square root of a distance, quickly: losses need no more.
func root(x float64) float32 { return float32(math.Sqrt(float64(float32(abs(x))))) }

// age sets what errors at every origin count for as time passes: w.fade what
// is left of those before it, w.share what its own do now, those at times of day
// like now more: experts that are right at night need not be at noon.
func (w *workspace) age() {
	g, N := &w.grid, len(w.origins)
	w.fade, w.share = grow(w.fade, N), grow(w.share, N)
	day, now := float64(g.day), float64(g.slot[g.n-1])
	before := 0
	for i, o := range w.origins {
		if w.fade[i] = 1; i > 0 {
			w.fade[i] = math.Exp2(-float64(o-before) / (lossDays * day))
		}
		before = o
		apart := abs(float64(g.slot[o-1]) - now)
		apart = min(apart, day-apart) / day * hours / alikeHours
		w.share[i] = math.Exp2(-float64(g.n-o)/(lossDays*day)) * (1 + alike*math.Exp(-apart*apart))
	}
}

// favour replays the record of a knot with errors counting what they do now.
func (w *workspace) favour(f *fit, k int) {
	K, E := len(f.knots), len(f.experts)
	loss := w.blend.loss[k*E : (k+1)*E]
	clear(loss)
	w.blend.seen[k] = 0
	for i, share := range w.share {
		if math.IsNaN(w.target[i*K+k]) {
			continue
		}
		for e, x := range w.roots[(i*K+k)*E : (i*K+k+1)*E] {
			loss[e] += share * float64(x)
		}
		w.blend.seen[k] += share
	}
}
