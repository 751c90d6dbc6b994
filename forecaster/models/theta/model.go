package theta

import (
	"context"

	"github.com/kedastral/kedastral/forecaster/features"
	"github.com/kedastral/kedastral/forecaster/models"
	"github.com/kedastral/kedastral/forecaster/models/ets"
)

// fewest is how many observations a straight line is drawn through at least;
// below that the last value is repeated.
const fewest = 10

// NewModel makes the theta method with a daily or weekly season: of medians, so that a
// spike is no season, multiplying where values stay well above zero and
// adding elsewhere.
func NewModel(o models.Options) *models.Calibrated {
	return models.Calibrate(func() models.Method { return &method{} }, o)
}

type method struct{ ets.Track }

func (*method) Name() string { return "theta" }

func (m *method) Fit(_ context.Context, frame features.Frame) error {
	h := ets.Lay(frame)
	m.Track = ets.NewTrack(h.Still(), h.Start, frame.Step)
	if h.Seen < fewest {
		return nil
	}
	fit, err := fitHistory(h)
	if err != nil {
		return nil //nolint:nilerr // a history that cannot be smoothed repeats its last value
	}
	m.Track = ets.NewTrack(fit.Smoothing, h.Start, frame.Step)
	m.Lift, m.Slope = fit.lift(), fit.Drift
	return nil
}

// fitHistory takes the season out where it is significant.
func fitHistory(h ets.History) (Fit, error) {
	kind, shape := ets.Additive, h.Shapes[ets.Additive]
	if ratio := h.Shapes[ets.Multiplicative]; ratio != nil {
		kind, shape = ets.Multiplicative, ratio
	}
	if !h.Certain {
		shape = nil
	}
	return smooth(h, kind, shape)
}
