package engine_test

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/common/expfmt"

	"github.com/kedastral/kedastral/forecaster/engine"
	"github.com/kedastral/kedastral/forecaster/models"
)

// values is what the collector tells, one line a series.
func values(t *testing.T, c prometheus.Collector) string {
	t.Helper()
	reg := prometheus.NewRegistry()
	if err := reg.Register(c); err != nil {
		t.Fatal(err)
	}
	faults, err := testutil.GatherAndLint(reg)
	if err != nil {
		t.Error(err)
	}
	for _, f := range faults { // a forecast has quantiles as a summary has, and no sum or count
		if f.Text != `non-summary metrics should not have "quantile" label` {
			t.Errorf("GatherAndLint = %v", f)
		}
	}
	body, err := testutil.CollectAndFormat(c, expfmt.TypeTextPlain, "kedastral_forecast_value")
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(string(body)) {
		if !strings.HasPrefix(line, "#") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}

// A series is what is forecast for the moment a lead from now, by the clock:
// it moves on between two ticks, and ends where the forecast ends.
func TestForecastsAsMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := using(workload("shop/web"), &model{predict: climbing}) // 300 and 100 more every minute, for ten
		w.Interval, w.TrainInterval = 5*time.Minute, 5*time.Minute
		e := begin(t, options(), w)
		pass(time.Minute)
		c := e.Collector(engine.Sampling{Levels: []float64{0.5, 0.9, 0.99}, Leads: []time.Duration{0, 3 * time.Minute, time.Hour}})
		s := latest(t, e, "shop/web")
		before := values(t, c)
		if want := strings.Count(before, "\n"); want != 4 {
			t.Errorf("%d series; want two known quantiles of two leads within the horizon:\n%s", want, before)
		}
		if !strings.Contains(before, `kedastral_forecast_value{lead="3m",quantile="0.9",workload="shop/web"} `) {
			t.Errorf("the lead of three minutes is not told:\n%s", before)
		}
		pass(time.Minute)
		if latest(t, e, "shop/web").GeneratedAt != s.GeneratedAt {
			t.Fatal("a tick came between; the test wants none")
		}
		after := values(t, c)
		if !strings.Contains(before, `{lead="0s",quantile="0.5",workload="shop/web"} 400`) || !strings.Contains(after, `{lead="0s",quantile="0.5",workload="shop/web"} 500`) {
			t.Errorf("a minute moves the forecast for now from\n%s\nto\n%s\nwant from 400 to 500", before, after)
		}
	})
}

// What is told of the latest snapshot ends with it; how old it is stays.
func TestMetricsOfTheSnapshotEndWithIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg := prometheus.NewRegistry()
		o := options()
		o.Metrics = engine.NewMetrics(reg)
		w := workload("shop/web")
		begin(t, o, w)
		names := []string{"predicted_value", "desired_replicas", "desired_replicas_peak", "mode", "snapshot_generated_timestamp_seconds"}
		count := func(name string) int {
			n, err := testutil.GatherAndCount(reg, "kedastral_forecaster_"+name)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		pass(time.Minute)
		for _, name := range names {
			if count(name) == 0 {
				t.Errorf("%s is not told of a workload with a forecast", name)
			}
		}
		w.Source.(*source).fail(errors.New("connection refused"))
		pass(time.Hour)
		for i, name := range names {
			if n := count(name); (n > 0) != (i == len(names)-1) {
				t.Errorf("%s has %d series an hour after the last observation", name, n)
			}
		}
	})
}

// A workload that loses its source loses its series with its forecast, while
// another keeps them, and has them again when it recovers.
func TestForecastsAsMetricsAreNeverStale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := workload("shop/web")
		e := begin(t, options(), w, workload("shop/other"))
		pass(time.Minute)
		c := e.Collector(engine.Sampling{Levels: []float64{0.5}, Leads: []time.Duration{5 * time.Minute}})
		told := func() (web, other bool) {
			text := values(t, c)
			return strings.Contains(text, `workload="shop/web"`), strings.Contains(text, `workload="shop/other"`)
		}
		if web, other := told(); !web || !other {
			t.Fatalf("told of web: %t, of other: %t; want both", web, other)
		}
		w.Source.(*source).fail(errors.New("connection refused"))
		pass(time.Hour)
		if web, other := told(); web || !other {
			t.Errorf("after an hour without data, told of web: %t, of other: %t; want other only", web, other)
		}
		w.Source.(*source).fail(nil)
		pass(2 * time.Minute)
		if web, other := told(); !web || !other {
			t.Errorf("with data again, told of web: %t, of other: %t; want both", web, other)
		}
	})
}

// scored is a model that has a record for as long as it is told to.
type scored struct {
	model

	record func() models.Score
}

func (m *scored) Score() models.Score { return m.record() }

// A record ends with the snapshots that had one: the history may begin anew.
func TestMetricsOfTheRecordEndWithIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg := prometheus.NewRegistry()
		o := options()
		o.Metrics = engine.NewMetrics(reg)
		var forgotten atomic.Bool
		w := workload("shop/web")
		w.NewModel = func() (models.Model, error) {
			return &scored{model{predict: repeat}, func() models.Score {
				if forgotten.Load() {
					return models.Score{}
				}
				return models.Score{Origins: 5, Blocks: []models.BlockScore{{
					From: 0, To: 1, MAE: 1, LastValueMAE: 2, SeasonalMAE: 2, Levels: []models.LevelScore{{Level: 0.9, Coverage: 0.8}},
				}}}
			}}, nil
		}
		begin(t, o, w)
		for _, want := range []int{1, 0} {
			pass(2 * time.Minute)
			for name, each := range map[string]int{"skill": 2, "coverage_ratio": 1} {
				if n, err := testutil.GatherAndCount(reg, "kedastral_forecaster_"+name); err != nil || n != want*each {
					t.Errorf("%s has %d series (%v); want %d", name, n, err, want*each)
				}
			}
			forgotten.Store(true)
		}
	})
}
