package engine_test

import (
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/kedastral/kedastral/forecaster/adapters"
	"github.com/kedastral/kedastral/forecaster/engine"
	"github.com/kedastral/kedastral/forecaster/features"
	"github.com/kedastral/kedastral/forecaster/models"
	"github.com/kedastral/kedastral/shared/forecast"
)

// A model that panics, or says what no load can be, fails its own workload,
// which says why and is scaled by its load, and leaves its neighbour alone.
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
				if s := latest(t, e, "shop/broken"); s.Mode != forecast.Reactive || !strings.Contains(s.Reason, tt.reason) {
					t.Errorf("Latest = %s, %q; want reactive with %q", s.Mode, s.Reason, tt.reason)
				}
				if st := statusOf(t, e, "shop/broken"); st.State != engine.Failing || !strings.Contains(st.Reason, tt.reason) || st.Next == "" {
					t.Errorf("status = %+v; want failing, with %q and what to do", st, tt.reason)
				}
			})
		})
	}
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
		if !errors.Is(err, forecast.ErrNotReady) || !strings.Contains(err.Error(), "MAX_DATA_AGE=10m") {
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

// Code of a model or a source that panics outside of its main verbs still
// fails only its own workload.
func TestPanicsBetweenTheStages(t *testing.T) {
	for name, spoil := range map[string]func(*engine.Workload){
		"score": func(w *engine.Workload) {
			w.NewModel = func() (models.Model, error) { return &unscorable{model{predict: repeat}}, nil }
		},
		"warnings": func(w *engine.Workload) { w.Source = &alarmed{source{load: flat(400), step: time.Minute}} },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := workload("shop/broken")
				spoil(&w)
				e := begin(t, options(), w, workload("shop/web"))
				pass(2 * time.Minute)
				latest(t, e, "shop/web")
				if st := statusOf(t, e, "shop/broken"); !strings.Contains(st.Reason, "making the forecast: panic: oops") {
					t.Errorf("status = %+v; want the panic told", st)
				}
			})
		})
	}
}

type unscorable struct{ model }

func (*unscorable) Score() models.Score { panic("oops") }

type alarmed struct{ source }

func (*alarmed) Warnings() []adapters.Warning { panic("oops") }

// What the source warns of is told, by its kind, for as long as it does.
func TestWarningsAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		suspect := &suspected{source: source{load: flat(400), step: time.Minute}}
		suspect.average.Store(true)
		w, o, reg := workload("shop/web"), options(), prometheus.NewRegistry()
		w.Source, o.Metrics = suspect, engine.NewMetrics(reg)
		e := begin(t, o, w)
		for _, on := range []float64{1, 0} {
			pass(2 * time.Minute)
			if st := statusOf(t, e, "shop/web"); float64(len(st.Warnings)) != on {
				t.Errorf("warnings = %v; want %v", st.Warnings, on)
			}
			for kind, told := range warned(t, reg) {
				if want := on * float64(strings.Count(kind, adapters.WarnAverage)); told != want {
					t.Errorf("source_warning of kind %s = %v; want %v", kind, told, want)
				}
			}
			suspect.average.Store(false)
		}
	})
}

// warned is the metric of the source's warnings, by kind.
func warned(t *testing.T, reg *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	told := map[string]float64{}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			for _, label := range m.GetLabel() {
				if family.GetName() == "kedastral_forecaster_source_warning" && label.GetName() == "kind" {
					told[label.GetValue()] = m.GetGauge().GetValue()
				}
			}
		}
	}
	if _, ok := told[adapters.WarnAverage]; !ok {
		t.Errorf("source_warning = %v; want every kind told", told)
	}
	return told
}

type suspected struct {
	source
	average atomic.Bool
}

func (s *suspected) Warnings() []adapters.Warning {
	if s.average.Load() {
		return []adapters.Warning{{Kind: adapters.WarnAverage, Text: "looks like an average"}}
	}
	return nil
}

// A clock set back leaves a snapshot of the future behind and the next tick far
// away. Neither may silence the workload, nor may the snapshot seem young.
func TestAClockSetBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := options()
		e := begin(t, o, workload("shop/web"))
		pass(2 * time.Minute)
		future := latest(t, e, "shop/web")
		future.GeneratedAt = future.GeneratedAt.Add(time.Hour)
		future.DesiredReplicas = slices.Repeat([]int{1}, len(future.Values))
		if err := o.Store.Put(t.Context(), future); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			s := latest(t, e, "shop/web")
			if age := s.Age(time.Now()); s.GeneratedAt.After(time.Now()) || age > 2*time.Minute || s.DesiredReplicas[0] != 4 {
				t.Errorf("Latest = generated %v, %v old, %d replicas; want the newest tick's 4", s.GeneratedAt, age, s.DesiredReplicas[0])
			}
			pass(time.Minute)
		}
		began := time.Now()
		at := e.Await(t.Context(), "shop/web", began.Add(time.Hour).Truncate(time.Minute))
		if waited := time.Since(began); waited > time.Minute || at.After(time.Now()) || at.Before(began.Add(-time.Minute)) {
			t.Errorf("after %v the tick of %v runs; want the next one by the clock", waited, at)
		}
	})
}

func TestOnlyAFutureSnapshotIsNotReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		donor := begin(t, options(), workload("shop/web"))
		pass(2 * time.Minute)
		future := latest(t, donor, "shop/web")
		future.GeneratedAt = future.GeneratedAt.Add(time.Hour)
		o := options()
		if err := o.Store.Put(t.Context(), future); err != nil {
			t.Fatal(err)
		}
		e, err := engine.New([]engine.Workload{workload("shop/web")}, o) // not run
		if err != nil {
			t.Fatal(err)
		}
		if s, err := e.Latest(t.Context(), "shop/web"); !errors.Is(err, forecast.ErrNotReady) {
			t.Errorf("Latest = %v, %v; want ErrNotReady", s.GeneratedAt, err)
		}
	})
}
