package backtest

import (
	"fmt"
	"html/template"
	"math"
	"strings"
	"time"
)

// chart is a plot over time, drawn as SVG so that the page needs no script.
type chart struct {
	from, to time.Time
	zone     *time.Location
	unit     string
	lines    []line
	band     []line // the lower and the upper edge of an area, or nothing
}

// line is one value a step of the chart's time; NaN is a gap.
type line struct {
	name, class string
	values      []float64
	stepped     bool // holds its value over the step
}

// The plot's measures, in the SVG's own units.
const (
	width, height   = 1160.0, 300.0
	left, right     = 56.0, 8.0
	top, bottom     = 10.0, 26.0
	plotWidth       = width - left - right
	plotHeight      = height - top - bottom
	mostPoints      = 1600
	gridLines       = 4
	verticalHeadway = 1.05
	labelRoom       = 40.0 // half a time's label
	labelTop        = 12.0 // of a label's baseline at least
)

// svg draws the chart; everything in it is a number or escaped here.
func (c chart) svg() template.HTML {
	highest := c.highest()
	var b strings.Builder
	var names []string
	for _, l := range c.lines {
		names = append(names, l.name)
	}
	fmt.Fprintf(&b, `<div class="scroll"><svg viewBox="0 0 %g %g" role="img" aria-label="%s over time: %s">`,
		width, height, template.HTMLEscapeString(c.unit), template.HTMLEscapeString(strings.Join(names, "; ")))
	c.grid(&b, highest)
	if len(c.band) == 2 {
		fmt.Fprintf(&b, `<path class="band" d="%s"/>`, area(c.band[0].points(highest), c.band[1].points(highest)))
	}
	for _, l := range c.lines {
		fmt.Fprintf(&b, `<path class="%s" d="%s"/>`, l.class, l.path(highest))
	}
	b.WriteString(`</svg></div><ul class="legend">`)
	for _, l := range c.lines {
		fmt.Fprintf(&b, `<li class="%s">%s</li>`, l.class, template.HTMLEscapeString(l.name))
	}
	b.WriteString(`</ul>`)
	return template.HTML(b.String()) //nolint:gosec // every text in it was escaped above
}

func (c chart) highest() float64 {
	highest := 0.0
	for _, l := range c.lines {
		for _, v := range l.values {
			if !math.IsNaN(v) {
				highest = max(highest, v)
			}
		}
	}
	if highest == 0 {
		return 1
	}
	return highest * verticalHeadway
}

// grid draws the values at the left and the days below.
func (c chart) grid(b *strings.Builder, highest float64) {
	step := nice(highest / gridLines)
	for v := 0.0; v <= highest; v += step {
		y := top + plotHeight*(1-v/highest)
		fmt.Fprintf(b, `<line class="grid" x1="%g" x2="%g" y1="%.1f" y2="%.1f"/><text x="%g" y="%.1f" class="value">%s</text>`,
			left, width-right, y, y, left-6, y+4, number(v))
	}
	every := c.every()
	for at := c.firstTick(every); at.Before(c.to); at = at.Add(every) {
		x := left + plotWidth*at.Sub(c.from).Seconds()/c.to.Sub(c.from).Seconds()
		label := at.Format("15:04")
		if at.Hour() == 0 && at.Minute() == 0 {
			label = at.Format("Mon 2 Jan")
		}
		fmt.Fprintf(b, `<line class="grid" x1="%.1f" x2="%.1f" y1="%g" y2="%g"/>`, x, x, top, top+plotHeight)
		if x <= width-labelRoom { // else it would be cut off
			fmt.Fprintf(b, `<text x="%.1f" y="%g" class="time">%s</text>`, x, height-8, label)
		}
	}
}

// every is how far apart the time's labels are.
func (c chart) every() time.Duration {
	const most = 12
	for _, d := range []time.Duration{time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour} {
		if c.to.Sub(c.from) <= most*d {
			return d
		}
	}
	days := int(c.to.Sub(c.from)/day)/most + 1
	return time.Duration(days) * day
}

// firstTick is the first label: counted from the local midnight before.
func (c chart) firstTick(every time.Duration) time.Time {
	y, m, d := c.from.In(c.zone).Date()
	at := time.Date(y, m, d, 0, 0, 0, 0, c.zone)
	for at.Before(c.from) {
		at = at.Add(every)
	}
	return at
}

// point is where a line goes in the SVG; a y of NaN is a gap.
type point struct{ x, y float64 }

// points are the line's on the screen. Where there are more values than a screen
// has points, each point is the largest of those it stands for: peaks are what
// the reader looks for.
func (l line) points(highest float64) []point {
	per := max(1, (len(l.values)+mostPoints-1)/mostPoints)
	var out []point
	for i := 0; i < len(l.values); i += per {
		v := math.NaN()
		for _, x := range l.values[i:min(i+per, len(l.values))] {
			if !math.IsNaN(x) && !(v >= x) {
				v = x
			}
		}
		out = append(out, point{left + plotWidth*float64(i)/float64(len(l.values)), top + plotHeight*(1-max(v, 0)/highest)})
	}
	return out
}

// path is the line as SVG draws it.
func (l line) path(highest float64) string {
	var b strings.Builder
	pen := "M"
	before := 0.0
	for _, p := range l.points(highest) {
		if math.IsNaN(p.y) {
			pen = "M"
			continue
		}
		if l.stepped && pen == "L" {
			fmt.Fprintf(&b, "L%.1f %.1f", p.x, before)
		}
		fmt.Fprintf(&b, "%s%.1f %.1f", pen, p.x, p.y)
		pen, before = "L", p.y
	}
	return b.String()
}

// area is what lies between two lines, as SVG draws it: out along the one and
// back along the other, once for every stretch without a gap.
func area(lower, upper []point) string {
	var b strings.Builder
	for i := 0; i < len(lower); i++ {
		from := i
		for i < len(lower) && !math.IsNaN(lower[i].y) && !math.IsNaN(upper[i].y) {
			i++
		}
		pen := "M"
		for _, p := range upper[from:i] {
			fmt.Fprintf(&b, "%s%.1f %.1f", pen, p.x, p.y)
			pen = "L"
		}
		for k := i - 1; k >= from; k-- {
			fmt.Fprintf(&b, "L%.1f %.1f", lower[k].x, lower[k].y)
		}
		if i > from {
			b.WriteString("Z")
		}
	}
	return b.String()
}

// nice rounds a distance between grid lines up to 1, 2 or 5 times a power of ten.
func nice(v float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 2, 5} {
		if v <= m*power {
			return m * power
		}
	}
	return 10 * power
}

// number prints a value in a few characters.
func number(v float64) string {
	for _, unit := range []struct {
		size float64
		name string
	}{{1e9, "G"}, {1e6, "M"}, {1e4, "k"}} {
		if v >= unit.size {
			if unit.name == "k" {
				return fmt.Sprintf("%.3gk", v/1e3)
			}
			return fmt.Sprintf("%.3g%s", v/unit.size, unit.name)
		}
	}
	return fmt.Sprintf("%.3g", v)
}
