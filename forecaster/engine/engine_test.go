package engine_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/kedastral/kedastral/forecaster/engine"
	"github.com/kedastral/kedastral/forecaster/features"
	"github.com/kedastral/kedastral/forecaster/models"
	"github.com/kedastral/kedastral/forecaster/series"
	"github.com/kedastral/kedastral/shared/forecast"
)

// A process that starts reads the whole window and has a forecast before it
// says that it is ready.
func TestWarmStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := workload("shop/web")
		var history int
		w = using(w, &model{predict: repeat, train: func(_ context.Context, f features.Frame) error {
			history = len(f.Observed)
			return nil
		}})
		w.Source.(*source).wait = 3 * time.Second
		e := begin(t, options(), w)
		synctest.Wait()
		if err := e.Ready(); err == nil {
			t.Error("Ready() = nil while the first read is under way")
		}
		if _, err := e.Latest(t.Context(), "shop/web"); !errors.Is(err, forecast.ErrNotReady) {
			t.Errorf("Latest before the warm start = %v; want %v", err, forecast.ErrNotReady)
		}
		pass(3 * time.Second)
		if err := e.Ready(); err != nil {
			t.Errorf("Ready() after the first tick = %v", err)
		}
		s := latest(t, e, "shop/web")
		if history != 60 || s.DesiredReplicas[0] != 4 || s.Mode != forecast.Predictive {
			t.Errorf("warm start fitted on %d steps and published %v, %s; want 60 steps, 4 replicas, predictive", history, s.DesiredReplicas, s.Mode)
		}
	})
}

// Without any forecast to serve, a process is not ready, so that a rollout
// does not take the one before it away.
func TestNotReadyWhenNothingCouldBeForecast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := workload("shop/web")
		w.Source.(*source).fail(errors.New("connection refused"))
		e := begin(t, options(), w)
		pass(time.Second)
		if err := e.Ready(); err == nil || !strings.Contains(err.Error(), "no workload could be forecast") {
			t.Errorf("Ready() = %v; want it to say that nothing could be forecast", err)
		}
		w.Source.(*source).fail(nil)
		pass(2 * time.Minute)
		if err := e.Ready(); err != nil {
			t.Errorf("Ready() once the source is back = %v", err)
		}
	})
}

// Ticks speak for aligned instants and come once an interval.
func TestTicksAreAligned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(17*time.Second + 3*time.Millisecond)
		e := begin(t, options(), workload("shop/web"))
		began := time.Now().UTC().Truncate(time.Minute)
		pass(time.Minute)
		for i := range 5 {
			s := latest(t, e, "shop/web")
			if want := began.Add(time.Duration(i+1) * time.Minute); !s.GeneratedAt.Equal(want) {
				t.Errorf("%v: GeneratedAt = %v; want %v", time.Now().UTC(), s.GeneratedAt, want)
			}
			pass(time.Minute)
		}
		if st := statusOf(t, e, "shop/web"); st.Skipped != 0 || st.State != engine.Forecasting {
			t.Errorf("status = %+v; want forecasting without a skipped tick", st)
		}
	})
}

// A forecast is as late as its data takes to be complete. However long that is,
// a scaler that asks four times a minute never finds one overdue while every
// tick publishes.
func TestSettlingIsNotLateness(t *testing.T) {
	for _, settle := range []time.Duration{0, 15 * time.Second, time.Minute, 3 * time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			o := options()
			o.Settle = settle
			w := workload("shop/web")
			w.Source.(*source).now = func() time.Time { return time.Now().Add(-settle) } // what is not settled is not told
			e := begin(t, o, w)
			pass(settle + 2*time.Minute)
			for range 240 {
				s := latest(t, e, "shop/web")
				if fetched := time.Now().Add(16 * time.Second); s.Overdue(fetched) {
					t.Fatalf("settling in %v: %v old, and overdue", settle, s.Age(fetched))
				}
				pass(time.Second)
			}
			w.Source.(*source).fail(errors.New("connection refused"))
			pass(o.MaxDataAge + 2*time.Minute)
			if s, ok, err := o.Store.GetLatest(t.Context(), "shop/web"); !ok || err != nil || !s.Overdue(time.Now()) {
				t.Errorf("settling in %v: two minutes after the last, %v old, it is not overdue (%v)", settle, s.Age(time.Now()), err)
			}
		})
	}
}

// Two processes, one of them running for long and one just started, publish
// the same bytes: what a snapshot says is a function of history alone.
func TestTwoEnginesPublishTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wave := func(at time.Time) float64 { return 300 + 2*float64(at.Minute()) + float64(at.Unix()/60%7) }
		real := func() engine.Workload {
			w := workload("shop/web")
			w.Source = &source{load: wave, step: time.Minute}
			w.Window, w.Rules.NowcastLift = 6*time.Hour, true
			w.NewModel = func() (models.Model, error) {
				return models.NewNaive(models.Options{Levels: []float64{0.5, 0.9}}), nil
			}
			return w
		}
		first := begin(t, options(), real())
		for range 4 {
			time.Sleep(4*time.Minute + 13*time.Second)
			second := begin(t, options(), real())
			pass(time.Second)
			a, b := latest(t, first, "shop/web"), latest(t, second, "shop/web")
			if one, other := bytesOf(t, a), bytesOf(t, b); one != other {
				t.Errorf("at %v two engines differ:\n%s\n%s", time.Now().UTC(), one, other)
			}
		}
	})
}

// Work longer than the interval skips ticks and counts them; none is made up
// for later.
func TestOverrunIsSkipped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var predicted []time.Time
		w := using(workload("shop/web"), &model{predict: func(f features.Frame) []float64 {
			predicted = append(predicted, f.Origin())
			time.Sleep(150 * time.Second) // two and a half intervals
			return repeat(f)
		}})
		begun := time.Now().Truncate(time.Minute)
		o, reg := options(), prometheus.NewRegistry()
		o.Metrics = engine.NewMetrics(reg)
		e := begin(t, o, w)
		pass(10 * time.Minute)
		skipped := 0
		for i := 1; i < len(predicted); i++ {
			gap := predicted[i].Sub(predicted[i-1])
			if i > 1 && gap != 3*time.Minute {
				t.Errorf("since %v there were forecasts from %v; want one every three minutes", begun, predicted)
			}
			skipped += int(gap/time.Minute) - 1
		}
		if st := statusOf(t, e, "shop/web"); len(predicted) != 4 || st.Skipped != skipped {
			t.Errorf("%d forecasts, %d ticks skipped; want 4, %d", len(predicted), st.Skipped, skipped)
		}
		want := fmt.Sprintf(`
# HELP kedastral_forecaster_ticks_skipped_total Ticks that were not run because the one before them was still running or waiting.
# TYPE kedastral_forecaster_ticks_skipped_total counter
kedastral_forecaster_ticks_skipped_total{workload="shop/web"} %d
`, skipped)
		if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "kedastral_forecaster_ticks_skipped_total"); err != nil {
			t.Error(err)
		}
	})
}

// However many workloads are due, no more than Concurrency read at once.
func TestConcurrencyIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var now, most atomic.Int32
		var all []engine.Workload
		for i := range 20 {
			w := workload(fmt.Sprintf("shop/web-%d", i))
			inner := w.Source
			w.Source = sourceFunc(func(ctx context.Context, window int) (series.DataFrame, error) {
				most.Store(max(most.Load(), now.Add(1)))
				time.Sleep(time.Second)
				now.Add(-1)
				return inner.Collect(ctx, window)
			})
			all = append(all, w)
		}
		o := options()
		o.Concurrency = 3
		time.Sleep(30 * time.Second) // no tick falls due while the queue of the warm start lasts
		e := begin(t, o, all...)
		pass(3 * time.Minute)
		if most.Load() != 3 {
			t.Errorf("%d ticks ran at once; want 3", most.Load())
		}
		for _, st := range e.Workloads() {
			if st.State != engine.Forecasting || st.Skipped != 0 {
				t.Errorf("status = %+v; want all to be forecasting", st)
			}
		}
	})
}

func TestLatestRefusesNames(t *testing.T) {
	e, err := engine.New([]engine.Workload{workload("shop/web")}, options())
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]error{
		"shop/other": forecast.ErrNotFound,
		"":           forecast.ErrMalformed,
		"shop":       forecast.ErrMalformed,
		"shop/../x":  forecast.ErrMalformed,
		"shop/web\n": forecast.ErrMalformed,
	} {
		if _, err := e.Latest(t.Context(), name); !errors.Is(err, want) {
			t.Errorf("Latest(%q) = %v; want %v", name, err, want)
		}
		if _, err := e.Explain(name, 0); !errors.Is(err, want) {
			t.Errorf("Explain(%q) = %v; want %v", name, err, want)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	twice := []engine.Workload{workload("shop/web"), workload("shop/web")}
	uneven := workload("shop/web")
	uneven.Horizon = 90 * time.Second
	noPods := workload("shop/web")
	noPods.Rules.TargetPerPod = 0
	idle := options()
	idle.Concurrency = 0
	for name, tt := range map[string]struct {
		workloads []engine.Workload
		options   engine.Options
	}{
		"a name twice":         {twice, options()},
		"a horizon off grid":   {[]engine.Workload{uneven}, options()},
		"no target per pod":    {[]engine.Workload{noPods}, options()},
		"no room for one tick": {nil, idle},
	} {
		if _, err := engine.New(tt.workloads, tt.options); err == nil {
			t.Errorf("New accepted %s", name)
		}
	}
}
