package keda_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/kedastral/kedastral/scaler/keda"
)

func TestMetricsTellOfWorkloadsInUse(t *testing.T) {
	b := set(t, nil)
	b.book.write(plan("shop/web", origin, 10, 12, 15, 20, 18, 16))
	_, _ = b.ask(t, ref("web"))
	_, _ = b.ask(t, ref("web", "leadTime", "1m")) // a second trigger of the same workload
	_, _ = b.ask(t, ref("nobody"))
	const want = `
		# HELP kedastral_scaler_forecast_generated_timestamp_seconds Unix time from which the workload's forecast in use counts.
		# TYPE kedastral_scaler_forecast_generated_timestamp_seconds gauge
		kedastral_scaler_forecast_generated_timestamp_seconds{workload="shop/web"} 1.7747424e+09
		# HELP kedastral_scaler_refusals_total Calls not answered from a forecast, by reason; a fallback counts too.
		# TYPE kedastral_scaler_refusals_total counter
		kedastral_scaler_refusals_total{reason="not_found"} 1
		# HELP kedastral_scaler_replicas Replicas last told to KEDA for the workload; the most, if several triggers ask for it.
		# TYPE kedastral_scaler_replicas gauge
		kedastral_scaler_replicas{workload="shop/web"} 20
		# HELP kedastral_scaler_workload_state 1 for the state the workload's forecast is in now, 0 for the others.
		# TYPE kedastral_scaler_workload_state gauge
		kedastral_scaler_workload_state{state="fresh",workload="shop/web"} 0
		kedastral_scaler_workload_state{state="held",workload="shop/web"} 1
		kedastral_scaler_workload_state{state="stale",workload="shop/web"} 0
	`
	b.now = origin.Add(3 * time.Minute)
	if err := testutil.GatherAndCompare(b.reg, strings.NewReader(want), "kedastral_scaler_forecast_generated_timestamp_seconds",
		"kedastral_scaler_refusals_total", "kedastral_scaler_replicas", "kedastral_scaler_workload_state"); err != nil {
		t.Error(err)
	}
	if problems, err := testutil.GatherAndLint(b.reg); err != nil || len(problems) > 0 {
		t.Errorf("lint: %v, %v", problems, err)
	}
	b.now = origin.Add(time.Hour) // nobody asks any more
	if n, err := testutil.GatherAndCount(b.reg, "kedastral_scaler_workload_state"); err != nil || n != 0 {
		t.Errorf("%d series of a workload that is gone, %v; want 0", n, err)
	}
}

// TestSeriesAreBounded asks for many more names than are remembered.
func TestSeriesAreBounded(t *testing.T) {
	b := set(t, nil)
	before, _ := testutil.GatherAndCount(b.reg)
	for i := range 5000 {
		_, _ = b.ask(t, ref(fmt.Sprintf("bogus-%d", i)))
	}
	if after, err := testutil.GatherAndCount(b.reg); err != nil || after > before+1 {
		t.Errorf("%d series after 5000 unknown names, %d before, %v; want one more, of the reason", after, before, err)
	}
	if n := len(b.Status()); n > 100 {
		t.Errorf("%d triggers remembered; want at most 100", n)
	}
}

func TestStatus(t *testing.T) {
	b := set(t, nil)
	b.book.write(plan("shop/web", origin, 10, 12, 15, 20, 18, 16))
	_, _ = b.ask(t, ref("web", "leadTime", "2m"))
	_, _ = b.ask(t, ref("api", "fallbackReplicas", "4"))
	_, _ = b.ask(t, ref("nobody"))
	b.now = origin.Add(90 * time.Second)
	twenty, four := 20, 4 // [1m30s, 3m30s) reaches the fourth minute
	want := []keda.Status{
		{ScaledObject: "api", Workload: "shop/api", State: "stale", Reason: "not_found", Replicas: &four, LastTold: 4, Lead: "5m0s", Fallback: 4},
		{ScaledObject: "nobody", Workload: "shop/nobody", State: "stale", Reason: "not_found", Lead: "5m0s"},
		{
			ScaledObject: "web", Workload: "shop/web", State: "fresh", Replicas: &twenty, LastTold: 12, Lead: "2m0s",
			GeneratedAt: origin, AgeSeconds: 90, Mode: "predictive",
		},
	}
	if diff := cmp.Diff(want, b.Status()); diff != "" {
		t.Errorf("Status() (-want +got):\n%s", diff)
	}
	b.now = origin.Add(time.Hour)
	if got := b.Status(); len(got) != 0 {
		t.Errorf("Status() an hour later = %v; want nothing", got)
	}
}
