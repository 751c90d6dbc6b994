package auto

// combiner weighs experts by how they fared, as time goes by: what it says at
// an origin rests on truths known there, so its own past errors are honest.
type combiner struct {
	experts int
	prior   []float64
	loss    []float64 // knot × expert, exponentially forgotten
	weight  []float64 // knot × expert, summing to one a knot
	seen    []float64 // per knot
}

func (c *combiner) reset(knots, experts int) {
	c.experts = experts
	c.loss, c.weight = grow(c.loss, knots*experts), grow(c.weight, knots*experts)
	c.seen = grow(c.seen, knots)
	clear(c.loss)
	clear(c.seen)
	for i := range c.weight {
		c.weight[i] = 1 / float64(experts)
	}
}

// learn adds the errors experts made at a knot; what was learnt before counts
// keep times.
func (c *combiner) learn(knot int, errs []float64, keep float64) {
	loss := c.loss[knot*c.experts : (knot+1)*c.experts]
	for e, x := range errs {
		loss[e] = loss[e]*keep + x
	}
	c.seen[knot] = c.seen[knot]*keep + 1
}

// weigh refreshes a knot's weights: proportional to (best/loss)^12, none below
// three quarters of the best skill. A knot borrows half of what it knows from
// its neighbours.
func (c *combiner) weigh(knot int) []float64 {
	n, weight := c.experts, c.weight[knot*c.experts:(knot+1)*c.experts]
	from, to := max(0, knot-1), min(len(c.seen)-1, knot+1)
	if c.seen[knot] == 0 {
		return weight
	}
	best := 0.0
	for e := range weight {
		sum := 0.0
		for k := from; k <= to; k++ {
			share := 1.0
			if k != knot {
				share = 0.5
			}
			sum += share * c.loss[k*n+e]
		}
		weight[e] = sum
		if e == 0 || sum < best {
			best = sum
		}
	}
	if len(c.prior) > 0 {
		// What experts are worth on average outweighs a handful of origins.
		sum, lost := best, best
		_ = sum
		for e := range weight {
			weight[e] += debug.Prior / c.seen[knot] * lost * c.prior[e]
			if e == 0 || weight[e] < best {
				best = weight[e]
			}
		}
	}
	total := 0.0
	for e, x := range weight {
		weight[e] = 0
		if best >= debug.Least*x {
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
