package engine_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
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

// unfit is a workload whose model can never be fitted.
func unfit(name string) engine.Workload {
	return using(workload(name), &model{predict: repeat, train: func(context.Context, features.Frame) error {
		return errors.New("singular matrix")
	}})
}

// A model that fails leaves the workload with what a reactive trigger would do,
// and says why, whatever part of it failed.
func TestWithoutAForecastTheObservedLoadDecides(t *testing.T) {
	for name, tt := range map[string]struct {
		model        models.Model
		reason, next string
	}{
		"fit":     {&model{predict: repeat, train: func(context.Context, features.Frame) error { return errors.New("singular matrix") }}, "singular matrix", "see the log"},
		"short":   {&model{predict: repeat, train: func(context.Context, features.Frame) error { return models.ErrTooShort }}, "too little history", "gather more history"},
		"panic":   {&model{predict: func(features.Frame) []float64 { panic("index\x1b out of range") }}, "index  out of range", "choose another MODEL"},
		"NaN":     {&model{predict: func(f features.Frame) []float64 { v := repeat(f); v[3] = nan; return v }}, "NaN at step 3", "choose another MODEL"},
		"score":   {&unscorable{model{predict: repeat}}, "oops", "choose another MODEL"},
		"invalid": {&misnamed{model{predict: repeat}}, "control characters", "see the log"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := workload("shop/web")
				w.NewModel = func() (models.Model, error) { return tt.model, nil }
				e := begin(t, options(), w)
				pass(150 * time.Second)
				s := latest(t, e, "shop/web")
				if s.Mode != forecast.Reactive || !strings.Contains(s.Reason, tt.reason) || s.Observed.Value != 400 {
					t.Errorf("published %s %q for a load of %v; want reactive, %q, 400", s.Mode, s.Reason, s.Observed.Value, tt.reason)
				}
				for i, n := range s.DesiredReplicas {
					if n != 4 || s.Values[i] != 400 {
						t.Errorf("step %d: %d replicas for %v; want 4 for the 400 observed", i, n, s.Values[i])
					}
				}
				if age := time.Since(s.GeneratedAt); age > 2*time.Minute {
					t.Errorf("the plan is %v old; want one every minute", age)
				}
				st := statusOf(t, e, "shop/web")
				if st.State != engine.Failing || st.Mode != forecast.Reactive || st.ModeReason != s.Reason || !strings.Contains(st.Next, tt.next) {
					t.Errorf("status = %+v; want failing, reactive, why and %q", st, tt.next)
				}
				x, words := explain(t, e)
				if internal.MatchString(x.Summary + words + x.Reason + s.Reason) {
					t.Errorf("a stage's own name is told: %s\n%s", x.Summary, words)
				}
				if !told(x.Table, "Fault", tt.reason) || !told(x.Table, "Next step", tt.next) {
					t.Errorf("the table is %v; want the fault and %q", x.Table, tt.next)
				}
				if !strings.HasPrefix(x.Summary, "4 replicas for a lead time of 5m, planned from the load observed now (400)") || !strings.Contains(words, "made no forecast") {
					t.Errorf("explained as %s\n%s", x.Summary, words)
				}
			})
		})
	}
}

// told reports whether a line of a table holds the text.
func told(table []engine.Line, name, text string) bool {
	return slices.ContainsFunc(table, func(l engine.Line) bool { return l.Name == name && strings.Contains(l.Value, text) })
}

// misnamed is a model whose name no document may hold.
type misnamed struct{ model }

func (*misnamed) Name() string { return "fake\x1b[31m" }

// Only what is known is planned for: a load that is too old is none.
func TestAnUnknownLoadIsNeverPlannedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := unfit("shop/web")
		never := unfit("shop/never")
		never.Source.(*source).load = flat(nan)
		e := begin(t, options(), w, never)
		pass(2 * time.Minute)
		w.Source.(*source).fail(errors.New("connection refused"))
		pass(5 * time.Minute)
		if s := latest(t, e, "shop/web"); s.Mode != forecast.Reactive || s.DesiredReplicas[0] != 4 {
			t.Errorf("five minutes into the outage: %s, %v; want 4, reactive", s.Mode, s.DesiredReplicas)
		}
		pass(8 * time.Minute)
		for _, name := range []string{"shop/web", "shop/never"} {
			if s, err := e.Latest(t.Context(), name); !errors.Is(err, forecast.ErrNotReady) {
				t.Errorf("Latest(%s) = %v, %v; want %v", name, s.DesiredReplicas, err, forecast.ErrNotReady)
			}
			if st := statusOf(t, e, name); st.State != engine.Silent {
				t.Errorf("%s is %s; want silent", name, st.State)
			}
		}
	})
}

// A floor that is off and a shadow change nothing: there is nothing but the
// load to plan from, and nothing to watch.
func TestReactingUnderOtherRules(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		open, shadow := unfit("shop/open"), unfit("shop/shadow")
		open.Rules.NoFloor, shadow.Rules.Shadow = true, true
		e := begin(t, options(), open, shadow)
		pass(time.Second)
		for name, mode := range map[string]forecast.Mode{"shop/open": forecast.Reactive, "shop/shadow": forecast.Shadow} {
			if s := latest(t, e, name); s.Mode != mode || s.DesiredReplicas[9] != 4 {
				t.Errorf("%s: %s, %v; want %s, 4", name, s.Mode, s.DesiredReplicas, mode)
			}
		}
	})
}

// Whoever watches sees the fault, that another model stands in, and no band of
// a forecast there is not; whoever reads the log, each change once.
func TestReactingIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		spoilt := using(workload("shop/web"), &model{predict: repeat, train: func(_ context.Context, f features.Frame) error {
			if f.Origin().After(began) && f.Origin().Before(began.Add(15*time.Minute)) {
				return errors.New("singular matrix")
			}
			return nil
		}})
		var log bytes.Buffer
		reg := prometheus.NewRegistry()
		o := options()
		o.Log, o.Metrics = slog.New(slog.NewTextHandler(&log, nil)), engine.NewMetrics(reg)
		e := begin(t, o, spoilt)
		pass(14 * time.Minute)
		if s := latest(t, e, "shop/web"); s.Mode != forecast.Reactive {
			t.Fatalf("after two failed fits the mode is %s", s.Mode)
		}
		if n, err := testutil.GatherAndCount(reg, "kedastral_forecaster_predicted_value"); n != 1 || err != nil {
			t.Errorf("predicted_value has %d series (%v); want the median alone", n, err)
		}
		told, err := reg.Gather()
		if err != nil {
			t.Fatal(err)
		}
		var fallbacks float64
		for _, family := range told {
			if family.GetName() == "kedastral_forecaster_model_fallbacks_total" {
				fallbacks = family.GetMetric()[0].GetCounter().GetValue()
			}
		}
		if fallbacks < 2 {
			t.Errorf("model_fallbacks_total = %v; want every plan without a forecast counted", fallbacks)
		}
		pass(10 * time.Minute)
		if s := latest(t, e, "shop/web"); s.Mode != forecast.Predictive {
			t.Errorf("after a good fit the mode is %s: %s", s.Mode, s.Reason)
		}
		lines := strings.Split(strings.TrimSpace(log.String()), "\n")
		want := []string{"ready", "forecast from what was known before", "planned from the load observed now", "tick succeeded again"}
		for i, line := range lines {
			if i >= len(want) || !strings.Contains(line, want[i]) {
				t.Fatalf("line %d of the log: %s\nwant %q", i+1, line, want)
			}
		}
	})
}
