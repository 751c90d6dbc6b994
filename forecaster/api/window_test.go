package api_test

import (
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/kedastral/kedastral/forecaster/api"
	"github.com/kedastral/kedastral/forecaster/history"
)

// remembering answers every query with nothing and keeps the last.
type remembering struct{ asked history.Query }

func (r *remembering) Report(_ string, q history.Query) (history.Report, error) {
	r.asked = q
	return history.Report{}, nil
}

// A window is written as the settings write durations.
func TestWindowsAreWrittenAsSettingsAre(t *testing.T) {
	past := &remembering{}
	h := api.New(api.Options{Engine: answers{}, Past: past, Now: answeredAt, Log: slog.New(slog.DiscardHandler), Probes: http.NotFoundHandler()})
	for text, want := range map[string]time.Duration{"90m": 90 * time.Minute, "1d": 24 * time.Hour, "1w2d": 9 * 24 * time.Hour, "": 0} {
		if w := do(h, "GET", "/forecast/history?workload=shop/web&window="+text); w.Code != http.StatusOK || past.asked.Window != want {
			t.Errorf("GET /forecast/history?window=%s = %d, asked for %v; want %v", text, w.Code, past.asked.Window, want)
		}
	}
}
