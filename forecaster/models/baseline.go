package models

import (
	"context"
	"math"
	"slices"

	"github.com/kedastral/kedastral/forecaster/features"
	"github.com/kedastral/kedastral/forecaster/series"
)

// NewBaseline makes the model of level, damped trend and seasons:
//
//	x(t+h) = s(t+h) + L + (l−L)·ρ^h + b·(φ+φ²+…+φ^h)
//
// on the metric or, where it is never negative, on its square root: there the
// noise of a count is even and a season half multiplies. The season s adds up
// minutes of the hour, quarters of the day and hours of the week. The level l
// is exponentially smoothed with innovations cut at four times their usual size
// (Gelper, Fried and Croux 2010), L is its average over days, b is a damped
// trend (Gardner and McKenzie 1985). The root, the smoothing, the return ρ,
// whether there is a trend and whether there is a season are chosen by how well
// each forecast the recent past.
func NewBaseline(o Options) *Calibrated {
	return Calibrate(func() Method { return &baseline{} }, o)
}

type baseline struct {
	root   bool // works on the square root
	season season
	filter filter
}

func (*baseline) Name() string { return "baseline" }

func (m *baseline) Fit(ctx context.Context, f features.Frame) error {
	best := math.Inf(1)
	for _, root := range []bool{true, false} {
		if root && lowest(f.Observed) < 0 {
			continue
		}
		tried := baseline{root: root}
		loss, err := tried.choose(ctx, f)
		if err != nil {
			return err
		}
		if loss < best || m.filter.gain == 0 {
			*m, best = tried, loss
		}
	}
	m.season = learnSeason(f, m.scaled(f.Observed))
	return nil
}

// choose follows the history with every filter and keeps the one that forecast
// the origins' futures best, all horizons weighing the same. It returns the
// error of that one.
func (m *baseline) choose(ctx context.Context, f features.Frame) (float64, error) {
	x, best := m.scaled(f.Observed), math.Inf(1)
	m.filter = defaultFilter(f.Step)
	m.filter.centre = median(x)
	first, origins := chooseOrigins(f)
	if len(origins) == 0 {
		return best, nil
	}
	m.season = learnSeason(f.Before(first), x[:first])
	steps := blocks(f.Horizon)[1:]
	for _, seasonal := range []bool{false, true} {
		if seasonal && len(m.season.levels) == 0 {
			break
		}
		s, z := make([]float64, f.Len()), slices.Clone(x)
		if seasonal {
			s = m.season.over(f, 0)
			for i := range z {
				z[i] -= s[i]
			}
		}
		usual, centre := usualInnovation(z), median(z)
		for _, c := range filters(f.Step) {
			if err := ctx.Err(); err != nil {
				return 0, err
			}
			c.seasonal, c.usual, c.centre = seasonal, usual, centre
			tried := c.returns(f.Step)
			for k, loss := range m.losses(tried, f.Observed, z, s, origins, steps) {
				if loss < best {
					m.filter, best = tried[k], loss
				}
			}
		}
	}
	return best, nil
}

// losses are the mean absolute errors over origins and horizons, in the
// metric's unit, of filters that differ in their return only.
func (m *baseline) losses(tried []filter, observed, z, s []float64, origins, steps []int) []float64 {
	st, losses := tried[0].start(), make([]float64, len(tried))
	i := max(0, origins[0]-tried[len(tried)-1].warmUp)
	for _, origin := range origins {
		for ; i < origin; i++ {
			tried[0].step(&st, z[i])
		}
		for _, h := range steps {
			at := origin + h - 1
			if at >= len(observed) || !series.Observed(observed[at]) {
				continue
			}
			for k, c := range tried {
				losses[k] += math.Abs(observed[at] - m.unscaled(c.ahead(st, float64(h))+s[at]))
			}
		}
	}
	return losses
}

// Roll follows the level once, past all origins.
func (m *baseline) Roll(ctx context.Context, f features.Frame, origins []int, paths [][]float64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	from := max(0, lastObserved(f.Observed[:origins[0]])-m.filter.warmUp)
	s := m.seasonOver(f, from)
	st, i := m.filter.start(), from
	for k, origin := range origins {
		for ; i < origin; i++ {
			m.filter.step(&st, m.scale(f.Observed[i])-s[i-from])
		}
		m.write(st, s[origin-from:], paths[k])
	}
	return nil
}

func (m *baseline) Path(f features.Frame, path []float64) error {
	f.Horizon = len(path)
	n := len(f.Observed)
	from := max(0, lastObserved(f.Observed)-m.filter.warmUp)
	s, st := m.seasonOver(f, from), m.filter.start()
	for i, v := range f.Observed[from:] {
		m.filter.step(&st, m.scale(v)-s[i])
	}
	m.write(st, s[n-from:], path)
	return nil
}

// write is the forecast from a state, given the seasons of its steps.
func (m *baseline) write(st state, s, path []float64) {
	for h := range path {
		path[h] = m.unscaled(m.filter.ahead(st, float64(h+1)) + s[h])
	}
}

// seasonOver is the season of every step from the given one to the end of the
// horizon, zero where the filter follows the level without one.
func (m *baseline) seasonOver(f features.Frame, from int) []float64 {
	if !m.filter.seasonal {
		return make([]float64, f.Len()-from)
	}
	return m.season.over(f, from)
}

func (m *baseline) scaled(values []float64) []float64 {
	x := make([]float64, len(values))
	for i, v := range values {
		x[i] = m.scale(v)
	}
	return x
}

// scale brings a value to the scale the model works on; a negative one that
// only came after the fit keeps its sign.
func (m *baseline) scale(v float64) float64 {
	switch {
	case !series.Observed(v):
		return math.NaN()
	case !m.root:
		return v
	}
	return math.Copysign(math.Sqrt(math.Abs(v)), v)
}

// unscaled undoes scale.
func (m *baseline) unscaled(x float64) float64 {
	if !m.root {
		return x
	}
	return x * math.Abs(x)
}
