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

// A model that panics, or says what no load can be, fails its own workload,
// says why, and leaves its neighbour alone.
func TestBrokenModelTouchesNoOther(t *testing.T) {
	for name, tt := range map[string]struct {
		predict func(features.Frame) []float64
		reason  string
	}{
		"panic":    {func(features.Frame) []float64 { panic("index out of range") }, "panic"},
		"NaN":      {func(f features.Frame) []float64 { v := repeat(f); v[3] = nan; return v }, "NaN at step 3"},
		"infinite": {func(f features.Frame) []float64 { v := repeat(f); v[0] = inf; return v }, "+Inf at step 0"},
		"short":    {func(f features.Frame) []float64 { return repeat(f)[1:] }, "9 values, want 10"},
		"nothing":  {func(features.Frame) []float64 { return nil }, "0 values, want 10"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := begin(t, options(), using(workload("shop/broken"), &model{predict: tt.predict}), workload("shop/web"))
				pass(3 * time.Minute)
				if s := latest(t, e, "shop/web"); time.Since(s.GeneratedAt) > 2*time.Minute {
					t.Errorf("the neighbour's forecast is from %v", s.GeneratedAt)
				}
				_, err := e.Latest(t.Context(), "shop/broken")
				if !errors.Is(err, forecast.ErrNotReady) || !strings.Contains(err.Error(), tt.reason) {
					t.Errorf("Latest = %v; want %v with %q", err, forecast.ErrNotReady, tt.reason)
				}
				if st := statusOf(t, e, "shop/broken"); st.State != engine.Silent || !strings.Contains(st.Reason, tt.reason) || st.Next == "" {
					t.Errorf("status = %+v; want silent, with %q and what to do", st, tt.reason)
				}
			})
		})
	}
}

// A fit that panics later leaves the fit before it in force, and the workload
// says that it is failing.
func TestFailedFitKeepsTheLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var fits atomic.Int32
		w := workload("shop/web")
		w.NewModel = func() (models.Model, error) {
			return &model{predict: repeat, train: func(context.Context, features.Frame) error {
				if fits.Add(1) > 1 {
					panic("singular matrix")
				}
				return nil
			}}, nil
		}
		e := begin(t, options(), w)
		pass(12 * time.Minute)
		if s := latest(t, e, "shop/web"); time.Since(s.GeneratedAt) > 2*time.Minute {
			t.Errorf("forecasting stopped at %v", s.GeneratedAt)
		}
		if st := statusOf(t, e, "shop/web"); st.State != engine.Failing || !strings.Contains(st.Reason, "singular matrix") {
			t.Errorf("status = %+v; want failing for the singular matrix", st)
		}
	})
}

// A value beyond all measure is bounded before anyone acts on it.
func TestRunawayForecastIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := using(workload("shop/web"), &model{predict: func(f features.Frame) []float64 {
			v := repeat(f)
			v[1], v[2] = 1e12, -1e12
			return v
		}})
		w.Rules.UpMaxFactorPerStep = 2
		e := begin(t, options(), w)
		pass(time.Second)
		s := latest(t, e, "shop/web")
		if s.DesiredReplicas[1] != 8 || s.DesiredReplicas[2] != 4 || s.Values[2] != 0 {
			t.Errorf("plan %v from %v; want 8 (twice the 4 before), then the 4 observed, and no negative load", s.DesiredReplicas, s.Values)
		}
	})
}

// Without skill the plan is what a reactive trigger would do.
func TestNoSkillIsReactive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		grow := func(f features.Frame) []float64 {
			v := repeat(f)
			for i := range v {
				v[i] *= 3
			}
			return v
		}
		e := begin(t, options(), using(workload("shop/web"), &model{predict: grow, noSkill: true}))
		pass(time.Second)
		s := latest(t, e, "shop/web")
		if s.Mode != forecast.Reactive || s.Reason == "" || s.DesiredReplicas[9] != 4 || s.ForecastPlan[9] != 12 {
			t.Errorf("published %s %q %v beside %v; want reactive, 4 beside 12", s.Mode, s.Reason, s.DesiredReplicas, s.ForecastPlan)
		}
	})
}

// A source that fails leaves history and model: forecasts go on until the
// data is too old, then stop with the reason, and resume by themselves.
func TestSourceOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := workload("shop/web")
		e := begin(t, options(), w)
		pass(2 * time.Minute)
		w.Source.(*source).fail(errors.New("connection refused"))
		pass(5 * time.Minute)
		s := latest(t, e, "shop/web")
		if age := time.Since(s.GeneratedAt); age > 2*time.Minute || s.DesiredReplicas[0] != 4 {
			t.Errorf("five minutes into the outage: %v old, %v; want a new forecast of 4", age, s.DesiredReplicas)
		}
		if st := statusOf(t, e, "shop/web"); st.State != engine.Failing || !strings.Contains(st.Reason, "connection refused") {
			t.Errorf("status = %+v; want failing, connection refused", st)
		}
		pass(7 * time.Minute)
		_, err := e.Latest(t.Context(), "shop/web")
		if !errors.Is(err, forecast.ErrNotReady) || !strings.Contains(err.Error(), "MAX_DATA_AGE=10m0s") {
			t.Errorf("Latest after MAX_DATA_AGE = %v; want %v naming the rule", err, forecast.ErrNotReady)
		}
		if st := statusOf(t, e, "shop/web"); st.State != engine.Silent {
			t.Errorf("status = %+v; want silent", st)
		}
		w.Source.(*source).fail(nil)
		pass(2 * time.Minute)
		if s := latest(t, e, "shop/web"); time.Since(s.GeneratedAt) > 2*time.Minute {
			t.Errorf("after the outage the forecast is from %v", s.GeneratedAt)
		}
	})
}

// A generator that is stuck cannot look alive: what it published ages, and is
// withdrawn like any other whose data is too old.
func TestStuckTickAges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stuck := make(chan struct{})
		var ticks atomic.Int32
		w := using(workload("shop/web"), &model{predict: func(f features.Frame) []float64 {
			if ticks.Add(1) > 2 {
				<-stuck
			}
			return repeat(f)
		}})
		e := begin(t, options(), w)
		pass(6 * time.Minute)
		s := latest(t, e, "shop/web")
		if age := s.Age(time.Now()); age < 4*time.Minute {
			t.Errorf("the age of a stuck forecast is %v; want it to grow", age)
		}
		pass(10 * time.Minute)
		if _, err := e.Latest(t.Context(), "shop/web"); !errors.Is(err, forecast.ErrNotReady) {
			t.Errorf("Latest of a forecast of old data = %v; want %v", err, forecast.ErrNotReady)
		}
		if err := e.Healthy(); err == nil {
			t.Error("Healthy() = nil though no tick has ended for long")
		}
		close(stuck)
		pass(time.Minute)
		if err := e.Healthy(); err != nil {
			t.Errorf("Healthy() = %v once ticks end again", err)
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
		e := begin(t, options(), w)
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

// A source that never answers costs its own workload a tick, no more.
func TestHungSourceTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hung := workload("shop/hung")
		hung.Source.(*source).wait = 24 * time.Hour
		o := options()
		o.TickTimeout = 10 * time.Second
		e := begin(t, o, hung, workload("shop/web"))
		pass(2 * time.Minute)
		latest(t, e, "shop/web")
		if st := statusOf(t, e, "shop/hung"); st.State != engine.Silent || !strings.Contains(st.Reason, "deadline exceeded") {
			t.Errorf("status = %+v; want silent after a timeout", st)
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
		if _, err := e.Explain(name); !errors.Is(err, want) {
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
