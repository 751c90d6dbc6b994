package backtest

import (
	"fmt"
	"html/template"
	"math"
	"strings"
)

// frontierChart sets what was under-provisioned against what it cost, for
// every quantile and every reactive target tried: lower and further left is
// better.
func (r Report) frontierChart() template.HTML {
	cost := span{math.Inf(1), 0}
	minutes := span{0, 1}
	reactive := r.comparable()
	for _, o := range append(append([]Outcome{}, r.Frontier...), reactive...) {
		cost = span{min(cost.low, o.OverBound), max(cost.high, o.OverBound)}
		minutes.high = max(minutes.high, o.PerDay)
	}
	if len(r.Frontier) == 0 || cost.high <= cost.low {
		return ""
	}
	cost = span{cost.low - 0.03*(cost.high-cost.low), cost.high + 0.03*(cost.high-cost.low)}
	// A square root spreads the few minutes that matter without hiding zero.
	y := func(v float64) float64 { return top + plotHeight*(1-math.Sqrt(v/(minutes.high*verticalHeadway))) }
	x := func(v float64) float64 { return left + plotWidth*(v-cost.low)/(cost.high-cost.low) }
	var b strings.Builder
	fmt.Fprintf(&b, `<div class="scroll"><svg viewBox="0 0 %g %g" role="img" aria-label="under-provisioned minutes a day against pod-hours, by policy">`, width, height)
	for _, v := range []float64{0, 0.01, 0.05, 0.15, 0.4, 1} {
		v *= minutes.high
		if v > 1 {
			v = math.Round(v)
		}
		fmt.Fprintf(&b, `<line class="grid" x1="%g" x2="%g" y1="%.1f" y2="%.1f"/><text x="%g" y="%.1f" class="value">%.3g</text>`,
			left, width-right, y(v), y(v), left-6, y(v)+4, v)
	}
	for v := math.Ceil(cost.low*10) / 10; v <= cost.high; v += nice((cost.high - cost.low) / 8) {
		fmt.Fprintf(&b, `<line class="grid" x1="%.1f" x2="%.1f" y1="%g" y2="%g"/><text x="%.1f" y="%g" class="time">%.2f</text>`,
			x(v), x(v), top, top+plotHeight, x(v), height-8, v)
	}
	for _, s := range []struct {
		class    string
		outcomes []Outcome
		label    func(Outcome) string
	}{
		{"ours", r.Frontier, func(o Outcome) string { return risk(o.Quantile) }},
		{"theirs", reactive, func(o Outcome) string { return number(o.Target) }},
	} {
		pen := "M"
		var path strings.Builder
		for _, o := range s.outcomes {
			fmt.Fprintf(&path, "%s%.1f %.1f", pen, x(o.OverBound), y(o.PerDay))
			pen = "L"
		}
		fmt.Fprintf(&b, `<path class="%s" d="%s"/>`, s.class, path.String())
		for _, o := range s.outcomes {
			class, at := "point", x(o.OverBound)+7
			if at > width-labelRoom { // it would be cut off
				class, at = "point before", x(o.OverBound)
			}
			fmt.Fprintf(&b, `<circle class="%s" cx="%.1f" cy="%.1f" r="4"><title>%s: %.1f min a day, %.1f pod-hours</title></circle><text x="%.1f" y="%.1f" class="%s">%s</text>`,
				s.class, x(o.OverBound), y(o.PerDay), template.HTMLEscapeString(o.Policy), o.PerDay, o.PodHours, at, max(y(o.PerDay)-7, labelTop), class, s.label(o))
		}
	}
	b.WriteString(`</svg></div><ul class="legend"><li class="ours">Kedastral at a quantile of its forecast</li><li class="theirs">a reactive HPA at a target per pod</li></ul>`)
	return template.HTML(b.String()) //nolint:gosec // numbers, and names escaped above
}

// comparable are the reactive HPAs that cost about as much as ours do, and the
// next one: those that cost many times as much would hide the rest.
func (r Report) comparable() []Outcome {
	highest := 0.0
	for _, o := range r.Frontier {
		highest = max(highest, o.OverBound)
	}
	var out []Outcome
	for _, o := range r.Reactive {
		out = append(out, o)
		if o.OverBound > 1.3*highest {
			break
		}
	}
	return out
}

type span struct{ low, high float64 }
