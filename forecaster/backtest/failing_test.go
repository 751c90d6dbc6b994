package backtest_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/kedastral/kedastral/forecaster/features"
	"github.com/kedastral/kedastral/forecaster/models"
)

// failing is a model that knows the load and cannot forecast any more from an
// instant on.
type failing struct {
	foreseeing

	from time.Time
}

func (m failing) Predict(ctx context.Context, f features.Frame) (models.Forecast, error) {
	if !f.Origin().Before(m.from) {
		return models.Forecast{}, errors.New("singular matrix")
	}
	return m.foreseeing.Predict(ctx, f)
}

// From where the model fails, a replay scales by the load observed, as the
// engine does, and scores nothing but forecasts.
func TestAFailingModelIsReplayedAsItIsRun(t *testing.T) {
	past := history(4, daily)
	dawn := past.End().Add(-18 * time.Hour) // the load doubles from here to noon
	r := report(t, run(t, failing{foreseeing{daily, 10}, dawn}, past), -1)
	if r.Accuracy.Origins != 72 || r.Accuracy.Failed != 216 {
		t.Errorf("%d origins, %d failed; want 72 and 216", r.Accuracy.Origins, r.Accuracy.Failed)
	}
	if r.Accuracy.MASE != 0 {
		t.Errorf("an error of %v; want that of the forecasts alone, none", r.Accuracy.MASE)
	}
	ours, theirs := r.Policies[0], r.Policies[1]
	if ours.UnservedPercent > 1.5*theirs.UnservedPercent {
		t.Errorf("%v %% of the demand unserved, %v %% by a reactive HPA; want about as much", ours.UnservedPercent, theirs.UnservedPercent)
	}
}
