package models

import (
	"math"
	"slices"
	"time"

	"github.com/kedastral/kedastral/forecaster/features"
	"github.com/kedastral/kedastral/forecaster/models/internal/order"
	"github.com/kedastral/kedastral/forecaster/series"
)

const quarter = 15 * time.Minute

// season is what repeats: the hour of the day in quarters, the hours by which
// a day of the week differs from it, and before both the minutes of the hour.
// Each level is learned from what the ones before left over, and shrunk by how
// well one half of the history agrees with the other about it.
type season struct {
	offset time.Duration // from a step's start to its middle
	levels []cycle
}

// learnSeason finds what repeats in x, the frame's history in the model's own
// scale. It takes a day and a half of steps to tell, two weeks for days of the
// week.
func learnSeason(f features.Frame, x []float64) season {
	s := season{offset: f.Step / 2}
	span := time.Duration(len(x)) * f.Step
	if span < day*3/2 || f.Step > 6*time.Hour {
		return s
	}
	around := day
	if span >= 2*week {
		around = week
	}
	l := lesson{clock: f.Clock(), middle: int(s.offset / time.Second), x: clip(x), step: f.Step}
	if f.Step <= 5*time.Minute && time.Hour%f.Step == 0 {
		s.levels = append(s.levels, l.learn(time.Hour, time.Hour, max(time.Minute, f.Step), false)...)
	}
	s.levels = append(s.levels, l.learn(around, day, max(quarter, f.Step), true)...)
	if around == week {
		s.levels = append(s.levels, l.learn(around, week, max(time.Hour, f.Step), true)...)
	}
	return s
}

// lesson is a history that levels are learned from one after another.
type lesson struct {
	clock  features.Clock
	middle int // seconds from a step's start to its middle
	step   time.Duration
	x      []float64 // what the levels so far left over
}

// learn takes a level of the given period out of what is left, once freed of
// the mean around it. It returns none where nothing repeats.
func (l *lesson) learn(around, period, cell time.Duration, smooth bool) []cycle {
	c := cycle{period: int(period / time.Second), cell: int(cell / time.Second), perCell: 1 / cell.Seconds(), smooth: smooth}
	if c.learn(l.clock, withoutLevel(l.x, int(around/l.step)), l.middle); c.table == nil {
		return nil
	}
	for i := range l.x {
		l.x[i] -= c.at(l.clock.SecondOfWeek(i) + l.middle)
	}
	return []cycle{c}
}

// over is the season of every step from the given one to the end of the
// frame's horizon.
func (s season) over(f features.Frame, from int) []float64 {
	clock, middle := f.Clock(), int(s.offset/time.Second)
	out := make([]float64, f.Len()-from)
	for i := range out {
		second := clock.SecondOfWeek(from+i) + middle
		for k := range s.levels {
			out[i] += s.levels[k].at(second)
		}
	}
	return out
}

// withoutLevel subtracts the centred mean over a whole period, so that a
// season is learned from whole periods only. The first and last half period
// take the nearest whole one's mean.
func withoutLevel(x []float64, period int) []float64 {
	rest := make([]float64, len(x))
	half := period / 2
	sum, n := 0.0, 0.0
	level, first := math.NaN(), -1
	for i := range x {
		if v := x[i]; !math.IsNaN(v) {
			sum, n = sum+v, n+1
		}
		if old := i - period; old >= 0 && !math.IsNaN(x[old]) {
			sum, n = sum-x[old], n-1
		}
		if i < period-1 {
			continue
		}
		if n*2 >= float64(period) || math.IsNaN(level) && n > 0 {
			level = sum / n
		}
		middle := i - half
		if first < 0 {
			first = middle
			for k := range middle {
				rest[k] = x[k] - level
			}
		}
		rest[middle] = x[middle] - level
	}
	for k := len(x) - half; k < len(x); k++ {
		rest[k] = x[k] - level
	}
	return rest
}

// clip bounds values so that a single one cannot carry a mean away.
func clip(x []float64) []float64 {
	some := observedOf(x)
	if len(some) == 0 {
		return slices.Clone(x)
	}
	at := func(q float64) float64 { return order.Nth(some, int(q*float64(len(some)-1))) }
	low, high := at(0.01)-3*(at(0.5)-at(0.01)), at(0.99)+3*(at(0.99)-at(0.5))
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = math.NaN()
		if series.Observed(v) {
			out[i] = min(max(v, low), high)
		}
	}
	return out
}
