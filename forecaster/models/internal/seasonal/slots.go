package seasonal

import (
	"time"

	"github.com/kedastral/kedastral/forecaster/features"
)

// Slots are a season in slots of Hold steps each. A season follows the local
// clock: where that leaps, so does the slot.
type Slots struct {
	Count, Hold int
	Phase       int    // steps into the season at which a series starts
	Leaps       []Leap // ascending
}

// Leap is a change of the local clock: from a step of the series on, it is By
// steps further into the season than counting would have it, 0 < By < the
// season's width.
type Leap struct{ From, By int }

// maxSlots keeps a day of minutes in slots of five: one of a minute would see
// a single value a day.
const maxSlots = 288

const (
	day  = 24 * time.Hour
	week = 7 * day
)

// Daily lays the day of a clock out in slots for a series of a step; Count is 0
// where steps do not divide the day or fill it with one.
func Daily(clock features.Clock, step time.Duration) Slots {
	if step <= 0 || day%step != 0 || day/step < 2 {
		return Slots{}
	}
	return lay(clock, step, int(day/step), clock.SecondOfDay)
}

// Weekly lays the week out in as many slots a day as Daily does.
func Weekly(clock features.Clock, step time.Duration) Slots {
	if step <= 0 || day%step != 0 || day/step < 2 {
		return Slots{}
	}
	return lay(clock, step, int(week/step), clock.SecondOfWeek)
}

// lay lays a season of width steps out, where second tells how many seconds of
// it have passed when a step begins.
func lay(clock features.Clock, step time.Duration, width int, second func(int) int) Slots {
	perDay, hold := int(day/step), 1
	for perDay/hold > maxSlots || perDay%hold != 0 {
		hold++
	}
	at := func(t int) int { return second(t) / int(step/time.Second) }
	s := Slots{Count: width / hold, Hold: hold, Phase: at(0)}
	for _, t := range clock.Changes() {
		if by := wrap(at(t)-s.step(t), width); by > 0 {
			s.Leaps = append(s.Leaps, Leap{From: t, By: by})
		}
	}
	return s
}

// Width is the length of the season in steps.
func (s Slots) Width() int { return s.Count * s.Hold }

// step is how many steps into the season step t of the series is, or so many
// and whole seasons.
func (s Slots) step(t int) int {
	at := s.Phase + t
	for _, leap := range s.Leaps {
		if t < leap.From {
			break
		}
		at += leap.By
	}
	return at
}

// Of is the slot of step t of the series.
func (s Slots) Of(t int) int { return s.step(t) / s.Hold % s.Count }

// After is the same season for the series without its first steps.
func (s Slots) After(steps int) Slots {
	if s.Count == 0 {
		return s
	}
	out := Slots{Count: s.Count, Hold: s.Hold, Phase: wrap(s.step(steps), s.Width())}
	for _, leap := range s.Leaps {
		if leap.From > steps {
			out.Leaps = append(out.Leaps, Leap{From: leap.From - steps, By: leap.By})
		}
	}
	return out
}

// wrap is a modulo n with the sign of n.
func wrap(a, n int) int { return (a%n + n) % n }

// Averaged is a series by slots, which is as fine as its season is known.
func (s Slots) Averaged(y []float64) []float64 {
	out := make([]float64, len(y)/s.Hold)
	for i := range out {
		out[i] = Mean(y[i*s.Hold : (i+1)*s.Hold])
	}
	return out
}
