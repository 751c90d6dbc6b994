package engine_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/kedastral/kedastral/forecaster/engine"
	"github.com/kedastral/kedastral/forecaster/features"
	"github.com/kedastral/kedastral/forecaster/models"
	"github.com/kedastral/kedastral/shared/forecast"
)

// A fit that panics leaves the one before in force for one more interval, and
// the workload says that it is failing; a process that starts then publishes
// the same, and neither anything later.
func TestFailedFitKeepsTheLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		spoilt := func() engine.Workload { // every fit that knows of more than the beginning fails
			return using(workload("shop/web"), &model{predict: repeat, train: func(_ context.Context, f features.Frame) error {
				if f.Origin().After(began) {
					panic("singular matrix")
				}
				return nil
			}})
		}
		old := begin(t, options(), spoilt())
		pass(6 * time.Minute) // a fit became due within the first five minutes
		if s := latest(t, old, "shop/web"); time.Since(s.GeneratedAt) > 2*time.Minute {
			t.Errorf("forecasting stopped at %v", s.GeneratedAt)
		}
		if st := statusOf(t, old, "shop/web"); st.State != engine.Failing || !strings.Contains(st.Reason, "singular matrix") {
			t.Errorf("status = %+v; want failing for the singular matrix", st)
		}
		young := begin(t, options(), spoilt())
		pass(time.Second)
		if one, other := bytesOf(t, latest(t, old, "shop/web")), bytesOf(t, latest(t, young, "shop/web")); one != other {
			t.Errorf("a process that starts while an older fit stands differs:\n%s\n%s", one, other)
		}
		pass(7 * time.Minute) // and another one within the next five
		for _, e := range []*engine.Engine{old, young} {
			if s := latest(t, e, "shop/web"); s.Mode != forecast.Reactive {
				t.Errorf("still forecast at %v from a fit of the beginning", s.GeneratedAt)
			}
		}
		late := begin(t, options(), spoilt())
		pass(time.Second)
		if one, other := bytesOf(t, latest(t, old, "shop/web")), bytesOf(t, latest(t, late, "shop/web")); one != other {
			t.Errorf("a process that starts while no fit stands differs:\n%s\n%s", one, other)
		}
	})
}

// leveller forecasts the load it was trained at, give or take ten.
type leveller struct {
	model

	level float64
}

func (m *leveller) Train(_ context.Context, f features.Frame) error {
	m.level = f.Observed[len(f.Observed)-1]
	return nil
}

func (m *leveller) Predict(_ context.Context, f features.Frame) (models.Forecast, error) {
	at := func(v float64) []float64 {
		values := make([]float64, f.Horizon)
		for i := range values {
			values[i] = v
		}
		return values
	}
	return models.Forecast{Values: at(m.level), Quantiles: []forecast.Quantile{
		{Level: 0.1, Values: at(m.level - 10)}, {Level: 0.9, Values: at(m.level + 10)},
	}}, nil
}

// A load that leaves its band is fitted to within two looks; until then, and
// while it keeps to the band, the hourly fit stands. Processes that start at
// any time agree.
func TestLooksFitAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		jump := time.Now().Add(20 * time.Minute)
		load := func(at time.Time) float64 {
			if at.Before(jump) {
				return 400 + float64(at.Minute()%5)
			}
			return 800 + float64(at.Minute()%5)
		}
		fresh := func() engine.Workload {
			w := workload("shop/web")
			w.Source, w.TrainInterval, w.CheckInterval = &source{load: load, step: time.Minute}, 3*time.Hour, 5*time.Minute
			w.NewModel = func() (models.Model, error) { return &leveller{}, nil }
			return w
		}
		reg := prometheus.NewRegistry()
		o := options()
		o.Metrics = engine.NewMetrics(reg)
		first := begin(t, o, fresh())
		for range 9 {
			pass(4*time.Minute + 13*time.Second)
			second := begin(t, options(), fresh())
			pass(time.Second)
			if one, other := bytesOf(t, latest(t, first, "shop/web")), bytesOf(t, latest(t, second, "shop/web")); one != other {
				t.Errorf("at %v two engines differ:\n%s\n%s", time.Now().UTC(), one, other)
			}
			if v := latest(t, first, "shop/web").Values[0]; time.Since(jump) < 0 && v > 500 || time.Since(jump) > 12*time.Minute && v < 700 {
				t.Errorf("at %v the forecast is %v", time.Now().UTC(), v)
			}
		}
		want := `
# HELP kedastral_forecaster_fits_total Fits of the model, by why: schedule, or residuals where the loads had left the band forecast for them.
# TYPE kedastral_forecaster_fits_total counter
kedastral_forecaster_fits_total{why="residuals",workload="shop/web"} 1
kedastral_forecaster_fits_total{why="schedule",workload="shop/web"} 1
`
		if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "kedastral_forecaster_fits_total"); err != nil {
			t.Error(err)
		}
	})
}

// A fit holds while at least half of what came lies in its band.
func TestWithin(t *testing.T) {
	q := func(level float64, v ...float64) forecast.Quantile { return forecast.Quantile{Level: level, Values: v} }
	both := []forecast.Quantile{q(0.1, 8, 7, 6, 5), q(0.5, 10, 10, 10, 10), q(0.95, 15, 16, 17, 18)}
	for name, tt := range map[string]struct {
		quantiles []forecast.Quantile
		came      []float64
		want      bool
	}{
		"all inside":                       {both, []float64{8, 16, 10, 5}, true},
		"half outside":                     {both, []float64{7.9, 16, 10, 18.1}, true},
		"most outside":                     {both, []float64{7, 17, 18, 10}, false},
		"gaps say nothing":                 {both, []float64{nan, nan, 18, nan}, false},
		"nothing came":                     {both, []float64{nan, nan, nan, nan}, true},
		"more came than was forecast":      {both, []float64{10, 10, 10, 10, 99, 99, 99, 99, 99}, true},
		"the lower side mirrors the upper": {[]forecast.Quantile{q(0.9, 12, 12, 12, 12)}, []float64{8, 8, 8, 8}, true},
		"and no more than that":            {[]forecast.Quantile{q(0.9, 12, 12, 12, 12)}, []float64{7.9, 7.9, 7.9, 7.9}, false},
		"the upper side mirrors the lower": {[]forecast.Quantile{q(0.1, 8, 8, 8, 8)}, []float64{12.1, 12.1, 12.1, 12.1}, false},
		"no quantiles":                     {nil, []float64{10, 10, 10, 10}, false},
	} {
		f := models.Forecast{Values: []float64{10, 10, 10, 10}, Quantiles: tt.quantiles}
		if got := engine.Within(f, tt.came); got != tt.want {
			t.Errorf("%s: Within(%v) = %t, want %t", name, tt.came, got, tt.want)
		}
	}
}

// substituted is a model that another one answers for while down.
type substituted struct {
	model

	down bool
}

func (m *substituted) Substitute() (string, error) {
	if m.down {
		return "auto", errors.New("connection refused")
	}
	return "", nil
}

// Whoever watches the metrics sees that the model asked for is not the one that
// answers.
func TestASubstituteIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg := prometheus.NewRegistry()
		o := options()
		o.Metrics = engine.NewMetrics(reg)
		well, down := workload("shop/well"), workload("shop/down")
		well.NewModel = func() (models.Model, error) { return &substituted{model: model{predict: repeat}}, nil }
		down.NewModel = func() (models.Model, error) { return &substituted{model: model{predict: repeat}, down: true}, nil }
		e := begin(t, o, well, down)
		pass(150 * time.Second)
		want := `
# HELP kedastral_forecaster_model_fallbacks_total Forecasts that another model made in the configured one's stead, as auto does for byom while its service fails and the last value for a model that cannot forecast.
# TYPE kedastral_forecaster_model_fallbacks_total counter
kedastral_forecaster_model_fallbacks_total{workload="shop/down"} 4
kedastral_forecaster_model_fallbacks_total{workload="shop/well"} 0
`
		if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "kedastral_forecaster_model_fallbacks_total"); err != nil {
			t.Error(err)
		}
		if got := latest(t, e, "shop/down").Model; got != "auto for fake" {
			t.Errorf("the snapshot's model is %q", got)
		}
	})
}
