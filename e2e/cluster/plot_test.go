//go:build e2e

package cluster

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The picture: panels below one another, over one axis of time.
const (
	wide       = 1000
	tall       = 170 // of a panel's field
	left, over = 70, 62
	below      = 60
)

// panel is one chart: what is asked for as a grey area, and lines over it.
type panel struct {
	title, unit string
	every       float64 // a tick of its axis
	area        func(row) float64
	lines       []stroke
	short       func(row) float64 // drawn red from here up to the area; may be nil
}

// stroke is a line; it is drawn shifted to the right by later.
type stroke struct {
	what, color, dash string
	later             time.Duration
	of                func(row) float64
}

// plot draws the replay as an SVG, into the folder E2E_REPORT if that is set.
func (r *replay) plot(t *testing.T) {
	t.Helper()
	dir := os.Getenv("E2E_REPORT")
	if dir == "" {
		return
	}
	panels := r.panels()
	height := len(panels)*(tall+over) + below
	var s strings.Builder
	fmt.Fprintf(&s, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="13">`+"\n", wide, height)
	fmt.Fprintf(&s, `<rect width="%d" height="%d" fill="white"/>`+"\n", wide, height)
	for i, p := range panels {
		r.draw(&s, p, float64(i*(tall+over)+over))
	}
	fmt.Fprintf(&s, `<text x="%d" y="%d" text-anchor="middle">seconds from the beginning of the rush; a pod takes %.0f s to be ready, the lead time is %.0f s</text>`+"\n</svg>\n",
		wide/2, height-10, starts.Seconds(), lead.Seconds())
	path := filepath.Join(dir, "rush.svg")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(path, []byte(s.String()), 0o644); err != nil {
		t.Error(err)
	}
	t.Log("plot:", path)
}

func (r *replay) panels() []panel {
	load := panel{title: "load (grey) and what was forecast of it one lead time earlier", unit: "requests/s", every: 100, area: func(r row) float64 { return r.load }}
	all := []panel{{}}
	for i, c := range r.field {
		color := []string{"#173", "#27c", "#c33"}[i%3]
		p := panel{
			title: c.what + ": pods needed (grey), missing (red)", unit: "pods", every: 10,
			area:  func(r row) float64 { return float64(r.need) },
			short: func(r row) float64 { return float64(r.now[i].Ready) },
		}
		if c.predicts && here.local != nil {
			load.lines = append(load.lines, stroke{c.what, color, []string{"", "7 5"}[i%2], lead, func(r row) float64 { return r.now[i].forecast }})
			p.lines = append(p.lines, stroke{"the scaler's answer", "#999", "2 3", 0, func(r row) float64 { return float64(r.now[i].told) }})
		}
		p.lines = append(p.lines,
			stroke{"replicas wanted", color, "6 3", 0, func(r row) float64 { return float64(r.now[i].Spec) }},
			stroke{"pods ready", color, "", 0, func(r row) float64 { return float64(r.now[i].Ready) }})
		all = append(all, p)
	}
	all[0] = load
	return all
}

// draw puts a panel's field at that height.
func (r *replay) draw(s *strings.Builder, p panel, at float64) {
	top := p.every
	for _, row := range r.rows {
		for _, l := range p.lines {
			for v := math.Max(l.of(row), p.area(row)); v > top; {
				top += p.every
			}
		}
	}
	y := func(v float64) float64 { return at + tall - math.Max(v, 0)/top*tall }
	fmt.Fprintf(s, `<text x="%d" y="%.0f" font-weight="bold">%s</text>`+"\n", left, at-24, p.title)
	fmt.Fprintf(s, `<text x="14" y="%.0f" text-anchor="middle" transform="rotate(-90 14 %[1]f)">%s</text>`+"\n", at+tall/2, p.unit)
	for v := 0.0; v <= top; v += p.every {
		fmt.Fprintf(s, `<line x1="%d" x2="%d" y1="%.1f" y2="%[3]f" stroke="#ddd"/><text x="%d" y="%.1f" text-anchor="end">%.0f</text>`+"\n", left, wide-20, y(v), left-8, y(v)+4, v)
	}
	r.ticks(s, at)
	fmt.Fprintf(s, `<polygon fill="#0002" points="%.1f,%.1f `, r.x(r.rows[0].at), y(0))
	for _, row := range r.rows {
		fmt.Fprintf(s, "%.1f,%.1f ", r.x(row.at), y(p.area(row)))
	}
	fmt.Fprintf(s, `%.1f,%.1f"/>`+"\n", r.x(r.rows[len(r.rows)-1].at), y(0))
	r.shade(s, p, y)
	for i, l := range p.lines {
		x := left + i*260
		fmt.Fprintf(s, `<line x1="%d" x2="%d" y1="%.0f" y2="%[3]f" stroke="%s" stroke-width="2" stroke-dasharray="%s"/><text x="%d" y="%.0f">%s</text>`+"\n",
			x, x+34, at-10, l.color, l.dash, x+40, at-6, l.what)
		r.line(s, l, y)
	}
}

func (r *replay) line(s *strings.Builder, l stroke, y func(float64) float64) {
	fmt.Fprintf(s, `<polyline fill="none" stroke="%s" stroke-width="2" stroke-dasharray="%s" points="`, l.color, l.dash)
	for _, row := range r.rows {
		at, v := row.at.Add(l.later), l.of(row)
		if !math.IsNaN(v) && v >= 0 && !at.After(r.rows[len(r.rows)-1].at) {
			fmt.Fprintf(s, "%.1f,%.1f ", r.x(at), y(v))
		}
	}
	s.WriteString(`"/>` + "\n")
}

// ticks marks every half minute from the rush.
func (r *replay) ticks(s *strings.Builder, at float64) {
	const half = 30 * time.Second
	for when := r.rush.Add(-lead - half); when.Before(r.rows[len(r.rows)-1].at); when = when.Add(half) {
		if when.Before(r.rows[0].at) {
			continue
		}
		color := "#eee"
		if when.Equal(r.rush) {
			color = "#888"
		}
		fmt.Fprintf(s, `<line x1="%.1f" x2="%[1]f" y1="%.0f" y2="%.0f" stroke="%s"/><text x="%[1]f" y="%.0[5]f" text-anchor="middle">%+.0[6]f</text>`+"\n",
			r.x(when), at, at+tall, color, at+tall+15, when.Sub(r.rush).Seconds())
	}
}

func (r *replay) x(at time.Time) float64 {
	span := r.rows[len(r.rows)-1].at.Sub(r.rows[0].at).Seconds()
	return left + at.Sub(r.rows[0].at).Seconds()/span*(wide-20-left)
}

// shade fills what is missing.
func (r *replay) shade(s *strings.Builder, p panel, y func(float64) float64) {
	if p.short == nil {
		return
	}
	for i, row := range r.rows[1:] {
		from, to := p.short(row), p.area(row)
		if from < to {
			x := r.x(r.rows[i].at)
			fmt.Fprintf(s, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="#c335"/>`+"\n", x, y(to), r.x(row.at)-x, y(from)-y(to))
		}
	}
}
