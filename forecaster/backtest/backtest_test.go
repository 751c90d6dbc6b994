package backtest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kedastral/kedastral/forecaster/backtest"
	"github.com/kedastral/kedastral/forecaster/capacity"
	"github.com/kedastral/kedastral/forecaster/engine"
	"github.com/kedastral/kedastral/forecaster/features"
	"github.com/kedastral/kedastral/forecaster/models"
	"github.com/kedastral/kedastral/forecaster/series"
	"github.com/kedastral/kedastral/shared/forecast"
)

var start = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)

// daily is a load between 100 and 900 that repeats every day.
func daily(at time.Time) float64 {
	return 500 - 400*math.Cos(2*math.Pi*float64(at.Unix()%86400)/86400)
}

// foreseeing is a model that knows the load, and says so within ±spread.
type foreseeing struct {
	load   func(time.Time) float64
	spread float64
}

func (foreseeing) Name() string                                { return "foreseeing" }
func (foreseeing) Train(context.Context, features.Frame) error { return nil }
func (foreseeing) Score() models.Score {
	return models.Score{Origins: 10, Scale: 1, Blocks: []models.BlockScore{{From: 0, To: 1, MAE: 1, LastValueMAE: 2, SeasonalMAE: 2}}}
}

func (m foreseeing) Predict(_ context.Context, f features.Frame) (models.Forecast, error) {
	var out models.Forecast
	low, high := []float64{}, []float64{}
	for h := range f.Horizon {
		v := m.load(f.Origin().Add(time.Duration(h) * f.Step))
		out.Values = append(out.Values, v)
		low, high = append(low, max(0, v-m.spread)), append(high, v+m.spread)
	}
	out.Quantiles = []forecast.Quantile{{Level: 0.1, Values: low}, {Level: 0.5, Values: out.Values}, {Level: 0.9, Values: high}}
	return out, nil
}

func workload(m models.Model) engine.Workload {
	return engine.Workload{
		Name: "shop/web", Metric: "requests <per second>", NewModel: func() (models.Model, error) { return m, nil },
		Step: time.Minute, Interval: 5 * time.Minute, TrainInterval: time.Hour, Window: 48 * time.Hour, Horizon: 15 * time.Minute,
		Rules: capacity.Rules{Policy: capacity.Policy{TargetPerPod: 20, MinReplicas: 1, MaxReplicas: 100, Quantile: 0.9}},
	}
}

func history(days int, load func(time.Time) float64) series.DataFrame {
	d := series.DataFrame{Start: start, Step: time.Minute}
	for i := range days * 1440 {
		d.Values = append(d.Values, load(start.Add(time.Duration(i)*time.Minute)))
	}
	return d
}

var setting = backtest.Setting{Startup: 3 * time.Minute, Lead: 5 * time.Minute, Settle: 15 * time.Second, CapacityPerPod: 20, PodHourPrice: 0.5}

func run(t *testing.T, m models.Model, past series.DataFrame) backtest.Replay {
	t.Helper()
	r, err := backtest.Run(t.Context(), workload(m), past, 24*time.Hour, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func report(t *testing.T, r backtest.Replay, limit float64) backtest.Report {
	t.Helper()
	out, err := backtest.NewReport(r, setting, []float64{0.1, 0.5, 0.9}, limit)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Whoever knows the load is never short of pods; an HPA that only sees it is.
func TestForesightServesWhatReactionMisses(t *testing.T) {
	r := report(t, run(t, foreseeing{daily, 10}, history(4, daily)), -1)
	ours, theirs, bound := r.Policies[0], r.Policies[1], r.Policies[3]
	if ours.UnderProvisioned > 4 {
		t.Errorf("knowing the load leaves %v under-provisioned minutes; want at most the first pods' start-up", ours.UnderProvisioned)
	}
	if theirs.UnderProvisioned < 60 {
		t.Errorf("a reactive HPA without slack leaves %v under-provisioned minutes a day; want hours", theirs.UnderProvisioned)
	}
	if ours.PodHours < bound.PodHours || ours.OverBound < 1 || ours.OverBound > 1.1 {
		t.Errorf("knowing the load costs %.1f pod-hours (%.3f of the bound); want a little above the bound of %.1f", ours.PodHours, ours.OverBound, bound.PodHours)
	}
	if got, want := ours.Cost, ours.PodHours*setting.PodHourPrice; got != want {
		t.Errorf("cost %v; want %v", got, want)
	}
	if same := r.Policies[2]; math.Abs(same.PodHours/ours.PodHours-1) > 0.01 {
		t.Errorf("the tuned HPA spends %.1f pod-hours; want those of ours, %.1f", same.PodHours, ours.PodHours)
	}
}

func TestAccuracy(t *testing.T) {
	shifted := func(at time.Time) float64 { return daily(at) + 30 }
	a := run(t, foreseeing{shifted, 40}, history(4, daily)).Accuracy()
	if a.Origins != 288 || a.Failed != 0 {
		t.Errorf("%d origins, %d failed; want one every five minutes of a day", a.Origins, a.Failed)
	}
	if math.Abs(a.WAPE-30.0/500) > 1e-3 {
		t.Errorf("WAPE %v; want 30 of 500", a.WAPE)
	}
	if a.DayMASE == nil || *a.DayMASE != 0 || a.Skill != 0 {
		t.Errorf("a day-ago error of %v and a skill of %v; the load repeats exactly, so none can be better", a.DayMASE, a.Skill)
	}
	var coverage []float64
	for _, l := range a.Levels {
		coverage = append(coverage, l.Coverage)
	}
	if diff := cmp.Diff([]float64{0, 1, 1}, coverage); diff != "" {
		t.Errorf("coverage of forecasts 30 too high, ±40: -want +got\n%s", diff)
	}
}

// What comes after an origin must not be known there.
func TestOriginsDoNotSeeTheFuture(t *testing.T) {
	w := workload(models.NewNaive(models.Options{Levels: []float64{0.9}}))
	w.Rules.Quantile = 0.9
	past := history(4, daily)
	first, err := backtest.Run(t.Context(), w, past, 24*time.Hour, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 3*1440 + 600; i < len(past.Values); i++ {
		past.Values[i] = 1e6
	}
	second, err := backtest.Run(t.Context(), w, past, 24*time.Hour, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, o := range first.Origins {
		if o.Snapshot.GeneratedAt.After(start.Add(82 * time.Hour)) {
			break
		}
		if diff := cmp.Diff(o.Snapshot, second.Origins[i].Snapshot); diff != "" {
			t.Fatalf("the forecast of %v changed with what came after it:\n%s", o.Snapshot.GeneratedAt, diff)
		}
	}
}

func TestRecommendation(t *testing.T) {
	r := run(t, foreseeing{daily, 10}, history(4, daily))
	if got := report(t, r, 5).Recommended; got.Quantile == 0 || !strings.Contains(got.Why, "cheapest setting within 5 ") {
		t.Errorf("recommended %+v; want a quantile within five minutes a day", got)
	}
	blind := run(t, foreseeing{func(time.Time) float64 { return 0 }, 0}, history(4, daily))
	if got := report(t, blind, 0).Recommended; !strings.Contains(got.Why, "no quantile tried stays within 0") {
		t.Errorf("recommended %+v for forecasts of nothing and no minute allowed; want it to say that none is enough", got)
	}
}

// unproved is a model no better than the last value.
type unproved struct{ foreseeing }

func (unproved) Score() models.Score {
	return models.Score{Origins: 10, Scale: 1, Blocks: []models.BlockScore{{From: 0, To: 1, MAE: 2, LastValueMAE: 1, SeasonalMAE: 2}}}
}

// A replay of a workload in shadow tells what acting would have done, and how
// often the gate would have let it.
func TestShadowIsReplayedAsIfItActed(t *testing.T) {
	past := history(3, daily)
	for _, tt := range []struct {
		model models.Model
		want  float64
	}{
		{foreseeing{load: daily, spread: 1}, 1},
		{unproved{foreseeing{load: daily, spread: 1}}, 0},
	} {
		var reports []backtest.Report
		for _, shadow := range []bool{false, true} {
			w := workload(tt.model)
			w.Rules.Shadow = shadow
			replay, err := backtest.Run(t.Context(), w, past, 24*time.Hour, nil)
			if err != nil {
				t.Fatal(err)
			}
			report, err := backtest.NewReport(replay, setting, nil, -1)
			if err != nil {
				t.Fatal(err)
			}
			if math.Abs(report.Predicted-tt.want) > 1e-9 {
				t.Errorf("%T, shadow %t: acted on at %v of the instants; want %v", tt.model, shadow, report.Predicted, tt.want)
			}
			reports = append(reports, report)
		}
		if a, b := reports[0].Policies[0].PodHours, reports[1].Policies[0].PodHours; a != b {
			t.Errorf("%T: %v pod-hours, %v in shadow; want the same", tt.model, a, b)
		}
	}
}

func TestRunSaysWhatIsMissing(t *testing.T) {
	w := workload(models.NewNaive(models.Options{Levels: []float64{0.9}}))
	if _, err := backtest.Run(t.Context(), w, history(1, daily), 48*time.Hour, nil); err == nil {
		t.Error("replaying two days of one: no error")
	}
	gaps := history(4, func(time.Time) float64 { return math.NaN() })
	if _, err := backtest.Run(t.Context(), w, gaps, 24*time.Hour, nil); !errors.Is(err, backtest.ErrNoForecast) {
		t.Errorf("replaying nothing but gaps: %v; want ErrNoForecast", err)
	}
}

func TestReportsPrint(t *testing.T) {
	past := history(4, daily)
	for i := 3*1440 + 100; i < 3*1440+160; i++ {
		past.Values[i] = math.NaN() // an hour that was not recorded
	}
	r := report(t, run(t, foreseeing{daily, 10}, past), -1)
	var text, page, document bytes.Buffer
	if err := r.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	if err := r.WriteHTML(&page); err != nil {
		t.Fatal(err)
	}
	if err := json.NewEncoder(&document).Encode(r); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Kedastral, p90", "reactive HPA", "recommended: QUANTILE=", "covers", "cost"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the text lacks %q:\n%s", want, &text)
		}
	}
	if got := strings.Count(page.String(), "<svg"); got != 3 {
		t.Errorf("the page has %d charts; want 3", got)
	}
	if !strings.Contains(page.String(), `class="band" d="M`) {
		t.Error("the page shows no band around the forecast")
	}
	for name, printed := range map[string]string{"text": text.String(), "page": page.String(), "JSON": document.String()} {
		if strings.Contains(printed, "NaN") || strings.Contains(printed, "Inf") {
			t.Errorf("the %s shows a number that is not one", name)
		}
	}
	if strings.Contains(page.String(), "<per second>") {
		t.Error("the page has the metric's name unescaped")
	}
}
