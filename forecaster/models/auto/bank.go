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

// followed says which rates, from and to, and how many trends are run beside
// each curve: those that an expert uses.
var followed = [curveCount]struct{ from, to, trends int }{
	flat:    {min9, hours2 + 1, 2},
	cycle:   {min9, hours2 + 1, 0},
	daily:   {min9, hours8 + 1, trendCount},
	weekly:  {min9, hours8 + 1, trendCount},
	profile: {min30, hours2 + 1, 0},
	dayAgo:  {min30, min30 + 1, 0},
	weekAgo: {min30, hours2 + 1, 0},
	median5: {min30, hours2 + 1, 0},
}

// bank runs the levels and trends beside the curves, one step at a time.
type bank struct {
	rate     [rateCount]float64
	trend    [trendCount]struct{ level, gain, damp float64 }
	reach    [reachCount][]float64 // how far effects carry, by steps ahead
	settled  int                   // observations before a shift can be told
	patience float64               // rate at which the usual distance follows
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

// see advances the levels beside the given curves by an observation.
func (b *bank) see(z float64, c *curves, t int, beside []int) {
	s := &b.state
	s.age++
	if s.age == 1 {
		b.begin(z, c, t, beside)
		return
	}
	for _, k := range beside {
		x := z
		if k != flat {
			x -= c.at[k][t-c.lo]
		}
		f, level, base, slope := &followed[k], &s.level[k], &s.base[k], &s.slope[k]
		level[last] = x
		for i := f.from; i < f.to; i++ {
			level[i] += b.rate[i] * (x - level[i])
		}
		if f.from == min9 {
			b.shift(k)
		}
		for i := range f.trends {
			p := &b.trend[i]
			ahead := base[i] + p.damp*slope[i]
			miss := x - ahead
			base[i] = ahead + p.level*miss
			slope[i] = p.damp*slope[i] + p.gain*miss
		}
	}
}

// shift lets the slow levels beside curve k take over the quick one when the
// two are further apart than noise ever brings them: the level has shifted, and
// hours of half-life would lag behind it for as long.
func (b *bank) shift(k int) {
	s := &b.state
	level := &s.level[k]
	apart := abs(level[min9] - level[hours2])
	if s.age > b.settled && apart > shiftTimes*s.apart[k] && s.apart[k] > 0 {
		for i := min30; i < rateCount; i++ {
			level[i] = level[min9]
		}
		apart = 0
	}
	s.apart[k] += max(b.patience, 1/float64(s.age)) * (min(apart, shiftTimes*s.apart[k]+apart/float64(s.age)) - s.apart[k])
}

// begin sets every level to the first observation.
func (b *bank) begin(z float64, c *curves, t int, beside []int) {
	for _, k := range beside {
		x := z - c.value(k, t)
		for i := range b.state.level[k] {
			b.state.level[k][i] = x
		}
		for i := range b.state.base[k] {
			b.state.base[k][i] = x
		}
	}
}
