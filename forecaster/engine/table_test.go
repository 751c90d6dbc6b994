package engine_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kedastral/kedastral/forecaster/engine"
	"github.com/kedastral/kedastral/forecaster/features"
	"github.com/kedastral/kedastral/shared/forecast"
)

// explained runs one workload for a while and asks why.
func explained(t *testing.T, w engine.Workload, d time.Duration) engine.Explanation {
	t.Helper()
	var x engine.Explanation
	synctest.Test(t, func(t *testing.T) {
		e := begin(t, options(), w)
		pass(d)
		var err error
		if x, err = e.Explain(w.Name, 5*time.Minute); err != nil {
			t.Fatal(err)
		}
	})
	return x
}

// One sentence says how many, why, and from what.
func TestSummary(t *testing.T) {
	shadow, unskilled, headroom := workload("shop/web"), workload("shop/web"), workload("shop/web")
	shadow.Rules.Shadow = true
	unskilled = using(unskilled, &model{predict: repeat, noSkill: true})
	headroom.Rules.Headroom = 1.5
	broken := workload("shop/web")
	broken.Source = &source{err: errors.New("connection refused"), step: time.Minute}
	for name, tt := range map[string]struct {
		workload engine.Workload
		want     []string
	}{
		"predictive": {workload("shop/web"), []string{"4 replicas for a lead time of 5m: at 00:0", " UTC the 0.9 quantile of the load forecast by fake is 400, which at 100 a replica needs 4 replicas."}},
		"headroom":   {headroom, []string{"6 replicas for a lead time", "at 100 a replica and headroom 1.5 needs 6 replicas."}},
		"shadow":     {shadow, []string{"4 replicas for a lead time of 5m, planned from the load observed now (400); the forecast is only watched and would ask for at most 4 replicas within 10m."}},
		"no skill":   {unskilled, []string{"4 replicas for a lead time of 5m, planned from the load observed now (400) and not from the forecast, which has no proven skill."}},
		"no source":  {broken, []string{"No forecast: ", "connection refused", "see to the source"}},
	} {
		x := explained(t, tt.workload, 3*time.Minute)
		for _, want := range tt.want {
			if !strings.Contains(x.Summary, want) {
				t.Errorf("%s: %q; want %q", name, x.Summary, want)
			}
		}
	}
}

func TestTableNamesEveryNumber(t *testing.T) {
	w := workload("shop/web")
	w.Rules.MaxReplicas, w.Rules.DownMaxPercentPerStep = 3, 10
	w.Source = &source{load: flat(1234567.25), step: time.Minute}
	x := explained(t, w, 3*time.Minute)
	rows := make(map[string]engine.Line)
	for _, line := range x.Table {
		rows[line.Name] = line
	}
	for name, want := range map[string]string{
		"Lead time": "5m", "Gate": string(forecast.Predictive), "Most needed within 10m": "12346 replicas", "Load observed": "1234567", "Needed by that": "3 replicas", "Planned for": "0.9 quantile of fake",
		"A replica carries": "100", "Headroom": "× 1", "Bounds": "1 to 3", "Rise a step": "not limited", "Fall a step": "at most 10 %",
		"Prewarm": "off", "Floor": "3 replicas", "Skill": "0.50",
	} {
		if rows[name].Value != want {
			t.Errorf("%s = %q; want %q", name, rows[name].Value, want)
		}
	}
	if !strings.Contains(rows["Bounds"].Note, "in force: at MaxReplicas") {
		t.Errorf("note of the bounds = %q; want the one in force", rows["Bounds"].Note)
	}
}

// The step that decides within the lead time is told with all that shaped it,
// by the clock and not by its position.
func TestSummaryTellsTheDecisiveStep(t *testing.T) {
	limited, floored, tolerant, hurried := using(workload("shop/web"), &model{predict: climbing}), workload("shop/web"), workload("shop/web"), using(workload("shop/web"), &model{predict: climbing})
	limited.Rules.UpMaxFactorPerStep, limited.Rules.MaxReplicas, limited.Rules.PrewarmWindowSteps = 1.1, 50, 3
	floored = using(floored, &model{predict: func(f features.Frame) []float64 { return make([]float64, f.Horizon) }})
	floored.Rules.DownMaxPercentPerStep = 0
	tolerant.Rules.Tolerance = 0.3
	hurried.Rules.MaxReplicas = 6
	for name, tt := range map[string]struct {
		workload engine.Workload
		lead     time.Duration
		want     string
	}{
		"limit":     {limited, 2 * time.Minute, "8 replicas for a lead time of 2m: at 00:02 UTC the 0.9 quantile of the load forecast by fake is 600, which at 100 a replica needs 9 replicas with the 3 steps after it; the plan has 8 there (rise limited)."},
		"now":       {hurried, 0, "4 replicas for a lead time of 0s: at 00:00 UTC "},
		"bound":     {hurried, 10 * time.Minute, "6 replicas for a lead time of 10m: at 00:02 UTC the 0.9 quantile of the load forecast by fake is 600, which at 100 a replica needs 6 replicas."},
		"floor":     {floored, 5 * time.Minute, "is 0, which at 100 a replica needs 0 replicas; the plan has 1 there (at MinReplicas); raised to 4, what the load observed now needs."},
		"tolerance": {tolerant, 5 * time.Minute, "needs 4 replicas; raised to 5, past the HPA's tolerance."},
	} {
		var x engine.Explanation
		synctest.Test(t, func(t *testing.T) {
			e := begin(t, options(), tt.workload)
			pass(time.Second)
			var err error
			if x, err = e.Explain(tt.workload.Name, tt.lead); err != nil {
				t.Fatal(err)
			}
		})
		if !strings.Contains(x.Summary, tt.want) {
			t.Errorf("%s: %q; want %q", name, x.Summary, tt.want)
		}
	}
}

// Without a forecast the table says so, and nothing of a plan that nobody is
// told any more.
func TestTableWithoutAForecast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := workload("shop/web")
		e := begin(t, options(), w)
		pass(time.Minute)
		w.Source.(*source).fail(errors.New("connection refused"))
		pass(time.Hour)
		x, err := e.Explain(w.Name, time.Minute)
		if err != nil || x.State != engine.Silent || x.Plan != nil {
			t.Fatalf("%+v, %v; want nothing published and no plan", x, err)
		}
		rows := make(map[string]string)
		for _, line := range x.Table {
			rows[line.Name] = line.Value
		}
		if rows["Reason"] != x.Reason || rows["Next step"] != x.Next || rows["Last forecast"] == "" || rows["Newest observation"] == "" || rows["Gate"] != "" {
			t.Errorf("table %v; want reason, next step and what was last known", x.Table)
		}
	})
}

// The page draws what the newest tick saw.
func TestObservedAndNeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := begin(t, options(), workload("shop/web"))
		pass(3 * time.Minute)
		frame, err := e.Observed("shop/web")
		if err != nil || frame.Len() == 0 || frame.Values[frame.Len()-1] != 400 {
			t.Errorf("Observed = %v, %v; want a history that ends with 400", frame, err)
		}
		if _, err := e.Observed("shop/other"); !errors.Is(err, forecast.ErrNotFound) {
			t.Errorf("Observed of an unknown workload = %v; want %v", err, forecast.ErrNotFound)
		}
		if n, ok := e.Need("shop/web", 401); n != 5 || !ok {
			t.Errorf("Need(401) = %d, %t; want 5", n, ok)
		}
		if _, ok := e.Need("shop/web", nan); ok {
			t.Error("Need(NaN) is ok; want not")
		}
		if _, ok := e.Need("shop/other", 1); ok {
			t.Error("Need of an unknown workload is ok; want not")
		}
	})
}
