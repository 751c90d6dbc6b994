package calendar

import (
	"math"
	"slices"
	"time"

	"github.com/kedastral/kedastral/forecaster/features"
	"github.com/kedastral/kedastral/forecaster/series"
)

// sundays are what a Sunday's load is to that of each weekday, by local hour;
// 0 where the history did not tell.
type sundays [7][24]float64

// Bounds of a learned factor: beyond them an hour without traffic speaks, not
// a holiday.
const leastLearned, mostLearned = 0.1, 10

// factor is what a holiday at a local time does to its weekday's load: 1 where
// it is not known.
func (s sundays) factor(at time.Time) float64 {
	if f := s[at.Weekday()][at.Hour()]; f > 0 {
		return f
	}
	return 1
}

// learn compares the hours of Sundays with those of the other weekdays, days
// that the calendar knows to be odd left out.
func (c Calendar) learn(f features.Frame) sundays {
	var out sundays
	if len(c.holidays) == 0 {
		return out
	}
	hours := c.hours(f)
	for hour := range 24 {
		sunday, ok := median(hours[time.Sunday][hour])
		if !ok {
			continue
		}
		for day := time.Sunday; day <= time.Saturday; day++ {
			if ordinary, ok := median(hours[day][hour]); ok && ordinary > 0 && sunday > 0 {
				out[day][hour] = min(max(sunday/ordinary, leastLearned), mostLearned)
			}
		}
	}
	return out
}

// hours are the mean loads of every ordinary hour, by weekday and hour.
func (c Calendar) hours(f features.Frame) (out [7][24][]float64) {
	odd := c.factors(f, everywhere())
	var sum, n float64
	var day time.Weekday
	hour := -1
	flush := func() {
		if n > 0 {
			out[day][hour] = append(out[day][hour], sum/n)
		}
		sum, n = 0, 0
	}
	for i, v := range f.Observed {
		at := f.Start.Add(time.Duration(i) * f.Step).In(c.zone)
		if at.Hour() != hour || at.Weekday() != day {
			flush()
			day, hour = at.Weekday(), at.Hour()
		}
		if series.Observed(v) && (odd == nil || odd[i] == 1) {
			sum, n = sum+v, n+1
		}
	}
	flush()
	return out
}

// everywhere marks every hour: with it, factors tell holidays from other days.
func everywhere() (s sundays) {
	for day := range s {
		for hour := range s[day] {
			s[day][hour] = math.MaxFloat32
		}
	}
	return s
}

func median(values []float64) (float64, bool) {
	if len(values) == 0 {
		return 0, false
	}
	sorted := slices.Clone(values)
	slices.Sort(sorted)
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2, true
}
