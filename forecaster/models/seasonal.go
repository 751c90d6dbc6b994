package models

import (
	"context"
	"time"

	"github.com/kedastral/kedastral/forecaster/features"
	"github.com/kedastral/kedastral/forecaster/series"
)

const (
	week     = 7 * day
	lookBack = 5 // seasons searched for one that was observed
)

// NewSeasonalNaive makes the model that repeats what was observed one season
// ago: a day, or a week where the history holds two and weeks resemble each
// other more than days do. Without a whole season it repeats the last value.
func NewSeasonalNaive(o Options) *Calibrated {
	return Calibrate(func() Method { return &seasonalNaive{} }, o)
}

type seasonalNaive struct {
	season time.Duration // 0 while the history holds none
}

func (*seasonalNaive) Name() string { return "seasonal-naive" }

func (m *seasonalNaive) Fit(_ context.Context, f features.Frame) error {
	m.season = 0
	daily, days := meanChange(f.Observed, int(day/f.Step))
	if days == 0 || day%f.Step != 0 {
		return nil
	}
	m.season = day
	weekly, weeks := meanChange(f.Observed, int(week/f.Step))
	if weeks*2 >= days && weekly < daily { // half the changes over a day: two weeks of history
		m.season = week
	}
	return nil
}

func (m *seasonalNaive) Path(f features.Frame, path []float64) error {
	clock, last := f.Clock(), f.Observed[lastObserved(f.Observed)]
	for h := range path {
		path[h] = m.at(f, clock, len(f.Observed), h, last)
	}
	return nil
}

// at is the newest observation before origin that is whole seasons of the wall
// clock before the step h after it; failing that, the last value. A day stands
// in for a week that was not observed.
func (m *seasonalNaive) at(f features.Frame, clock features.Clock, origin, h int, last float64) float64 {
	if m.season == 0 {
		return last
	}
	for _, season := range []time.Duration{m.season, day} {
		whole := h / int(season/f.Step) // seasons that lie in the horizon itself
		for k := whole + 1; k <= whole+1+lookBack; k++ {
			i := clock.Ago(origin+h, int64(k)*int64(season/time.Second))
			if i < 0 {
				break
			}
			if i < origin && series.Observed(f.Observed[i]) {
				return f.Observed[i]
			}
		}
	}
	return last
}
