package models

import (
	"context"
	"errors"
	"time"

	"github.com/kedastral/kedastral/forecaster/features"
	"github.com/kedastral/kedastral/forecaster/series"
)

const (
	maxOrigins   = 80             // more make the score no truer and training slower
	maxReplayed  = 1 << 18        // origins times horizon: what a replay may hold in memory, in numbers
	replayedSpan = 72 * time.Hour // the recent past that speaks for the near future
	spanHorizons = 12             // a span holds at least so many horizons that do not overlap, where history allows
	blockKnots   = 8              // steps of a block that are scored; neighbours say the same
	day          = 24 * time.Hour
)

// outcome is one forecast step of the past and what came of it.
type outcome struct {
	origin, block   int // index among the origins and the blocks
	step            int // of the horizon, from 0
	truth, forecast float64
	last, seasonal  float64 // what the two benchmarks forecast
}

// past is what a replay saw.
type past struct {
	bounds   []int // block b is the steps [bounds[b], bounds[b+1])
	origins  int
	span     int // steps the origins are spread over
	floor    float64
	typical  float64 // median size of an observation
	outcomes []outcome
}

// replay forecasts again from earlier origins with a method fitted before the
// first of them; where too little came before, with the one that is given.
func (c *Calibrated) replay(ctx context.Context, history features.Frame, fitted Method) (past, error) {
	p := past{bounds: blocks(history.Horizon), floor: lowest(history.Observed), typical: typicalSize(history.Observed)}
	first, origins := chooseOrigins(history)
	if len(origins) == 0 {
		return p, nil
	}
	method := c.make()
	if err := method.Fit(ctx, history.Before(first)); errors.Is(err, ErrTooShort) {
		method = fitted
	} else if err != nil {
		return p, err
	}
	paths, err := roll(ctx, method, history, origins)
	if err != nil {
		return p, err
	}
	p.origins, p.span = len(origins), len(history.Observed)-first
	return p, p.collect(ctx, history, first, origins, paths)
}

// roll forecasts from every origin, in one pass where the method can.
func roll(ctx context.Context, method Method, frame features.Frame, origins []int) ([][]float64, error) {
	paths, all := make([][]float64, len(origins)), make([]float64, len(origins)*frame.Horizon)
	for i := range paths {
		paths[i], all = all[:frame.Horizon:frame.Horizon], all[frame.Horizon:]
	}
	if roller, ok := method.(Roller); ok {
		return paths, roller.Roll(ctx, frame, origins, paths)
	}
	for i, origin := range origins {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := method.Path(frame.Before(origin), paths[i]); err != nil {
			return nil, err
		}
	}
	return paths, nil
}

// collect sets the paths beside the truth and the benchmarks. Steps that were
// not observed say nothing.
func (p *past) collect(ctx context.Context, frame features.Frame, first int, origins []int, paths [][]float64) error {
	benchmark := &seasonalNaive{}
	if err := benchmark.Fit(ctx, frame.Before(first)); err != nil {
		return err
	}
	clock := frame.Clock()
	p.outcomes = make([]outcome, 0, len(origins)*min(frame.Horizon, blockKnots*(len(p.bounds)-1)))
	for i, origin := range origins {
		if err := clampPath(paths[i], p.floor); err != nil {
			return err
		}
		last := frame.Observed[lastObserved(frame.Observed[:origin])]
		for b := range len(p.bounds) - 1 {
			for _, h := range knots(p.bounds[b], p.bounds[b+1]) {
				if origin+h >= len(frame.Observed) || !series.Observed(frame.Observed[origin+h]) {
					continue
				}
				p.outcomes = append(p.outcomes, outcome{
					origin: i, block: b, step: h, truth: frame.Observed[origin+h], forecast: paths[i][h],
					last: last, seasonal: benchmark.at(frame, clock, origin, h, last),
				})
			}
		}
	}
	return nil
}

// blocks cuts a horizon into blocks that double in length: 1, 1, 2, 4, 8, …
// steps, the last one taking what is left when that is less than half of it.
func blocks(horizon int) []int {
	bounds := []int{0}
	for to := 1; to < horizon; to *= 2 {
		bounds = append(bounds, to)
	}
	if n := len(bounds); n > 2 && (horizon-bounds[n-1])*2 < bounds[n-1]-bounds[n-2] {
		bounds = bounds[:n-1]
	}
	return append(bounds, horizon)
}

// knots picks the steps of [from, to) that are scored, the last one included.
func knots(from, to int) []int {
	n := min(to-from, blockKnots)
	picked := make([]int, n)
	for k := range picked {
		picked[k] = from + (k+1)*(to-from)/n - 1
	}
	return picked
}

// chooseOrigins spreads origins over the newest part of a history: three days
// or twelve horizons of observed points, at most a third of all (half of less
// than a day, where every residual counts). It returns the first one too: what
// is before it may be learned from.
func chooseOrigins(f features.Frame) (first int, origins []int) {
	observed := 0
	for _, v := range f.Observed {
		if series.Observed(v) {
			observed++
		}
	}
	part := 3
	if observed < int(day/f.Step) {
		part = 2
	}
	want := max(observed/part, min(1, observed-1))
	want = min(want, max(int(replayedSpan/f.Step), spanHorizons*f.Horizon))
	first = len(f.Observed)
	for ; want > 0; first-- {
		if series.Observed(f.Observed[first-1]) {
			want--
		}
	}
	span := len(f.Observed) - first
	n := min(span, maxOrigins, max(1, maxReplayed/f.Horizon))
	for i := range n {
		origins = append(origins, first+i*span/n)
	}
	return first, origins
}
