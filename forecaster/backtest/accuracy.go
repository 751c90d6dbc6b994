package backtest

import (
	"math"
	"time"

	"github.com/kedastral/kedastral/forecaster/series"
)

// Accuracy is how the forecasts of a replay compare with what came. Errors are
// scaled by the in-sample error of repeating the value of a day before (of the
// step before, where there is no whole day), so 1 is as good as that and 0 is
// perfect.
type Accuracy struct {
	Origins  int      `json:"origins"`
	Failed   int      `json:"failed"`
	Fault    string   `json:"fault,omitempty"`
	Scale    float64  `json:"scale"`                // in the metric's unit
	MASE     float64  `json:"mase"`                 // mean absolute error ÷ scale
	WAPE     float64  `json:"wape"`                 // Σ|error| ÷ Σ|load|
	LastMASE float64  `json:"lastValueMase"`        // of repeating the last value, on the same steps
	DayMASE  *float64 `json:"dayAgoMase,omitempty"` // of repeating the value of a day before; nil where there is none
	Skill    float64  `json:"skill"`                // 1 − MASE ÷ the better of the two
	Levels   []Level  `json:"levels"`               // per quantile
	Blocks   []Block  `json:"blocks"`               // per part of the horizon
}

// Level is how one quantile of the forecasts fared.
type Level struct {
	Level    float64 `json:"level"`
	Coverage float64 `json:"coverage"` // share of observations at or below it
	Pinball  float64 `json:"pinball"`  // mean pinball loss ÷ scale
}

// Block is the accuracy within a part of the horizon.
type Block struct {
	ToSeconds int      `json:"toSeconds"`
	MASE      float64  `json:"mase"`
	LastMASE  float64  `json:"lastValueMase"`
	DayMASE   *float64 `json:"dayAgoMase,omitempty"`
}

const day = 24 * time.Hour

// Accuracy scores every forecast of the replay against what was observed.
func (r Replay) Accuracy() Accuracy {
	a := Accuracy{Origins: len(r.Origins), Failed: r.Failed, Scale: r.scale()}
	if r.Fault != nil {
		a.Fault = r.Fault.Error()
	}
	steps := len(r.Origins[0].Snapshot.Values)
	var all errorSums
	blocks := make([]errorSums, blockOf(steps-1, steps)+1)
	levels := make([]Level, len(r.Origins[0].Snapshot.Quantiles))
	for _, o := range r.Origins {
		origin := r.History.Index(o.Snapshot.GeneratedAt)
		for h, predicted := range o.Snapshot.Values {
			at := origin + h
			if at >= len(r.History.Values) || !series.Observed(r.History.Values[at]) {
				continue
			}
			truth := r.History.Values[at]
			e := r.errors(origin, at, truth, predicted, o.Snapshot.Observed.Value)
			all.add(e)
			blocks[blockOf(h, steps)].add(e)
			for l, q := range o.Snapshot.Quantiles {
				levels[l].add(q.Level, truth, q.Values[h], all.n)
			}
		}
	}
	a.MASE, a.LastMASE, a.DayMASE = all.scaled(a.Scale)
	if all.load > 0 {
		a.WAPE = all.model / all.load
	}
	a.Skill = skill(a.MASE, a.LastMASE, a.DayMASE)
	for _, l := range levels {
		l.Pinball = ratio(l.Pinball, a.Scale)
		a.Levels = append(a.Levels, l)
	}
	for b, sums := range blocks {
		if sums.n == 0 {
			continue // a horizon of few steps has fewer blocks
		}
		m, last, dayAgo := sums.scaled(a.Scale)
		a.Blocks = append(a.Blocks, Block{blockEnd(b, steps) * int(r.Workload.Step/time.Second), m, last, dayAgo})
	}
	return a
}

// add takes one more observation into the running means; n counts it.
func (l *Level) add(level, truth, q float64, n int) {
	l.Level = level
	covered := 0.0
	if truth <= q {
		covered = 1
	}
	l.Coverage += (covered - l.Coverage) / float64(n)
	l.Pinball += (max(level*(truth-q), (level-1)*(truth-q)) - l.Pinball) / float64(n)
}

// errorSums adds up absolute errors of the forecast and of both benchmarks.
type errorSums struct {
	n, days                   int
	model, last, dayAgo, load float64
	modelWhereDay             float64
}

// oneError is the absolute errors at one step; dayAgo is NaN where that was
// not observed.
type oneError struct{ model, last, dayAgo, load float64 }

func (r Replay) errors(origin, at int, truth, predicted, last float64) oneError {
	e := oneError{math.Abs(truth - predicted), math.Abs(truth - last), math.NaN(), math.Abs(truth)}
	perDay := int(day / r.History.Step)
	before := at - perDay*((at-origin)/perDay+1) // the newest whole days before that the origin knows
	if before >= 0 && series.Observed(r.History.Values[before]) {
		e.dayAgo = math.Abs(truth - r.History.Values[before])
	}
	return e
}

func (s *errorSums) add(e oneError) {
	s.n++
	s.model += e.model
	s.last += e.last
	s.load += e.load
	if !math.IsNaN(e.dayAgo) {
		s.days++
		s.dayAgo += e.dayAgo
		s.modelWhereDay += e.model
	}
}

// scaled are the mean errors in units of the scale. Where a day before was not
// always observed, its error is brought to the same steps by the model's own.
func (s errorSums) scaled(scale float64) (model, last float64, dayAgo *float64) {
	if s.n == 0 {
		return 0, 0, nil
	}
	n := float64(s.n)
	model, last = ratio(s.model/n, scale), ratio(s.last/n, scale)
	if s.days > 0 {
		v := ratio(s.dayAgo/float64(s.days), scale)
		if s.modelWhereDay > 0 {
			v *= (s.model / n) / (s.modelWhereDay / float64(s.days))
		}
		dayAgo = &v
	}
	return model, last, dayAgo
}

// scale is the in-sample error that others are measured in.
func (r Replay) scale() float64 {
	before := r.History.Values[:r.History.Index(r.From)]
	if s := meanChange(before, int(day/r.History.Step)); s > 0 {
		return s
	}
	return meanChange(before, 1)
}

// meanChange is the mean absolute change over a lag, between observed values.
func meanChange(values []float64, lag int) float64 {
	var sum, n float64
	for i := lag; i < len(values); i++ {
		if series.Observed(values[i]) && series.Observed(values[i-lag]) {
			sum += math.Abs(values[i] - values[i-lag])
			n++
		}
	}
	if n == 0 {
		return 0
	}
	return sum / n
}

// skill is 1 − error ÷ the better benchmark's, 0 where that never erred.
func skill(model, last float64, dayAgo *float64) float64 {
	best := last
	if dayAgo != nil {
		best = min(best, *dayAgo)
	}
	if best == 0 {
		return 0
	}
	return 1 - model/best
}

func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

// blockOf is the quarter, half or whole of the horizon a step is in.
func blockOf(step, steps int) int {
	switch {
	case step < blockEnd(0, steps):
		return 0
	case step < blockEnd(1, steps):
		return 1
	}
	return 2
}

func blockEnd(block, steps int) int { return (steps + 3>>block) / (4 >> block) }
