package history_test

import (
	"testing"
	"time"

	"github.com/kedastral/kedastral/forecaster/history"
	"github.com/kedastral/kedastral/forecaster/storage/storetest"
)

// A workload that begins with a plan for the load observed, which has no
// quantiles, shows those of the forecasts that follow.
func TestTheUpperQuantileMayComeLater(t *testing.T) {
	r := history.New(time.Hour, 1)
	first := storetest.Sample("shop/web", noon, 3)
	first.Quantiles = nil
	r.Record(first)
	next := storetest.Sample("shop/web", noon.Add(time.Minute), 3)
	r.Record(next)
	report, err := history.Reporter{Recorder: r, Loads: loads{}}.Report("shop/web", history.Query{Now: noon.Add(2 * time.Minute), Points: 100})
	if want := next.Quantiles[len(next.Quantiles)-1].Level; err != nil || report.Level != want {
		t.Errorf("Report = level %v, %v; want that of the newer snapshot, %v", report.Level, err, want)
	}
}
