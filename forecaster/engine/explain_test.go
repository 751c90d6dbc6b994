package engine_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/kedastral/kedastral/forecaster/adapters"
	"github.com/kedastral/kedastral/forecaster/engine"
	"github.com/kedastral/kedastral/forecaster/features"
)

// climbing forecasts 300 and then 100 more every minute.
func climbing(f features.Frame) []float64 {
	out := make([]float64, f.Horizon)
	for i := range out {
		out[i] = 300 + 100*float64(i)
	}
	return out
}

func explain(t *testing.T, e *engine.Engine) (engine.Explanation, string) {
	t.Helper()
	x, err := e.Explain("shop/web", 5*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	return x, strings.Join(x.Words, "\n")
}

// Every number of a plan is told with where it comes from.
func TestExplainTellsThePlan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := using(workload("shop/web"), &model{predict: climbing})
		w.Rules.Headroom, w.Rules.MaxReplicas, w.Rules.PrewarmWindowSteps, w.Rules.Tolerance = 1.2, 12, 2, 0.1
		w.Rules.NowcastLift = true
		e := begin(t, options(), w)
		pass(time.Second)
		x, words := explain(t, e)
		for _, want := range []string{
			"The load observed up to 1999-12-31 23:59:00Z was 400: at 100 a replica and headroom 1.2 it needs 5 replicas.",
			"12 replicas", // the bound
			"7m0s after its start: the 0.9 quantile of fake there is 1100, which with the 2 steps after it needs 16 replicas; the plan has 12 there (at MaxReplicas)",
			"Every step was raised by 100",
			"No step is below 5",
			"HPA tolerance of 0.1",
		} {
			if !strings.Contains(words, want) {
				t.Errorf("the explanation lacks %q:\n%s", want, words)
			}
		}
		p := x.Plan
		if p == nil || len(p.Steps) != 10 || p.Prev != 5 || p.Floor != 5 || p.Lift != 100 || p.Level != 0.9 {
			t.Fatalf("plan = %+v; want ten steps from 5, lifted by 100", p)
		}
		s := latest(t, e, "shop/web")
		for i, m := range p.Steps {
			if m.Replicas != s.DesiredReplicas[i] || m.Forecast != s.ForecastPlan[i] || !m.At.Equal(s.GeneratedAt.Add(time.Duration(i)*time.Minute)) {
				t.Errorf("step %d = %+v; want what was published, %d and %d", i, m, s.DesiredReplicas[i], s.ForecastPlan[i])
			}
		}
	})
}

// internal are the names of stages, which only metrics use.
var internal = regexp.MustCompile(`\b(collect|train|predict|plan|put|tick): `)

// Where there is no forecast, the reason and the next step are told.
func TestExplainTellsWhyThereIsNone(t *testing.T) {
	for name, tt := range map[string]struct {
		change       func(*engine.Workload)
		reason, next string
	}{
		"source":  {func(w *engine.Workload) { w.Source.(*source).fail(errors.New("connection refused")) }, "reading the history: connection refused", "see to the source"},
		"history": {func(w *engine.Workload) { w.Source.(*source).load = flat(nan) }, "nothing was observed", "check that the query"},
		"ended": {func(w *engine.Workload) {
			w.Source.(*source).fail(&adapters.Fault{Class: adapters.ErrNoData, Reason: adapters.ReasonEnded, Text: "the recording ended"})
		}, "the recording ended", "RECORDED_LOOP=true"},
		"off grid": {func(w *engine.Workload) { w.Source.(*source).step = 30 * time.Second }, "its step is 30s, must be STEP=1m", "set STEP"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := workload("shop/web")
				tt.change(&w)
				cold, err := engine.New([]engine.Workload{w}, options())
				if err != nil {
					t.Fatal(err)
				}
				if _, words := explain(t, cold); !strings.Contains(words, "warm start") {
					t.Errorf("before the first tick: %s", words)
				}
				e := begin(t, options(), w)
				pass(2 * time.Minute)
				x, words := explain(t, e)
				if internal.MatchString(x.Summary + words + x.Reason) {
					t.Errorf("a stage's own name is told: %s\n%s", x.Summary, words)
				}
				if x.State != engine.Silent || !strings.Contains(words, tt.reason) || !strings.Contains(words, tt.next) {
					t.Errorf("%s:\n%s\nwant %q and %q", x.State, words, tt.reason, tt.next)
				}
			})
		})
	}
}

func TestMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg := prometheus.NewRegistry()
		o := options()
		o.Metrics = engine.NewMetrics(reg)
		broken := using(workload("shop/broken"), &model{predict: func(features.Frame) []float64 { panic("oops") }})
		begin(t, o, workload("shop/web"), broken)
		pass(150 * time.Second)
		faults, err := testutil.GatherAndLint(reg)
		if err != nil || len(faults) > 0 {
			t.Errorf("GatherAndLint = %v, %v", faults, err)
		}
		before, err := testutil.GatherAndCount(reg)
		if err != nil {
			t.Fatal(err)
		}
		want := `
# HELP kedastral_forecaster_desired_replicas Replicas published for the first step of the latest snapshot.
# TYPE kedastral_forecaster_desired_replicas gauge
kedastral_forecaster_desired_replicas{workload="shop/broken"} 4
kedastral_forecaster_desired_replicas{workload="shop/web"} 4
# HELP kedastral_forecaster_errors_total Failed stages of ticks, by the room they failed in and the kind of reason.
# TYPE kedastral_forecaster_errors_total counter
kedastral_forecaster_errors_total{reason="panic",room="predict",workload="shop/broken"} 4
# HELP kedastral_forecaster_predicted_value Load forecast for the first step of the latest snapshot, by quantile level.
# TYPE kedastral_forecaster_predicted_value gauge
kedastral_forecaster_predicted_value{level="0.5",workload="shop/broken"} 400
kedastral_forecaster_predicted_value{level="0.5",workload="shop/web"} 400
kedastral_forecaster_predicted_value{level="0.9",workload="shop/web"} 400
# HELP kedastral_forecaster_snapshot_delay_seconds How long after its start each snapshot of the workload is published, once its data has settled, as configured.
# TYPE kedastral_forecaster_snapshot_delay_seconds gauge
kedastral_forecaster_snapshot_delay_seconds{workload="shop/broken"} 19
kedastral_forecaster_snapshot_delay_seconds{workload="shop/web"} 7
# HELP kedastral_forecaster_snapshot_interval_seconds Time between two snapshots of the workload, as configured.
# TYPE kedastral_forecaster_snapshot_interval_seconds gauge
kedastral_forecaster_snapshot_interval_seconds{workload="shop/broken"} 60
kedastral_forecaster_snapshot_interval_seconds{workload="shop/web"} 60
# HELP kedastral_forecaster_workloads Workloads by state.
# TYPE kedastral_forecaster_workloads gauge
kedastral_forecaster_workloads{state="failing"} 1
kedastral_forecaster_workloads{state="following"} 0
kedastral_forecaster_workloads{state="forecasting"} 1
kedastral_forecaster_workloads{state="silent"} 0
kedastral_forecaster_workloads{state="warming"} 0
`
		if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "kedastral_forecaster_desired_replicas",
			"kedastral_forecaster_errors_total", "kedastral_forecaster_predicted_value", "kedastral_forecaster_snapshot_delay_seconds", "kedastral_forecaster_snapshot_interval_seconds", "kedastral_forecaster_workloads"); err != nil {
			t.Error(err)
		}
		pass(10 * time.Minute)
		if after, err := testutil.GatherAndCount(reg); after != before || err != nil {
			t.Errorf("ten minutes made %d series of %d (%v)", after, before, err)
		}
	})
}
