package features

import "time"

// Clock tells the local time of a frame's steps. It looks the zone up once per
// change of its offset, not once per step: a week of minutes has at most two.
type Clock struct {
	start, step int64 // Unix seconds of step 0; seconds
	spans       []span
}

// span is a run of steps with one offset from UTC.
type span struct {
	from   int   // first step
	offset int64 // seconds east of UTC
}

// Clock is the clock of the frame's zone, for its history and its horizon.
func (f Frame) Clock() Clock {
	location := f.Calendar.Location
	if location == nil {
		location = time.UTC
	}
	c := Clock{start: f.Start.Unix(), step: int64(f.Step / time.Second)}
	for i, n := 0, f.Len(); i < n || i == 0; {
		t := time.Unix(c.start+int64(i)*c.step, 0).In(location)
		_, offset := t.Zone()
		c.spans = append(c.spans, span{from: i, offset: int64(offset)})
		_, end := t.ZoneBounds()
		if end.IsZero() {
			break
		}
		// The first step that starts at or after the change.
		i = int((end.Unix() - c.start + c.step - 1) / c.step)
	}
	return c
}

// Local is the local time at which step i starts, in seconds as if local
// midnight of 1 January 1970 were 0; it steps back and leaps when clocks do.
func (c Clock) Local(i int) int64 { return c.start + int64(i)*c.step + c.offset(i) }

// Changes are the steps, ascending, from which on the local clock is another
// number of seconds ahead of UTC than before.
func (c Clock) Changes() []int {
	var steps []int
	for _, s := range c.spans[1:] {
		steps = append(steps, s.from)
	}
	return steps
}

// offset is how far local time is ahead of UTC when step i starts, in seconds.
func (c Clock) offset(i int) int64 {
	for k := len(c.spans) - 1; k > 0; k-- {
		if i >= c.spans[k].from {
			return c.spans[k].offset
		}
	}
	return c.spans[0].offset
}

// Ago is the step that the local clock showed the same time at, as many
// seconds before step i as given, give or take what clocks were changed by in
// between: on the day after clocks went forward the same hour of the day
// before is 23 hours ago.
func (c Clock) Ago(i int, seconds int64) int {
	plain := i - int(seconds/c.step)
	return plain + int((c.offset(i)-c.offset(plain))/c.step)
}

const (
	minute = 60
	hour   = 60 * minute
	day    = 24 * hour
	// epochDay is the day of the week of 1 January 1970, a Thursday, counted
	// from Sunday as time.Weekday does.
	epochDay = 4
)

// floorMod is a modulo n with the sign of n, for times before 1970.
func floorMod(a, n int64) int64 { return (a%n + n) % n }

// SecondOfDay is how long after local midnight step i starts, by the wall
// clock: 0 to 86,399.
func (c Clock) SecondOfDay(i int) int { return int(floorMod(c.Local(i), day)) }

// SecondOfWeek is the same from local midnight before Sunday: 0 to 604,799.
func (c Clock) SecondOfWeek(i int) int {
	return int(floorMod(c.Local(i)+epochDay*day, 7*day))
}
