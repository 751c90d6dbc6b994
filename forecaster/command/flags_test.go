package command_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kedastral/kedastral/forecaster/backtest"
	"github.com/kedastral/kedastral/forecaster/command"
)

// reported is what a backtest with the flags says.
func reported(t *testing.T, args ...string) (r backtest.Report) {
	t.Helper()
	c, out := commands()
	if err := c.Backtest(t.Context(), args); err != nil {
		t.Fatalf("backtest %v: %v", args, err)
	}
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatalf("backtest %v: %v in\n%s", args, err, out)
	}
	return r
}

// outcome is the configured policy's.
func outcome(r backtest.Report) backtest.Outcome { return r.Policies[0] }

// hill is a service that forecasts a load far above all others, after a while.
func hill(t *testing.T, after time.Duration, asked *atomic.Int32) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		var q struct {
			Origins []int
			Horizon int
		}
		_ = json.NewDecoder(r.Body).Decode(&q)
		time.Sleep(after)
		one := `{"values":[` + strings.TrimSuffix(strings.Repeat("9000,", q.Horizon), ",") + `]}`
		fmt.Fprint(w, `{"forecasts":[`+strings.TrimSuffix(strings.Repeat(one+",", len(q.Origins)), ",")+`]}`)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

type flagEffect struct {
	base, with []string
	seen       func(without, with backtest.Report) bool
}

func flagEffects(t *testing.T) map[string]flagEffect {
	type r = backtest.Report
	accuracy := func(a, b r) bool { return a.Accuracy.MASE != b.Accuracy.MASE }
	pods := func(a, b r) bool { return outcome(b).PodHours > outcome(a).PodHours }
	fewer := func(a, b r) bool { return outcome(b).PodHours < outcome(a).PodHours }
	var asked atomic.Int32
	quick, slow := hill(t, 0, &asked), hill(t, 200*time.Millisecond, &asked)
	spring := recordedFrom(t, time.Date(2026, 3, 26, 0, 0, 0, 0, time.UTC), 4, 1) // clocks go forward on the 29th
	return map[string]flagEffect{
		"model":            {nil, []string{"-model", "naive"}, func(a, b r) bool { return a.Model == "baseline" && b.Model == "naive" }},
		"order":            {[]string{"-model", "arima"}, []string{"-order", "0,1,0"}, accuracy},
		"byom-url":         {[]string{"-last", "1h"}, []string{"-model", "byom", "-byom-url", quick}, func(a, b r) bool { return asked.Load() > 0 && b.Accuracy.MASE > 100*a.Accuracy.MASE }},
		"byom-timeout":     {[]string{"-last", "1h", "-model", "byom", "-byom-url", slow}, []string{"-byom-timeout", "1ms"}, func(a, b r) bool { return b.Accuracy.MASE < a.Accuracy.MASE/100 }},
		"step":             {nil, []string{"-step", "10m"}, func(a, b r) bool { return a.Step == 300 && b.Step == 600 }},
		"horizon":          {nil, []string{"-horizon", "2h"}, func(_, b r) bool { return b.Horizon == 7200 }},
		"refresh":          {nil, []string{"-refresh", "1h"}, func(a, b r) bool { return a.Accuracy.Origins == 6 && b.Accuracy.Origins == 3 }},
		"train":            {nil, []string{"-train", "1d"}, accuracy},
		"train-check":      {[]string{"-history", recordedFrom(t, first, 5, 3), "-train", "1d"}, []string{"-train-check", "5m"}, accuracy},
		"last":             {nil, []string{"-last", "6h"}, func(_, b r) bool { return b.Accuracy.Origins == 12 && b.To.Sub(b.From) == 6*time.Hour }},
		"window":           {nil, []string{"-window", "6h"}, accuracy},
		"quantiles":        {nil, []string{"-quantiles", "0.7,0.95"}, func(_, b r) bool { return len(b.Frontier) == 2 && b.Frontier[0].Quantile == 0.7 }},
		"quantile":         {nil, []string{"-quantile", "0.5"}, func(a, b r) bool { return outcome(a).Quantile == 0.95 && outcome(b).Quantile == 0.5 }},
		"target-per-pod":   {nil, []string{"-target-per-pod", "5"}, pods},
		"capacity-per-pod": {nil, []string{"-capacity-per-pod", "10"}, func(a, b r) bool { return b.Capacity == 10 && outcome(b).UnservedPercent > outcome(a).UnservedPercent }},
		"headroom":         {nil, []string{"-headroom", "1.5"}, pods},
		"nowcast-lift":     {nil, []string{"-nowcast-lift"}, pods},
		"hpa-tolerance":    {nil, []string{"-hpa-tolerance", "0.2"}, pods},
		"min-replicas":     {nil, []string{"-min-replicas", "40"}, pods},
		"max-replicas":     {nil, []string{"-max-replicas", "5"}, fewer},
		"down-max-percent": {[]string{"-target-per-pod", "1"}, []string{"-down-max-percent", "1"}, pods},
		"startup":          {nil, []string{"-startup", "1h"}, func(_, b r) bool { return b.Startup == 3600 && b.Lead == 3690 }},
		"lead":             {nil, []string{"-lead", "2h"}, func(_, b r) bool { return b.Lead == 7200 }},
		"settle": {nil, []string{"-settle", "10m"}, func(a, b r) bool {
			return outcome(a).UnderProvisioned != outcome(b).UnderProvisioned || outcome(a).PodHours != outcome(b).PodHours
		}},
		"price":    {nil, []string{"-price", "0.5"}, func(a, b r) bool { return outcome(a).Cost == 0 && outcome(b).Cost == 0.5*outcome(b).PodHours }},
		"timezone": {[]string{"-history", spring, "-window", "3d"}, []string{"-timezone", "Europe/Berlin"}, accuracy},
	}
}

// Every flag of the command changes what it reports, as named here or in a test
// of its own; one that is missing fails the test.
func TestBacktestFlagsHaveTheirEffect(t *testing.T) {
	elsewhere := map[string]string{
		"history": "TestBacktestReports", "forecasts": "TestBacktestReports", "html": "TestBacktestReports", "json": "TestBacktestReports",
		"workload": "TestBacktestOfAWorkload", "max-slo-minutes": "TestBacktestFailsOnItsThreshold",
	}
	effects := flagEffects(t)
	c, out := commands()
	if err := c.Backtest(t.Context(), []string{"-help"}); err != nil {
		t.Fatal(err)
	}
	flags := regexp.MustCompile(`(?m)^  -([a-z-]+)`).FindAllStringSubmatch(out.String(), -1)
	if len(flags) < 20 {
		t.Fatalf("-help tells of %d flags:\n%s", len(flags), out)
	}
	for _, f := range flags {
		if _, tried := effects[f[1]]; !tried && elsewhere[f[1]] == "" {
			t.Errorf("no test says what -%s does", f[1])
		}
	}
	common := []string{"-history", recorded(t, 5), "-last", "3h", "-window", "3d", "-refresh", "30m", "-model", "baseline", "-startup", "10m", "-json"}
	for name, e := range effects {
		base := append(append([]string{}, common...), e.base...)
		without, with := reported(t, base...), reported(t, append(base, e.with...)...)
		if !e.seen(without, with) {
			t.Errorf("-%s: not seen in the report:\n%+v %+v\n%+v %+v", name, without, outcome(without), with, outcome(with))
		}
	}
}

// A bar is drawn on a terminal only: a file or a pipe is no place for it.
func TestProgressIsDrawnWhereItIsWatched(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	device, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer device.Close()
	if (command.Command{Stderr: file}).Progress() != nil || (command.Command{Stderr: &bytes.Buffer{}}).Progress() != nil {
		t.Error("a bar is drawn into a file or a buffer")
	}
	if (command.Command{Stderr: device}).Progress() == nil {
		t.Error("no bar is drawn on a character device")
	}
	var drawn bytes.Buffer
	draw := command.Bar(&drawn)
	draw(1, 4)
	if got, want := drawn.String(), "\rreplaying ["+strings.Repeat("█", 10)+strings.Repeat("·", 30)+"] 1 of 4"; got != want {
		t.Errorf("a quarter done is drawn as %q, want %q", got, want)
	}
	if draw(4, 4); !strings.HasSuffix(drawn.String(), "4 of 4\r\033[K") {
		t.Errorf("at the end the bar stays: %q", drawn.String())
	}
}
