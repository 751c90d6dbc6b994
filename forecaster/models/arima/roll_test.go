package arima_test

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/kedastral/kedastral/forecaster/models/arima"
)

// One pass for many origins forecasts what one pass for each does, gaps and
// origins before there is a season included.
func TestRollIsPathFromEveryOrigin(t *testing.T) {
	f := frame(wave(5*1440), 20)
	for i := 2000; i < 2100; i++ {
		f.Observed[i] = math.NaN()
	}
	f.Observed[0], f.Observed[3000] = math.NaN(), 1e6
	for name, m := range map[string]arima.Rolling{"arima": arima.NewMethod(false), "sarima": arima.NewMethod(true)} {
		if err := m.Fit(t.Context(), f); err != nil {
			t.Fatal(err)
		}
		origins := []int{5, 1000, 1441, 2050, 2101, 3001, 4441, 7200}
		rolled := make([][]float64, len(origins))
		for i := range rolled {
			rolled[i] = make([]float64, f.Horizon)
		}
		if err := m.Roll(t.Context(), f, origins, rolled); err != nil {
			t.Fatal(err)
		}
		for i, origin := range origins {
			want := make([]float64, f.Horizon)
			if err := m.Path(f.Before(origin), want); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, rolled[i], cmpopts.EquateApprox(1e-9, 0)); diff != "" {
				t.Errorf("%s from origin %d (-path +roll):\n%s", name, origin, diff)
			}
		}
	}
}

// A forecast undoes the differencing: a straight line goes on as one, and a
// season repeats.
func TestForecastUndoesDifferencing(t *testing.T) {
	line, season := make([]float64, 60), make([]float64, 60)
	for i := range line {
		line[i] = 5 + 2*float64(i) + 0.01*math.Sin(float64(i*i))
		season[i] = float64(i%12)*3 + 0.01*math.Sin(float64(i*i))
	}
	for _, tt := range []struct {
		y     []float64
		order arima.Order
		want  func(h int) float64
	}{
		{line, arima.Order{D: 1, Mean: true}, func(h int) float64 { return 5 + 2*float64(60+h) }},
		{line, arima.Order{D: 2, Q: 1}, func(h int) float64 { return 5 + 2*float64(60+h) }},
		{season, arima.Order{SD: 1, Season: 12}, func(h int) float64 { return float64(h%12) * 3 }},
		{season, arima.Order{SD: 1, SQ: 1, Season: 12, P: 1}, func(h int) float64 { return float64(h%12) * 3 }},
	} {
		fit, err := arima.Conditional(tt.y, nil, tt.order)
		if err != nil {
			t.Errorf("%v: %v", tt.order, err)
			continue
		}
		for h, got := range fit.Forecast(tt.y, 24) {
			if math.Abs(got-tt.want(h)) > 0.3 {
				t.Errorf("ARIMA%v, step %d = %v, want %v", tt.order, h+1, got, tt.want(h))
			}
		}
	}
}
