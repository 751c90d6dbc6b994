package ets

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/kedastral/kedastral/forecaster/features"
	"github.com/kedastral/kedastral/forecaster/models"
	"github.com/kedastral/kedastral/forecaster/models/internal/clean"
	"github.com/kedastral/kedastral/forecaster/models/internal/seasonal"
)

const (
	window  = 3000 // newest steps the rates are estimated on, or two seasons where those are longer
	seasons = 28   // newest days the shape of the season is taken from
	short   = 60   // steps up to which the first level and slope are estimated too
	fewest  = 10   // observations; below that the last value is repeated

	// positive is how far above zero, in means, values must stay for a season
	// to multiply.
	positive = 0.05
)

// New makes the model that chooses among the exponential smoothing models by
// AICc.
func New(o models.Options) *models.Calibrated {
	return models.Calibrate(func() models.Method { return &method{name: "ets", choose: every} }, o)
}

// NewHoltWinters makes the additive method of Holt and Winters with a damped
// trend and a daily or weekly season; without two whole days of history, Holt's damped
// trend alone.
func NewHoltWinters(o models.Options) *models.Calibrated {
	return models.Calibrate(func() models.Method { return &method{name: "holt-winters", choose: holtWinters} }, o)
}

type method struct {
	name   string
	choose func(History) []Spec
	Track
}

func (m *method) Name() string { return m.name }

// History is a history laid out for estimation.
type History struct {
	All    []float64 // cleaned, NaN at gaps
	Values []float64 // the newest part of All, for the rates
	Start  time.Time
	Slots  seasonal.Slots // of Values; Count is 0 without a season
	Whole  seasonal.Slots // of All
	Free   int            // numbers the season's shape was estimated by
	Shapes map[Component][]float64
	// Certain: the season is significant. AICc could not tell, for it looks one
	// step ahead, where even a clear season gains little.
	Certain bool
	Seen    int
}

// Lay lays a history out: cleaned, the shapes of its season found over all of
// it, and the newest part to estimate the rates on.
func Lay(f features.Frame) History {
	clock := f.Clock()
	daily := seasonal.Daily(clock, f.Step)
	h := clean.Prepare(f.Observed[max(0, len(f.Observed)-seasons*max(daily.Width(), window/2)):])
	skipped := len(f.Observed) - len(h.Values)
	daily = daily.After(skipped)
	out := History{Seen: h.Seen, Shapes: map[Component][]float64{}}
	if daily.Count > 0 && len(h.Values) >= 2*daily.Width() {
		out.shape(h.Values, daily, seasonal.Weekly(clock, f.Step).After(skipped))
	}
	cut := max(0, len(h.Values)-max(window, 2*out.daily(daily)))
	for t, gap := range h.Gaps {
		if gap {
			h.Values[t] = math.NaN()
		}
	}
	out.Slots, out.Start = out.Whole.After(cut), f.Start.Add(time.Duration(skipped+cut)*f.Step)
	out.All, out.Values = h.Values, h.Values[cut:]
	return out
}

// shape finds the season: the week where its days differ for certain, else the
// day.
func (h *History) shape(y []float64, daily, weekly seasonal.Slots) {
	h.Whole, h.Free = daily, daily.Count
	h.Shapes[Additive] = daily.Shape(y, false, seasonal.Median)
	if floor(y) {
		h.Shapes[Multiplicative] = daily.Shape(y, true, seasonal.Median)
	}
	h.Certain = seasonal.Certain(daily.Averaged(y), daily.Count)
	week := seasonal.WeekShape(y, daily, weekly, h.Shapes[Additive], false)
	if week == nil {
		return
	}
	if ratio := h.Shapes[Multiplicative]; ratio != nil {
		if h.Shapes[Multiplicative] = seasonal.WeekShape(y, daily, weekly, ratio, true); h.Shapes[Multiplicative] == nil {
			delete(h.Shapes, Multiplicative)
		}
	}
	h.Shapes[Additive], h.Whole, h.Certain = week, weekly, true
	h.Free += 7 * min(24, daily.Count)
}

// daily is the width of a day in steps, 0 where there is no season.
func (h *History) daily(day seasonal.Slots) int {
	if h.Whole.Count == 0 {
		return 0
	}
	return day.Width()
}

// floor reports whether all values stay well above zero.
func floor(y []float64) bool {
	least, mean := math.Inf(1), 0.0
	for _, v := range y {
		least = min(least, v)
		mean += v / float64(len(y))
	}
	return least > positive*mean && least > 0
}

func (m *method) Fit(ctx context.Context, frame features.Frame) error {
	h := Lay(frame)
	best := h.Still()
	if h.Seen >= fewest {
		found := false
		for _, s := range m.choose(h) {
			if err := ctx.Err(); err != nil {
				return fmt.Errorf("estimating ETS %v: %w", s, err)
			}
			fitted, err := h.Fit(s)
			if err == nil && (!found || fitted.AICc < best.AICc) {
				best, found = fitted, true
			}
		}
	}
	m.Track = NewTrack(best, h.Start, frame.Step)
	return nil
}

// Fit estimates one model of the history.
func (h History) Fit(s Spec) (Model, error) {
	shape := h.Shapes[s.Season]
	slots := h.Slots
	if shape == nil {
		s.Season, slots = None, seasonal.Slots{}
	}
	start := From(h.Values, slots, s.Season, shape)
	if shape == nil && len(h.Values) <= short {
		return Fit(h.Values, s, start, slots)
	}
	m, err := FitRates(h.Values, s, start, slots)
	if err == nil && shape != nil {
		// All of the history made the shape, the newest part answers for its share.
		share := float64(len(h.Values)) / float64(len(h.All))
		m.AICc = aicc(m.LogLik, s.free(int(share*float64(h.Free))), h.Seen)
	}
	return m, err
}

// Still is the model that repeats the last value.
func (h History) Still() Model {
	m := Model{Spec: Spec{Error: Additive, Trend: None, Season: None}, Parameters: Parameters{Alpha: 1, Phi: 1}}
	m.Start.Level = joined(h.Values)[0]
	return m
}

func holtWinters(History) []Spec {
	return []Spec{{Error: Additive, Trend: Additive, Season: Additive, Damped: true}}
}

// every lists the models worth comparing on a history: with a certain season
// the seasonal ones, without a season the others.
func every(h History) []Spec {
	plain := []Spec{
		{Error: Additive, Trend: None, Season: None}, {Error: Additive, Trend: Additive, Season: None, Damped: true},
	}
	if !h.Certain {
		return plain
	}
	out := []Spec{
		{Error: Additive, Trend: None, Season: Additive}, {Error: Additive, Trend: Additive, Season: Additive, Damped: true},
	}
	if h.Shapes[Multiplicative] != nil {
		out = append(out, Spec{Error: Multiplicative, Trend: None, Season: Multiplicative},
			Spec{Error: Multiplicative, Trend: Additive, Season: Multiplicative, Damped: true})
	}
	return out
}
