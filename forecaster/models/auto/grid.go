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
	w.drop = losses(w.drop, f, s)
	n := len(f.Observed)
	for n > 0 && (w.drop[n-1] || !series.Observed(f.Observed[n-1])) {
		n--
	}
	g := &w.grid
	g.n, g.lead, g.lost = n, len(f.Observed)-n, 0
	for i := len(f.Observed) - 1; i >= n && w.drop[i]; i-- {
		g.lost++
	}
	g.z, g.ok = grow(g.z, n), grow(g.ok, n)
	seen := 0
	for i, v := range f.Observed[:n] {
		g.ok[i] = series.Observed(v) && !w.drop[i]
		if g.ok[i] {
			g.z[i] = s.in(v)
			seen++
		}
	}
	g.clock(f)
	if seen -= g.despike(s); seen < fewest {
		return fmt.Errorf("%d observed steps of %v, need %d: %w", seen, f.Step, fewest, models.ErrTooShort)
	}
	g.fill(s)
	return nil
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
		for ; i < until; i++ {
			g.slot[i] = int32(min(second/step, g.day-1))
			second += step
			for second >= daySeconds {
				second -= daySeconds
			}
		}
		at = f.Start.Add(time.Duration(i) * f.Step).In(at.Location())
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
