package theta_test

import (
	_ "embed"
	"math"
	"testing"

	"github.com/kedastral/kedastral/forecaster/models/internal/reference"
	"github.com/kedastral/kedastral/forecaster/models/internal/seasonal"
	"github.com/kedastral/kedastral/forecaster/models/theta"
)

//go:embed testdata/reference.csv
var fixture string

func TestThetaAgreesWithR(t *testing.T) {
	const (
		// R's simplex stops early on the likelihood's flat top, so rates differ
		// in the third digit and forecasts by a small share of what they may err.
		forecastTol = 0.05 // in units of sigma
		driftTol    = 1e-6 // relative
		errorTol    = 1e-3 // relative
	)
	ref := reference.Read(t, fixture)
	for _, name := range ref.Cases("") {
		y, season := ref.Values(t, name, "y"), int(ref.Value(t, name, "season"))
		slots := seasonal.Slots{}
		if season > 1 {
			slots = seasonal.Slots{Count: season, Hold: 1}
		}
		fit, err := theta.New(y, slots)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		sigma := ref.Value(t, name, "sigma")
		t.Logf("%s: alpha %.4f R %.4f, drift %.5g R %.5g, sigma %.5g R %.5g", name, fit.Smoothing.Alpha,
			ref.Value(t, name, "alpha"), fit.Drift, ref.Value(t, name, "drift"), math.Sqrt(fit.Smoothing.Sigma2), sigma)
		if want := ref.Value(t, name, "drift"); math.Abs(fit.Drift/want-1) > driftTol {
			t.Errorf("%s: drift = %v, R has %v", name, fit.Drift, want)
		}
		pred, upper := ref.Values(t, name, "pred"), ref.Values(t, name, "upper95")
		for i, got := range fit.Forecast(y, len(pred)) {
			if math.Abs(got-pred[i]) > forecastTol*sigma {
				t.Errorf("%s: forecast %d = %v, R has %v", name, i+1, got, pred[i])
			}
		}
		for i, got := range fit.StandardErrors(len(pred)) {
			if want := (upper[i] - pred[i]) / 1.959963984540054; season == 1 && math.Abs(got/want-1) > errorTol {
				t.Errorf("%s: standard error %d = %v, R has %v", name, i+1, got, want)
			}
		}
		if season > 1 {
			figure := ref.Values(t, name, "figure")
			for i, got := range slots.Shape(y, true, seasonal.Mean) {
				if math.Abs(got-figure[i]) > 1e-9 {
					t.Errorf("%s: season's slot %d = %v, R has %v", name, i, got, figure[i])
				}
			}
		}
	}
}
