package arima

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/kedastral/kedastral/forecaster/features"
	"github.com/kedastral/kedastral/forecaster/models"
	"github.com/kedastral/kedastral/forecaster/models/internal/clean"
	"github.com/kedastral/kedastral/forecaster/models/internal/seasonal"
	"github.com/kedastral/kedastral/forecaster/series"
)

const (
	day = 24 * time.Hour

	window  = 1000 // newest steps an order without season is estimated on
	seasons = 14   // newest days a seasonal one is; twice as many where the week is the season
	fewest  = 12   // observations; below that the last value is repeated
)

// New makes the model without season, of the order given or the one that suits
// the history.
func New(o models.Options) (*models.Calibrated, error) {
	return calibrate(method{name: "arima", window: window}, o)
}

// NewSeasonal makes the model whose season is the local day, or the week where
// that accounts for clearly more of the load. Without two whole days of history it is the one without season, unless an order was given.
func NewSeasonal(o models.Options) (*models.Calibrated, error) {
	return calibrate(method{name: "sarima", daily: true}, o)
}

func calibrate(m method, o models.Options) (*models.Calibrated, error) {
	if o.Order != "" {
		order, err := Parse(o.Order)
		if err != nil {
			return nil, err
		}
		if order.Seasonal() && !m.daily {
			return nil, fmt.Errorf("order %q of %s: must have no seasonal part: %w", o.Order, m.name, ErrOrder)
		}
		m.order = &order
	}
	return models.Calibrate(func() models.Method { fresh := m; return &fresh }, o), nil
}

// method is an ARIMA process as a [models.Method].
type method struct {
	name   string
	window int    // steps; 0 is as many seasons as there may be
	daily  bool   // the season is the day, or the week
	order  *Order // nil is to be searched for

	recursion recursion
	shortcut  *shortcut // nil where a season must be seen again and again
	memory    int       // newest steps that matter; 0 is all
}

func (m *method) Name() string { return m.name }

func (m *method) Fit(_ context.Context, history features.Frame) error {
	season, width, observed := 1, m.window, history.Observed
	if m.daily {
		if day%history.Step == 0 {
			season = int(day / history.Step)
		}
		width = seasons * max(season, window/seasons)
		if w := onWall(history); w != nil {
			observed = w.lay(observed)
		}
		if season > 1 && weekly(observed[max(0, len(observed)-2*width):], season) {
			season, width = 7*season, 2*width
		}
	}
	h := clean.Prepare(observed[max(0, len(observed)-width):])
	fit, err := m.fit(h, season)
	if err != nil {
		return err
	}
	m.adopt(fit, h.Values, history.Horizon)
	return nil
}

// weekly reports whether the week is the season rather than the day: there are
// three of them, and they account for clearly more of the load.
func weekly(observed []float64, perDay int) bool {
	if len(observed) < 3*7*perDay {
		return false
	}
	y := clean.Prepare(observed).Values
	week := seasonal.Strength(y, 7*perDay)
	return week > strong && week > seasonal.Strength(y, perDay)+clearly
}

// clearly is how much more of the variance a season must account for to be
// preferred to a shorter one.
const clearly = 0.1

// fit estimates the given order or finds one; of too few values it makes the
// random walk, which repeats the last one.
func (m *method) fit(h clean.History, season int) (Fit, error) {
	if m.order != nil {
		o := *m.order
		if m.daily {
			o.Season = season
		}
		return Conditional(h.Values, h.Gaps, o)
	}
	randomWalk := Fit{Order: Order{D: 1}}
	if h.Seen < fewest {
		return randomWalk, nil
	}
	fit, err := Search(h.Values, h.Gaps, season)
	if errors.Is(err, models.ErrTooShort) && season > 1 { // gaps may leave a season nothing to learn from
		fit, err = Search(h.Values, h.Gaps, 1)
	}
	if errors.Is(err, models.ErrTooShort) {
		return randomWalk, nil
	}
	return fit, err
}

func (m *method) adopt(fit Fit, y []float64, horizon int) {
	m.recursion = fit.recursion()
	if fit.Order.Seasonal() {
		low, high := clean.Bounds(y)
		m.recursion.trust = trust{
			from: max(1, fit.Order.Season/2), low: low, high: high, shock: clean.Reach * math.Sqrt(fit.Sigma2),
		}
		return
	}
	m.memory = m.recursion.reach() + len(m.recursion.response())
	m.shortcut = m.recursion.shortcut(horizon)
}

// Path forecasts from the newest observations: as many as it takes until the
// shocks before them are forgotten, all of them where a season must be seen
// again and again to be known.
func (m *method) Path(frame features.Frame, path []float64) error {
	if m.shortcut != nil && m.shortcut.path(frame.Observed, path) {
		return nil
	}
	if m.memory == 0 {
		if w := onWall(frame); w != nil {
			w.path(frame.Observed, path, m.filtered)
			return nil
		}
	}
	m.filtered(frame.Observed, path)
	return nil
}

// filtered is the path by filtering the history, gaps and all.
func (m *method) filtered(observed, path []float64) {
	var buffer [2 * 160]float64 // what most need; clearing it costs, too
	s := m.state(observed, len(path), buffer[:])
	s.filter(&m.recursion)
	s.forecast(&m.recursion, s.n, path)
}

// Roll filters the history once for all origins where a path needs all of it.
func (m *method) Roll(ctx context.Context, frame features.Frame, origins []int, paths [][]float64) error {
	var s state
	var kept []float64
	eachAlone := m.memory > 0 || onWall(frame) != nil // a wall clock shows each origin another end
	for i, origin := range origins {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("rolling %s: %w", m.name, err)
		}
		horizon := len(paths[i])
		switch {
		case eachAlone:
			if err := m.Path(frame.Before(origin), paths[i]); err != nil {
				return err
			}
			continue
		case i == 0:
			s = m.state(frame.Observed[:origins[len(origins)-1]], horizon, nil)
			s.filter(&m.recursion)
			kept = make([]float64, 2*horizon)
		}
		copy(kept[:horizon], s.levels[origin:])
		copy(kept[horizon:], s.shocks[origin:])
		s.forecast(&m.recursion, origin, paths[i])
		copy(s.levels[origin:], kept[:horizon])
		copy(s.shocks[origin:], kept[horizon:])
	}
	return nil
}

// state is the end of a history, filtered: levels and shocks, with room for
// the horizon behind them.
type state struct {
	levels, shocks []float64
	n              int
}

// state lays out the part of a history that a forecast needs, with the last
// observation's memory before it, into the buffer if that is large enough.
func (m *method) state(observed []float64, horizon int, buffer []float64) state {
	if m.memory > 0 {
		last := len(observed) - 1
		for last > 0 && !series.Observed(observed[last]) {
			last--
		}
		observed = observed[max(0, last+1-m.memory):]
	}
	n, all := len(observed), len(observed)+horizon
	if 2*all > len(buffer) {
		buffer = make([]float64, 2*all)
	}
	s := state{levels: buffer[:all:all], shocks: buffer[all : 2*all], n: n}
	copy(s.levels, observed)
	return s
}

// filter puts shocks behind levels. At a gap the level is its expectation and
// the shock 0; before there is an expectation it is the observation before it,
// or the first one.
func (s state) filter(r *recursion) {
	warm := min(r.reach(), s.n)
	backfill(s.levels[:s.n], warm)
	for t := warm; t < s.n; t++ {
		expected := r.expect(s.levels, s.shocks, t)
		if series.Observed(s.levels[t]) {
			s.shocks[t] = s.levels[t] - expected
		} else {
			s.levels[t] = expected
		}
	}
}

// forecast continues from origin into path, over what lies behind it. A
// history shorter than the longest lag has no expectation; its last value is
// repeated.
func (s state) forecast(r *recursion, origin int, path []float64) {
	short := origin < r.reach()
	for h := range path {
		t := origin + h
		if short {
			s.levels[t] = s.levels[t-1]
		} else {
			s.levels[t] = r.expect(s.levels, s.shocks, t)
		}
		s.shocks[t] = 0
		path[h] = s.levels[t]
	}
}

// backfill gives the gaps among the first n levels the observation before
// them, or the first one after.
func backfill(levels []float64, n int) {
	value := 0.0
	for _, v := range levels {
		if series.Observed(v) {
			value = v
			break
		}
	}
	for t := range n {
		if series.Observed(levels[t]) {
			value = levels[t]
		}
		levels[t] = value
	}
}
