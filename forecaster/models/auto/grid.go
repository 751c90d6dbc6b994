package auto

import (
	"fmt"
	"math"
	"time"

	"github.com/kedastral/kedastral/forecaster/features"
	"github.com/kedastral/kedastral/forecaster/models"
	"github.com/kedastral/kedastral/forecaster/series"
)

const (
	daySeconds = 86400
	leastSlots = 4 // steps a day must have for a season
	fewest     = 2 // observed steps below which there is nothing to say
)

// grid is a history as the experts see it: scaled, holes filled but told
// apart, and every instant with its place in the local day.
type grid struct {
	z     []float64 // scaled values up to the last observation, holes filled
	ok    []bool    // which of z were observed
	n     int       // len(z)
	lead  int       // steps between the last observation and the origin
	lost  int       // of lead, steps at the very end that read zero for a lost metric
	hour  int       // steps in an hour, at least 1
	day   int       // steps in a day, at least 1
	week  int       // steps in a week
	start int64     // steps from the Unix epoch to the first
	slot  []int32   // step of the local day, for the history and the horizon
	zone  []int32   // offset from UTC in steps, nil while it does not change
}

// lay fills w.grid from a frame. Steps the frame has no observation for at
// its end are counted in lead, not filled: forecasts start where knowledge ends.
func (w *workspace) lay(f features.Frame, s scaling) error {
	if err := f.Validate(); err != nil {
		return err
	}
	g := &w.grid
	g.clock(f)
	seen, zeros := g.read(f.Observed, s)
	if zeros > 0 && !s.signed && float64(zeros) <= rareZeros*float64(seen) {
		seen -= g.lose(f.Observed, s)
	}
	g.n, g.lead, g.lost = len(f.Observed), 0, 0
	for ; g.n > 0 && !g.ok[g.n-1]; g.n-- {
		g.lead++
		if f.Observed[g.n-1] == 0 {
			g.lost++
		}
	}
	g.z, g.ok = g.z[:g.n], g.ok[:g.n]
	if seen -= g.despike(s); seen < fewest {
		return fmt.Errorf("%d observed steps of %v, need %d: %w", seen, f.Step, fewest, models.ErrTooShort)
	}
	if seen < g.n {
		g.fill(s)
	}
	return nil
}

// read scales the observed values, and counts them and the zeros among them.
func (g *grid) read(values []float64, s scaling) (seen, zeros int) {
	g.z, g.ok = grow(g.z, len(values)), grow(g.ok, len(values))
	for i, v := range values {
		ok := series.Observed(v)
		g.ok[i] = ok
		if !ok {
			continue
		}
		g.z[i] = s.in(v)
		seen++
		if v == 0 {
			zeros++
		}
	}
	return seen, zeros
}

// clock places every instant of history and horizon in the local day. Across
// a change of the zone's offset the slots follow the local clock, so a day has
// an hour less or one twice.
func (g *grid) clock(f features.Frame) {
	step := int(f.Step / time.Second)
	g.hour = max(1, (3600+step/2)/step)
	g.day = max(1, (daySeconds+step/2)/step)
	g.week = max(1, (7*daySeconds+step/2)/step)
	g.start = f.Start.Unix() / int64(step)
	total := len(f.Observed) + f.Horizon
	g.slot = grow(g.slot, total)
	at := f.Start.UTC()
	if f.Calendar.Location != nil {
		at = at.In(f.Calendar.Location)
	}
	g.zone = g.zone[:0]
	for i := 0; i < total; {
		_, offset := at.Zone()
		until := total
		if _, end := at.ZoneBounds(); !end.IsZero() {
			if d := end.Sub(at); d < time.Duration(total-i)*f.Step {
				until = i + int((d+f.Step-1)/f.Step)
			}
		}
		if i > 0 || until < total {
			for len(g.zone) < until {
				g.zone = append(g.zone, int32(math.Round(float64(offset)/float64(step))))
			}
		}
		second := int(((at.Unix()+int64(offset))%daySeconds + daySeconds) % daySeconds)
		g.tell(i, until, second, step)
		i = until
		at = f.Start.Add(time.Duration(i) * f.Step).In(at.Location())
	}
}

// tell sets the slots of steps [from, to), of which the first starts some
// seconds after local midnight.
func (g *grid) tell(from, to, second, step int) {
	first := to
	if daySeconds%step == 0 {
		first = min(to, from+g.day) // the other days are the same
	}
	for i := from; i < first; i++ {
		g.slot[i] = int32(min(second/step, g.day-1))
		for second += step; second >= daySeconds; {
			second -= daySeconds
		}
	}
	for i := first; i < to; {
		i += copy(g.slot[i:to], g.slot[from:i])
	}
}

// phase is the place of step t in a period counted from the Unix epoch, so
// that a history that slides along keeps its cycle.
func (g *grid) phase(t, period int) int {
	p := int64(period)
	return int(((g.start+int64(t))%p + p) % p)
}

// ago is the instant some days before t at the same local time; it may lie
// before the history.
func (g *grid) ago(t, days int) int {
	u := t - days*g.day
	if days%7 == 0 {
		u = t - days/7*g.week
	}
	if len(g.zone) > 0 && u >= 0 {
		u += int(g.zone[t] - g.zone[u])
	}
	return u
}

// fill bridges holes: short ones by a line, long ones by the day before,
// joined to both ends. What is filled serves as a lag, never as evidence.
func (g *grid) fill(s scaling) {
	short := max(2, g.hour/2)
	for i := 0; i < g.n; i++ {
		if g.ok[i] {
			continue
		}
		j := i
		for !g.ok[j] { // the last value is observed
			j++
		}
		g.bridge(i, j, j-i > short)
		if !s.signed {
			for k := i; k < j; k++ {
				g.z[k] = max(g.z[k], 0)
			}
		}
		i = j
	}
}

// bridge fills [i, j) between its observed neighbours.
func (g *grid) bridge(i, j int, shaped bool) {
	if i == 0 {
		for k := range j {
			g.z[k] = g.z[j]
		}
		return
	}
	shape, days := func(int) float64 { return 0 }, (j-i)/g.day+1
	if shaped && g.ago(i-1, days) >= 0 {
		shape = func(k int) float64 { return g.z[min(g.ago(k, days), i-1)] }
	}
	left, right := g.z[i-1]-shape(i-1), g.z[j]-shape(j)
	for k := i; k < j; k++ {
		x := float64(k-i+1) / float64(j-i+1)
		g.z[k] = shape(k) + left + (right-left)*x
	}
}
