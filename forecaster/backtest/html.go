package backtest

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"math"
	"strings"
	"time"
)

//go:embed report.html
var page string

// WriteHTML prints the report as one page that needs nothing beside it.
func (r Report) WriteHTML(w io.Writer) error {
	t, err := template.New("report").Funcs(template.FuncMap{
		"risk": risk, "known": known, "number": number,
		"percent":  func(share float64) string { return fmt.Sprintf("%.1f %%", 100*share) },
		"duration": func(seconds int) string { return short(time.Duration(seconds) * time.Second) },
		"instant":  func(t time.Time) string { return t.In(r.location()).Format("Mon 2 Jan 2006 15:04 MST") },
	}).Parse(page)
	if err != nil {
		return fmt.Errorf("reading the page's template: %w", err)
	}
	return t.Execute(w, struct {
		Report
		LoadChart, ReplicasChart, FrontierChart template.HTML
	}{r, r.loadChart(), r.replicasChart(), r.frontierChart()})
}

func (r Report) location() *time.Location {
	if l := r.replay.Workload.Calendar.Location; l != nil {
		return l
	}
	return time.UTC
}

// loadChart shows the load, and what was forecast for each step a lead time
// before it came.
func (r Report) loadChart() template.HTML {
	p := r.replay
	from, n := p.History.Index(p.From), p.History.Index(p.To)-p.History.Index(p.From)
	load, median, upper := p.History.Values[from:from+n], unknown(n), unknown(n)
	level := r.shownLevel()
	for i := range n {
		at := p.From.Add(time.Duration(i) * p.History.Step)
		o := newest(p.Origins, at.Add(-time.Duration(r.Lead)*time.Second), 0)
		if o < 0 {
			continue
		}
		s := p.Origins[o].Snapshot
		h := int(at.Sub(s.GeneratedAt) / p.History.Step)
		if h >= len(s.Values) {
			continue
		}
		median[i] = s.Values[h]
		for _, q := range s.Quantiles {
			if q.Level == level {
				upper[i] = q.Values[h]
			}
		}
	}
	ahead := short(time.Duration(r.Lead) * time.Second)
	c := chart{from: p.From, to: p.To, zone: r.location(), unit: r.Metric}
	c.lines = []line{
		{name: "load", class: "load", values: load},
		{name: "median forecast, " + ahead + " before", class: "median", values: median},
		{name: risk(level) + " forecast, " + ahead + " before", class: "upper", values: upper},
	}
	c.band = c.lines[1:]
	return c.svg()
}

// shownLevel is the quantile planned for, or the highest there is.
func (r Report) shownLevel() float64 {
	if q := r.Policies[0].Quantile; q > 0 {
		return q
	}
	if n := len(r.Accuracy.Levels); n > 0 {
		return r.Accuracy.Levels[n-1].Level
	}
	return 0
}

// replicasChart shows the pods that served against those the load needed.
func (r Report) replicasChart() template.HTML {
	p := player{Replay: r.replay, Setting: Setting{CapacityPerPod: r.Capacity}}
	from, n := p.History.Index(p.From), p.History.Index(p.To)-p.History.Index(p.From)
	need := unknown(n)
	for i := range n {
		if load := p.History.Values[from+i]; !math.IsNaN(load) {
			need[i] = math.Max(load, 0) / r.Capacity
		}
	}
	c := chart{from: p.From, to: p.To, zone: r.location(), unit: "pods"}
	c.lines = []line{
		{name: "needed by the load", class: "load", values: need},
		{name: "ready, " + r.Policies[0].Policy, class: "ours", values: floats(r.Policies[0].ready), stepped: true},
		{name: "ready, " + r.Policies[1].Policy, class: "theirs", values: floats(r.Policies[1].ready), stepped: true},
	}
	return c.svg()
}

func unknown(n int) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = math.NaN()
	}
	return out
}

func floats(counts []int) []float64 {
	out := make([]float64, len(counts))
	for i, n := range counts {
		out[i] = float64(n)
	}
	return out
}

// short prints a duration without its empty parts: 5m, 1h30m.
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-2]
	}
	return s
}
