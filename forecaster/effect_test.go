package main

import (
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/kedastral/kedastral/forecaster/engine"
	"github.com/kedastral/kedastral/forecaster/series"
	"github.com/kedastral/kedastral/shared/env"
	"github.com/kedastral/kedastral/shared/forecast"
)

// published is what a workload with these settings publishes for Christmas
// Eve, 20:00 UTC, of a load that fell to a third an hour ago and then jumped.
func published(t *testing.T, settings ...string) forecast.Snapshot {
	t.Helper()
	v := vars("DEFAULT_TARGET_PER_POD", "10", "DEFAULT_MODEL", "baseline", "DEFAULT_WINDOW", "8d", "DEFAULT_DOWN_MAX_PERCENT_PER_STEP", "0",
		"WORKLOADS", "shop/checkout", "WORKLOAD_SHOP_CHECKOUT_QUERY", "", "WORKLOAD_SHOP_CHECKOUT_MAX_REPLICAS", "")
	for i := 0; i+1 < len(settings); i += 2 {
		v["DEFAULT_"+settings[i]] = settings[i+1]
	}
	s, err := load(t.Context(), v)
	if err != nil {
		t.Fatal(err)
	}
	w, err := s.workloads[0].plain(nil)
	if err != nil {
		t.Fatal(err)
	}
	p, err := engine.NewPipeline(w)
	if err != nil {
		t.Fatal(err)
	}
	end := time.Date(2026, 12, 24, 20, 0, 0, 0, time.UTC)
	history := series.DataFrame{Start: p.Start(end), Step: w.Step}
	for at := history.Start; at.Before(end); at = at.Add(w.Step) {
		load := wave(at)
		if end.Sub(at) <= time.Hour {
			load /= 3
		}
		if end.Sub(at) <= w.Step {
			load *= 2
		}
		history.Values = append(history.Values, load)
	}
	if err := p.Train(t.Context(), history); err != nil {
		t.Fatal(err)
	}
	snapshot, _, err := p.Snapshot(t.Context(), history)
	if err != nil {
		t.Fatal(err)
	}
	return snapshot
}

func total(counts []int) (sum int) {
	for _, n := range counts {
		sum += n
	}
	return sum
}

// effects are what each setting of a workload changes in what is published:
// the snapshot without it and with it.
func effects() map[string]struct {
	settings []string
	seen     func(without, with forecast.Snapshot) bool
} {
	type s = forecast.Snapshot
	type effect = struct {
		settings []string
		seen     func(without, with forecast.Snapshot) bool
	}
	more := func(a, b s) bool { return total(b.DesiredReplicas) > total(a.DesiredReplicas) }
	less := func(a, b s) bool { return total(b.DesiredReplicas) < total(a.DesiredReplicas) }
	other := func(a, b s) bool { return !slices.Equal(a.Values, b.Values) }
	return map[string]effect{
		"METRIC":         {[]string{"METRIC", "rps"}, func(a, b s) bool { return a.Metric == "load" && b.Metric == "rps" }},
		"TARGET_PER_POD": {[]string{"TARGET_PER_POD", "20"}, less},
		"MIN_REPLICAS":   {[]string{"MIN_REPLICAS", "60"}, func(_, b s) bool { return slices.Min(b.DesiredReplicas) == 60 }},
		"MAX_REPLICAS":   {[]string{"MAX_REPLICAS", "3"}, func(_, b s) bool { return slices.Max(b.DesiredReplicas) == 3 }},
		"QUANTILE":       {[]string{"QUANTILE", "0.5", "REACTIVE_FLOOR", "false"}, less},
		"HEADROOM":       {[]string{"HEADROOM", "1.5"}, more},
		"UP_MAX_FACTOR_PER_STEP": {[]string{"UP_MAX_FACTOR_PER_STEP", "1.2", "REACTIVE_FLOOR", "false"}, func(a, b s) bool {
			return b.DesiredReplicas[0] < a.DesiredReplicas[0]
		}},
		"DOWN_MAX_PERCENT_PER_STEP": {[]string{"DOWN_MAX_PERCENT_PER_STEP", "1", "REACTIVE_FLOOR", "false"}, func(a, b s) bool {
			return b.DesiredReplicas[0] == a.DesiredReplicas[0]-1 && b.DesiredReplicas[1] == a.DesiredReplicas[0]-2 // a pod at a time
		}},
		"PREWARM_WINDOW_STEPS": {[]string{"PREWARM_WINDOW_STEPS", "30", "EVENTS", "2026-12-24T20:30/2026-12-24T23:00 x3"}, func(a, b s) bool {
			return b.DesiredReplicas[0] > a.DesiredReplicas[0] && b.DesiredReplicas[0] == b.DesiredReplicas[30]
		}},
		"REACTIVE_FLOOR": {[]string{"REACTIVE_FLOOR", "false"}, less},
		"NOWCAST_LIFT":   {[]string{"NOWCAST_LIFT", "true"}, more},
		"SHADOW":         {[]string{"SHADOW", "true"}, func(a, b s) bool { return a.Mode != forecast.Shadow && b.Mode == forecast.Shadow }},
		"HPA_TOLERANCE":  {[]string{"HPA_TOLERANCE", "0.1"}, more},
		"MODEL":          {[]string{"MODEL", "naive"}, func(a, b s) bool { return a.Model == "baseline" && b.Model == "naive" }},
		"ORDER": {[]string{"MODEL", "arima", "ORDER", "0,1,0", "WINDOW", "6h"}, func(_, b s) bool {
			return slices.Min(b.Values) == slices.Max(b.Values) // a random walk stays where it is
		}},
		"QUANTILES":            {[]string{"QUANTILES", "0.2,0.8"}, func(_, b s) bool { return len(b.Quantiles) == 3 && b.Quantiles[0].Level == 0.2 }},
		"STEP":                 {[]string{"STEP", "5m"}, func(_, b s) bool { return b.StepSeconds == 300 && len(b.Values) == 12 }},
		"WINDOW":               {[]string{"WINDOW", "1d"}, other},
		"HORIZON":              {[]string{"HORIZON", "2h"}, func(_, b s) bool { return b.HorizonSeconds == 7200 && len(b.DesiredReplicas) == 120 }},
		"INTERVAL":             {[]string{"INTERVAL", "2m"}, func(a, b s) bool { return a.IntervalSeconds == 60 && b.IntervalSeconds == 120 }},
		"TRAIN_INTERVAL":       {[]string{"TRAIN_INTERVAL", "12h"}, other},
		"TRAIN_CHECK_INTERVAL": {[]string{"TRAIN_INTERVAL", "12h", "TRAIN_CHECK_INTERVAL", "5m"}, other},
		"TIMEZONE":             {[]string{"TIMEZONE", "Asia/Tokyo", "HOLIDAYS", "DE"}, other}, // where Christmas is five hours old
		"HOLIDAYS":             {[]string{"HOLIDAYS", "DE", "HORIZON", "6h"}, func(_, b s) bool { return b.Values[300] < b.Values[60] }},
		"EVENTS":               {[]string{"EVENTS", "2026-12-24T20:30/2026-12-24T23:00 x3"}, func(a, b s) bool { return b.Values[45] > 2*a.Values[45] }},
	}
}

func TestWorkloadSettingsHaveTheirEffect(t *testing.T) {
	without := published(t)
	for _, e := range effects() {
		if with := published(t, e.settings...); !e.seen(without, with) {
			t.Errorf("%v is not seen in what is published:\n%v %v\n%v %v", e.settings, without.DesiredReplicas, without.Values, with.DesiredReplicas, with.Values)
		}
	}
}

// A source over TLS: the authority, the certificate and the key of the
// configuration are those of the connection.
func TestSourceTLSSettingsHaveTheirEffect(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(answerRange))
	defer server.Close()
	dir := t.TempDir()
	ca := filepath.Join(dir, "ca.pem")
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(ca, authority, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		ca, name string
		want     bool
	}{{ca, "example.com", true}, {ca, "example.org", false}, {ca, "", false}, {"", "example.com", false}} {
		s, err := load(t.Context(), vars("PROMETHEUS_URL", server.URL, "PROMETHEUS_CA_FILE", tt.ca, "PROMETHEUS_SERVER_NAME", tt.name))
		if err != nil {
			t.Fatal(err)
		}
		_, workloads, err := open(s, prometheus.NewRegistry(), slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := workloads[0].Source.Collect(t.Context(), 3600); (err == nil) != tt.want {
			t.Errorf("PROMETHEUS_CA_FILE=%s PROMETHEUS_SERVER_NAME=%s: Collect = %v; want trust %t", tt.ca, tt.name, err, tt.want)
		}
	}
	s, err := load(t.Context(), vars("PROMETHEUS_URL", server.URL, "PROMETHEUS_CERT_FILE", filepath.Join(dir, "none.crt"), "PROMETHEUS_KEY_FILE", filepath.Join(dir, "none.key")))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := open(s, prometheus.NewRegistry(), slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "none.crt") {
		t.Errorf("PROMETHEUS_CERT_FILE that is not there: %v", err)
	}
}

// A recording is replayed from where and as fast as is asked, each workload's
// own instead of the common one.
func TestRecordingSettingsHaveTheirEffect(t *testing.T) {
	common, own := recording(t), filepath.Join(t.TempDir(), "own.csv")
	var csv strings.Builder
	for i := range 3 * 1440 {
		fmt.Fprintf(&csv, "%s,7\n", time.Date(2024, 3, 4, 0, i, 0, 0, time.UTC).Format(time.RFC3339))
	}
	if err := os.WriteFile(own, []byte("timestamp,value\n"+csv.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := load(t.Context(), env.Vars{
		"WORKLOADS": "shop/a,shop/b", "SOURCE": "recorded", "DEFAULT_TARGET_PER_POD": "1", "DEFAULT_WINDOW": "1d",
		"RECORDED_FILE": common, "WORKLOAD_SHOP_B_RECORDED_FILE": own, "RECORDED_FROM": "2024-03-05T12:00:00Z", "RECORDED_SPEED": "3600",
	})
	if err != nil {
		t.Fatal(err)
	}
	now, workloads, err := open(s, prometheus.NewRegistry(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	from := time.Date(2024, 3, 5, 12, 0, 0, 0, time.UTC)
	if begin := now.Now(); begin.Before(from) || begin.After(from.Add(time.Hour)) {
		t.Errorf("begins at %v; want RECORDED_FROM, %v", begin, from)
	}
	began := now.Now()
	time.Sleep(100 * time.Millisecond)
	if passed := now.Now().Sub(began); passed < 5*time.Minute {
		t.Errorf("%v passed in a tenth of a second; want an hour a second", passed)
	}
	for i, want := range []bool{false, true} {
		frame, err := workloads[i].Source.Collect(t.Context(), 3600)
		if err != nil || slices.Max(frame.Values) == 7 != want {
			t.Errorf("%s: %v, %v; want its own recording: %t", workloads[i].Name, frame.Values, err, want)
		}
	}
}

// A recording goes on after its end where that is asked for.
func TestRecordedLoopHasItsEffect(t *testing.T) {
	for _, loop := range []bool{false, true} {
		s, err := load(t.Context(), env.Vars{
			"WORKLOADS": "shop/a", "SOURCE": "recorded", "DEFAULT_TARGET_PER_POD": "1", "DEFAULT_WINDOW": "1d",
			"RECORDED_FILE": recording(t), "RECORDED_FROM": "2024-03-07T06:00:00Z", "RECORDED_LOOP": strconv.FormatBool(loop),
		})
		if err != nil {
			t.Fatal(err)
		}
		_, workloads, err := open(s, prometheus.NewRegistry(), slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		frame, err := workloads[0].Source.Collect(t.Context(), 3600)
		if (err == nil) != loop {
			t.Errorf("RECORDED_LOOP=%t, six hours after the end: %v, %v; want data: %t", loop, frame, err, loop)
		}
	}
}

// A service that forecasts is asked at its address with its token, and not for
// longer than it may take.
func TestServiceSettingsHaveTheirEffect(t *testing.T) {
	tokens := make(chan string, 100)
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tokens <- r.Header.Get("Authorization")
		_, _ = io.Copy(io.Discard, r.Body)
		select {
		case <-r.Context().Done():
		case <-time.After(2 * time.Second):
			http.Error(w, "late", http.StatusTeapot)
		}
	}))
	defer service.Close()
	began := time.Now()
	s := published(t, "MODEL", "byom", "BYOM_URL", service.URL, "BYOM_TOKEN", "s3cret", "BYOM_TIMEOUT", "100ms", "WINDOW", "1d")
	if token := <-tokens; token != "Bearer s3cret" || !strings.HasSuffix(s.Model, "for byom") {
		t.Errorf("asked with %q, forecast by %q; want the token, and a stand-in after 100ms (took %v)", token, s.Model, time.Since(began))
	}
}
