//go:build e2e

package cluster

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	wide, high = 1000, 420
	margin     = 50
)

// plot draws the watched rows as an SVG, into the folder E2E_REPORT if that is
// set: pods needed, and pods ready and wanted of each
// contender.
func plot(t *testing.T, field []contender, rows []row) {
	t.Helper()
	dir := os.Getenv("E2E_REPORT")
	if dir == "" {
		return
	}
	top := 1
	for _, r := range rows {
		for _, is := range r.now {
			top = max(top, r.need, is.Spec)
		}
	}
	var s strings.Builder
	fmt.Fprintf(&s, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="13">`+"\n", wide, high)
	fmt.Fprintf(&s, `<rect width="%d" height="%d" fill="white"/>`+"\n", wide, high)
	axes(&s, rows, top)
	label(&s, 0, "#000", "pods needed")
	for i, c := range field {
		color := []string{"#173", "#27c", "#c33"}[i]
		line(&s, rows, top, color, "6 3", func(r row) int { return r.now[i].Spec })
		line(&s, rows, top, color, "", func(r row) int { return r.now[i].Ready })
		label(&s, i+1, color, c.what+": ready; dashed: wanted")
	}
	line(&s, rows, top, "#000", "2 2", func(r row) int { return r.need })
	s.WriteString("</svg>\n")
	path := filepath.Join(dir, "rush.svg")
	if err := os.WriteFile(path, []byte(s.String()), 0o600); err != nil {
		t.Error(err)
	}
	t.Log("plot:", path)
}

func label(s *strings.Builder, i int, color, text string) {
	fmt.Fprintf(s, `<text x="%d" y="%d" fill="%s">%s</text>`+"\n", margin+10, margin+18*i, color, text)
}

func x(rows []row, i int) float64 {
	span := rows[len(rows)-1].at.Sub(rows[0].at).Seconds()
	return margin + rows[i].at.Sub(rows[0].at).Seconds()/span*(wide-2*margin)
}

func y(v, top int) float64 { return high - margin - float64(v)/float64(top)*(high-2*margin) }

func axes(s *strings.Builder, rows []row, top int) {
	for v := 0; v <= top; v += 10 {
		fmt.Fprintf(s, `<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" stroke="#eee"/><text x="%d" y="%.1f" text-anchor="end">%d</text>`+"\n",
			margin, wide-margin, y(v, top), y(v, top), margin-8, y(v, top)+4, v)
	}
	for i := 1; i < len(rows); i++ {
		before, minute := math.Floor(rows[i-1].at.Sub(here.day.rush).Minutes()), math.Floor(rows[i].at.Sub(here.day.rush).Minutes())
		if minute > before {
			fmt.Fprintf(s, `<text x="%.1f" y="%d" text-anchor="middle">%+.0f min</text>`+"\n", x(rows, i), high-margin+20, minute)
		}
	}
}

func line(s *strings.Builder, rows []row, top int, color, dash string, of func(row) int) {
	fmt.Fprintf(s, `<polyline fill="none" stroke="%s" stroke-width="2" stroke-dasharray="%s" points="`, color, dash)
	for i, r := range rows {
		fmt.Fprintf(s, "%.1f,%.1f ", x(rows, i), y(max(0, of(r)), top))
	}
	s.WriteString(`"/>` + "\n")
}
