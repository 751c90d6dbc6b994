package engine_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kedastral/kedastral/forecaster/engine"
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
		if x, err = e.Explain(w.Name); err != nil {
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
		"predictive": {workload("shop/web"), []string{"4 replicas now, at most 4 replicas within 10m: the 0.9 quantile of the load forecast by fake is highest at ", " UTC with 400, and a replica carries 100."}},
		"headroom":   {headroom, []string{"6 replicas now", "a replica carries 100 and headroom 1.5."}},
		"shadow":     {shadow, []string{"4 replicas now, planned from the load observed now (400); the forecast is only watched and would ask for at most 4 replicas within 10m."}},
		"no skill":   {unskilled, []string{"4 replicas now, planned from the load observed now (400) and not from the forecast, which has no proven skill."}},
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
		"Mode": string(forecast.Predictive), "Load observed": "1234567", "Needed by that": "3 replicas", "Planned for": "0.9 quantile of fake",
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
