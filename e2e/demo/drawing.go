package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/kedastral/kedastral/forecaster/backtest/cluster"
)

// The drawing's measures, in its own units.
const (
	wide         = 960.0
	leftEdge     = 46.0
	rightEdge    = 14.0
	panelHeight  = 176.0
	firstPanel   = 92.0
	secondPanel  = firstPanel + panelHeight + 50
	tall         = secondPanel + panelHeight + 38
	minutesShort = "%.0f"
)

// style colours both halves of the world: pages that are light and dark.
const style = `<style>
svg{font:14px system-ui,-apple-system,"Segoe UI",Helvetica,Arial,sans-serif}
.paper{fill:#fff;stroke:#d0d7de}text{fill:#1f2328}.key{font-size:13px}.dim{fill:#59636e;font-size:12px}.title{font-weight:600;font-size:15px}
.grid{stroke:#d0d7de;stroke-width:.7}.load{fill:#8c959f;fill-opacity:.45}.band{fill:#1a7f37;fill-opacity:.3}
.ready{fill:none;stroke:#0550ae;stroke-width:2.2;stroke-linejoin:round}.asked{fill:none;stroke:#0550ae;stroke-width:1;stroke-dasharray:3 3}.short{fill:#d1242f}
@media (prefers-color-scheme:dark){
.paper{fill:#0d1117;stroke:#3d444d}text{fill:#f0f6fc}.key{font-size:13px}.dim{fill:#9198a1}
.grid{stroke:#3d444d}.load{fill:#9198a1;fill-opacity:.4}.band{fill:#3fb950;fill-opacity:.35}
.ready,.asked{stroke:#58a6ff}.short{fill:#ff5c56}}
</style>`

// svg is the picture: the same load twice, above it the pods that Kedastral
// and that a reactive HPA had ready for it.
func (p *picture) svg() string {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %g %g" role="img" aria-labelledby="t"><title id="t">%s</title>`+"\n", wide, tall, p.words())
	b.WriteString(style + "\n")
	fmt.Fprintf(&b, `<rect class="paper" x=".5" y=".5" width="%g" height="%g" rx="6"/>`+"\n", wide-1, tall-1)
	p.legend(&b)
	of := minutes(shownFor)
	p.panel(&b, firstPanel, fmt.Sprintf("Kedastral: short of pods for %s of %s minutes", minutes(p.predictive.short), of), p.predictive, true)
	p.panel(&b, secondPanel, fmt.Sprintf("Reactive HPA, same target per pod: short for %s minutes (%s with one that costs as many pod-hours)",
		minutes(p.reactive.short), minutes(p.tuned.short)), p.reactive, false)
	p.hours(&b)
	b.WriteString("</svg>\n")
	return b.String()
}

// words are the picture for those who do not see it.
func (p *picture) words() string {
	return fmt.Sprintf("Five hours of a rising morning. The pods that Kedastral asked for ahead were too few for %s minutes; "+
		"those of a reactive HPA with the same target for %s, and with a target that costs the same pod-hours over the day for %s.",
		minutes(p.predictive.short), minutes(p.reactive.short), minutes(p.tuned.short))
}

func minutes(d time.Duration) string { return fmt.Sprintf(minutesShort, d.Minutes()) }

func (p *picture) legend(b *strings.Builder) {
	x := leftEdge
	for _, entry := range []struct{ class, text string }{
		{"load", "load, in pods"},
		{"band", "forecast 5 minutes before, p50–p95"},
		{"asked", "pods asked for"},
		{"ready", "pods ready"},
		{"short", "load without a pod"},
	} {
		switch entry.class {
		case "asked", "ready":
			fmt.Fprintf(b, `<path class="%s" d="M%g 26h22"/>`, entry.class, x)
		default:
			fmt.Fprintf(b, `<rect class="%s" x="%g" y="19" width="22" height="14"/>`, entry.class, x)
		}
		fmt.Fprintf(b, `<text class="key" x="%g" y="31">%s</text>`+"\n", x+28, entry.text)
		x += 28 + 7*float64(utf8.RuneCountInString(entry.text)) + 18 // wide enough for the widest of the fonts
	}
}

// panel is the load with one policy's pods.
func (p *picture) panel(b *strings.Builder, top float64, title string, t track, band bool) {
	fmt.Fprintf(b, `<text class="title" x="%g" y="%g">%s</text>`+"\n", leftEdge, top-14, title)
	for pods := 0; pods <= p.highest(); pods += 5 {
		y := p.y(top, float64(pods))
		fmt.Fprintf(b, `<path class="grid" d="M%g %.1fH%g"/><text class="dim" x="%g" y="%.1f" text-anchor="end">%d</text>`, leftEdge, y, wide-rightEdge, leftEdge-8, y+4, pods)
	}
	fmt.Fprintf(b, "\n"+`<path class="load" d="%sV%.1fH%.1fZ"/>`+"\n", p.steps(top, p.needs), p.y(top, 0), p.x(0))
	if band {
		fmt.Fprintf(b, `<path class="band" d="%s"/>`+"\n", p.band(top))
	}
	fmt.Fprintf(b, `<path class="short" d="%s"/>`+"\n", p.missing(top, t))
	fmt.Fprintf(b, `<path class="asked" d="%s"/>`+"\n", p.steps(top, func(i int) float64 { return float64(t.asked[i]) }))
	fmt.Fprintf(b, `<path class="ready" d="%s"/>`+"\n", p.steps(top, func(i int) float64 { return float64(t.ready[i]) }))
}

func (p *picture) hours(b *strings.Builder) {
	for at := p.from; !at.After(p.to); at = at.Add(time.Hour) {
		x, anchor := p.x(int(at.Sub(p.from)/cluster.Sync)), "middle"
		if at.Equal(p.to) {
			anchor = "end"
		}
		fmt.Fprintf(b, `<text class="dim" x="%.1f" y="%g" text-anchor="%s">%s</text>`, x, secondPanel+panelHeight+20, anchor, at.Format("15:04"))
	}
	b.WriteString("\n")
}

// syncs is how many syncs of the HPA are shown.
func (p *picture) syncs() int { return int(p.to.Sub(p.from) / cluster.Sync) }

// needs is the load at a sync, in pods; a minute that was not recorded is none.
func (p *picture) needs(i int) float64 {
	if v := p.load.at(p.from.Add(time.Duration(i) * cluster.Sync)); !math.IsNaN(v) {
		return v / targetPerPod
	}
	return 0
}

func (p *picture) highest() int {
	top := 0
	for i := range p.syncs() {
		top = max(top, p.predictive.asked[i], p.reactive.asked[i], int(math.Ceil(p.needs(i))))
	}
	return top
}

func (p *picture) x(i int) float64 {
	return leftEdge + (wide-leftEdge-rightEdge)*float64(i)/float64(p.syncs())
}

func (p *picture) y(top, pods float64) float64 {
	return top + panelHeight*(1-pods/float64(p.highest()))
}

// steps is a line that holds each value until the next sync.
func (p *picture) steps(top float64, value func(i int) float64) string {
	var b strings.Builder
	fmt.Fprintf(&b, "M%.1f %.1f", p.x(0), p.y(top, value(0)))
	for i := 1; i < p.syncs(); i++ {
		if v := value(i); v != value(i-1) {
			fmt.Fprintf(&b, "H%.1fV%.1f", p.x(i), p.y(top, v))
		}
	}
	fmt.Fprintf(&b, "H%.1f", p.x(p.syncs()))
	return b.String()
}

// band is the area between the median and the upper quantile.
func (p *picture) band(top float64) string {
	var above, below strings.Builder
	var lower []string
	for i := 0; i < p.syncs(); i += int(time.Minute / cluster.Sync) {
		middle, upper, ok := p.foretold(p.from.Add(time.Duration(i) * cluster.Sync))
		if !ok {
			continue
		}
		fmt.Fprintf(&above, "L%.1f %.1f", p.x(i), p.y(top, upper/targetPerPod))
		lower = append(lower, fmt.Sprintf("L%.1f %.1f", p.x(i), p.y(top, middle/targetPerPod)))
	}
	for _, point := range slices.Backward(lower) {
		below.WriteString(point)
	}
	return "M" + strings.TrimPrefix(above.String(), "L") + below.String() + "Z"
}

// missing is the load above the pods that were ready.
func (p *picture) missing(top float64, t track) string {
	var b strings.Builder
	for i := range p.syncs() {
		if n, ready := p.needs(i), float64(t.ready[i]); n > ready {
			fmt.Fprintf(&b, "M%.1f %.1fH%.1fV%.1fH%.1fZ", p.x(i), p.y(top, n), p.x(i+1), p.y(top, ready), p.x(i))
		}
	}
	return b.String()
}
