package auto

import (
	"math"
	"time"
)

// Half-lives of the level in exponential smoothing; the first is the last value.
var halfLives = [...]time.Duration{0, 9 * time.Minute, 30 * time.Minute, 2 * time.Hour, 8 * time.Hour}

const (
	rateCount = len(halfLives)
	last      = 0
	min9      = 1
	min30     = 2
	hours2    = 3
	hours8    = 4
)

// trends are the damped trends: half-lives of level and slope, and the time
// over which the slope's effect halves.
var trends = [...]struct{ level, slope, damp time.Duration }{
	{9 * time.Minute, 30 * time.Minute, 20 * time.Minute},
	{30 * time.Minute, 2 * time.Hour, time.Hour},
	{2 * time.Hour, 8 * time.Hour, 4 * time.Hour},
}

const trendCount = len(trends)

const shiftTimes = 10 // usual distances between levels that make a shift

// What levels do at a shift.
const (
	stay = iota
	join // the slow ones join the quick one
	anew // all of them start anew
)

// followed says what is run beside a curve: levels, what they do at a shift,
// which is something where the quick one is an expert too, and how many trends.
// A step in the series itself may be its season's, every morning; only beside a
// season is it news.
var followed = [curveCount]struct {
	level  bool
	shift  int
	trends int
}{
	flat:    {true, join, 2},
	cycle:   {true, anew, 0},
	daily:   {true, anew, trendCount},
	weekly:  {true, anew, trendCount},
	profile: {true, stay, 0},
	dayAgo:  {true, stay, 0},
	weekAgo: {true, stay, 0},
	median5: {true, stay, 0},
}

// bank runs the levels and trends beside the curves, one step at a time.
type bank struct {
	rate     [rateCount]float64
	trend    [trendCount]struct{ level, gain, damp float64 }
	reach    [reachCount][]float64 // how far effects carry, by steps ahead
	settled  int                   // observations before a shift can be told
	patience float64               // rate at which the usual distance follows
	x        []float64             // what is followed at the moment
	shift    int                   // where in x the level shifted last, -1 where it did not
	state    state
}

// The effects in bank.reach after those of the trends.
const (
	slopeReach = trendCount + iota
	fadeReach
	reachCount
)

// state is what the bank knows after a step.
type state struct {
	level       [curveCount][rateCount]float64
	base, slope [curveCount][trendCount]float64
	apart       [curveCount]float64 // usual distance of the quick level from the slow one
	since       [curveCount]int     // observations since the level shifted, 0 once it is of no account
	age         int                 // observations seen
}

// keep is the share left after one step of what halves in halfLife.
func keep(step, halfLife time.Duration) float64 {
	if halfLife <= 0 {
		return 0
	}
	return math.Exp2(-float64(step) / float64(halfLife))
}

// reset prepares for a step and forecasts up to furthest steps ahead.
func (b *bank) reset(step time.Duration, furthest int) {
	for i, h := range halfLives {
		b.rate[i] = 1 - keep(step, h)
	}
	for i, t := range trends {
		level := 1 - keep(step, t.level)
		b.trend[i].level, b.trend[i].gain = level, level*(1-keep(step, t.slope))
		b.trend[i].damp = keep(step, t.damp)
		b.reach[i] = damped(b.reach[i], b.trend[i].damp, furthest)
	}
	b.reach[slopeReach] = damped(b.reach[slopeReach], keep(step, 30*time.Minute), furthest)
	b.reach[fadeReach] = grow(b.reach[fadeReach], furthest+1)
	fade := keep(step, 2*time.Hour)
	for h, left := 0, 1.0; h <= furthest; h, left = h+1, left*fade {
		b.reach[fadeReach][h] = left
	}
	b.settled, b.patience = max(12, int(3*time.Hour/step)), 1-keep(step, 12*time.Hour)
	b.state = state{}
}

// damped fills s[h] with d + d² + … + dʰ.
func damped(s []float64, d float64, furthest int) []float64 {
	s = grow(s, furthest+1)
	sum, power := 0.0, 1.0
	for h := range s {
		s[h] = sum
		power *= d
		sum += power
	}
	return s
}

// follow advances the levels beside the given curves through the observed
// steps of [from, to).
func (b *bank) follow(g *grid, c *curves, from, to int, beside []int) {
	age := b.state.age
	for _, k := range beside {
		b.x = g.beside(b.x[:0], c, k, from, to)
		x := b.x
		if len(x) == 0 {
			return
		}
		if b.state.age = age; age == 0 {
			b.begin(k, x[0])
			x, b.state.age = x[1:], 1
		}
		b.smooth(k, x)
		for i := range followed[k].trends {
			b.drift(k, i, x)
		}
	}
	b.state.age = age + len(b.x)
}

// beside appends the observed values of [from, to) less curve k.
func (g *grid) beside(x []float64, c *curves, k, from, to int) []float64 {
	z, ok := g.z[from:to], g.ok[from:to]
	if k == flat {
		for i, v := range z {
			if ok[i] {
				x = append(x, v)
			}
		}
		return x
	}
	curve := c.at[k][from-c.lo : to-c.lo]
	for i, v := range z {
		if ok[i] {
			x = append(x, v-curve[i])
		}
	}
	return x
}

// begin sets every level beside curve k to the first value.
func (b *bank) begin(k int, x float64) {
	for i := range b.state.level[k] {
		b.state.level[k][i] = x
	}
	for i := range b.state.base[k] {
		b.state.base[k][i] = x
	}
}

// smooth takes values into the levels beside curve k.
//
// Where the quick level and a slow one are further apart than noise ever brings
// them, the level has shifted: hours of half-life would lag behind it for as
// long. Levels that start anew are the mean of what came since, until that
// forgets slower than they do.
func (b *bank) smooth(k int, x []float64) {
	b.shift = -1
	if len(x) == 0 {
		return
	}
	level, usual, age, since := &b.state.level[k], b.state.apart[k], b.state.age, b.state.since[k]
	shift := followed[k].shift
	l1, l2, l3, l4 := level[min9], level[min30], level[hours2], level[hours8]
	r1, r2, r3, r4 := b.rate[min9], b.rate[min30], b.rate[hours2], b.rate[hours8]
	for i, v := range x {
		if since > 0 {
			since++
			mean := 1 / float64(since)
			r1, r2, r3, r4 = max(b.rate[min9], mean), max(b.rate[min30], mean), max(b.rate[hours2], mean), max(b.rate[hours8], mean)
			if mean < b.rate[hours8] {
				since = 0
			}
		}
		l1 += r1 * (v - l1)
		l2 += r2 * (v - l2)
		l3 += r3 * (v - l3)
		l4 += r4 * (v - l4)
		age++
		young := 1 / float64(age)
		apart := abs(l1 - l3)
		if limit := shiftTimes * usual; apart > limit {
			shifted := age > b.settled && usual > 0
			switch most := limit + apart*young; {
			case shifted && shift == join:
				l2, l3, l4, apart = l1, l1, l1, 0
			case shifted && shift == anew:
				l1, l2, l3, l4, apart, since = v, v, v, v, 0, 1
				b.shift = i
			default:
				apart = min(apart, most)
			}
		}
		usual += max(b.patience, young) * (apart - usual)
	}
	*level = [rateCount]float64{x[len(x)-1], l1, l2, l3, l4}
	b.state.apart[k], b.state.since[k] = usual, since
}

// drift takes values into the i-th damped trend beside curve k. It starts anew
// where the level shifted, or it would take the step for a slope.
func (b *bank) drift(k, i int, x []float64) {
	if at := b.shift; at >= 0 {
		b.state.base[k][i], b.state.slope[k][i] = x[at], 0
		x = x[at+1:]
	}
	p := b.trend[i]
	base, slope := b.state.base[k][i], b.state.slope[k][i]
	for _, v := range x {
		slope *= p.damp
		base += slope
		miss := v - base
		base += p.level * miss
		slope += p.gain * miss
	}
	b.state.base[k][i], b.state.slope[k][i] = base, slope
}
