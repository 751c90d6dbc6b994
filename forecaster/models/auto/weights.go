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
}

func (c *combiner) reset(knots, experts int, prior []float64) {
	c.experts, c.prior = experts, prior
	c.loss, c.weight = grow(c.loss, knots*experts), grow(c.weight, knots*experts)
	c.seen = grow(c.seen, knots)
	clear(c.loss)
	clear(c.seen)
	for i := range c.weight {
		c.weight[i] = 1 / float64(experts)
	}
}

// learn adds the losses experts had at a knot; what was learnt before counts
// keep times.
func (c *combiner) learn(knot int, losses []float64, keep float64) {
	loss := c.loss[knot*c.experts : (knot+1)*c.experts]
	for e, x := range losses {
		loss[e] = loss[e]*keep + x
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
		weight[e] = 0
		if best >= leastSkill*x {
			s := 1.0
			if x > 0 {
				s = best / x
			}
			s *= s * s
			s *= s
			s *= s
			weight[e] = s * s
			total += weight[e]
		}
	}
	for e := range weight {
		weight[e] /= total
	}
	return weight
}

// losses fills out with what experts lost at a knot and is the least of them.
func (c *combiner) losses(knot int, out []float64) float64 {
	n := c.experts
	copy(out, c.loss[knot*n:(knot+1)*n])
	for _, k := range [2]int{knot - 1, knot + 1} {
		if k >= 0 && k < len(c.seen) {
			for e, x := range c.loss[k*n : (k+1)*n] {
				out[e] += x / 2
			}
		}
	}
	best := least(out)
	if c.prior != nil {
		for e := range out {
			out[e] += priorWeight / c.seen[knot] * best * c.prior[e]
		}
		best = least(out)
	}
	return best
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
	for e, x := range weight {
		if x > 0 {
			v := row[e]
			if !signed {
				v = max(v, 0)
			}
			sum += x * v
		}
	}
	return sum
}

// favour replays the record of a knot with the errors at times of day like now
// counting more: experts that are right at night need not be at noon.
func (w *workspace) favour(f *fit, k int) {
	K, E, g := len(f.knots), len(f.experts), &w.grid
	loss := w.blend.loss[k*E : (k+1)*E]
	clear(loss)
	w.blend.seen[k] = 0
	day, now := float64(g.day), float64(g.slot[g.n-1])
	for i, o := range w.origins {
		y := w.target[i*K+k]
		if math.IsNaN(y) {
			continue
		}
		apart := abs(float64(g.slot[o-1]) - now)
		apart = min(apart, day-apart) / day * hours / alikeHours
		share := math.Exp2(-float64(g.n-o)/(lossDays*day)) * (1 + alike*math.Exp(-apart*apart))
		for e, p := range w.preds[(i*K+k)*E : (i*K+k+1)*E] {
			loss[e] += share * math.Sqrt(abs(y-p))
		}
		w.blend.seen[k] += share
	}
}
