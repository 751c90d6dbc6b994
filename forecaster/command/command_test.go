package command_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/kedastral/kedastral/forecaster/backtest"
	"github.com/kedastral/kedastral/forecaster/capacity"
	"github.com/kedastral/kedastral/forecaster/command"
	"github.com/kedastral/kedastral/forecaster/engine"
	"github.com/kedastral/kedastral/forecaster/models"
	"github.com/kedastral/kedastral/forecaster/models/catalog"
	"github.com/kedastral/kedastral/forecaster/series"
)

var first = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)

// load is a day between 100 and 500 with a little unrest.
func load(at time.Time) float64 {
	minute := at.Unix() / 60
	return 300 - 200*math.Cos(2*math.Pi*float64(minute%1440)/1440) + float64(minute*7919%13)
}

// recorded is a file of the load in steps of five minutes.
func recorded(t *testing.T, days int) string { return recordedFrom(t, first, days, 1) }

// recordedFrom is that from an instant on, the last two hours times jump.
func recordedFrom(t *testing.T, start time.Time, days int, jump float64) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("timestamp,value\n")
	for i := range days * 288 {
		at := start.Add(time.Duration(i) * 5 * time.Minute)
		v := load(at)
		if i >= days*288-24 {
			v *= jump
		}
		fmt.Fprintf(&b, "%d,%g\n", at.Unix(), v)
	}
	path := filepath.Join(t.TempDir(), "load.csv")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func commands() (command.Command, *bytes.Buffer) {
	var out bytes.Buffer
	return command.Command{Stdout: &out, Stderr: &out}, &out
}

func TestForecastPrintsARowAStep(t *testing.T) {
	path := recorded(t, 6)
	for _, model := range catalog.Names() {
		if model == "byom" {
			continue // it needs a service: see its own room
		}
		c, out := commands()
		if err := c.Forecast(t.Context(), []string{"-history", path, "-step", "300s", "-horizon", "3600s", "-quantiles", "0.5,0.9,0.975", "-model", model}); err != nil {
			t.Errorf("%s: %v", model, err)
			continue
		}
		rows, err := csv.NewReader(out).ReadAll()
		if err != nil || len(rows) != 13 || strings.Join(rows[0], ",") != "timestamp,step,q50,q90,q97.5" {
			t.Errorf("%s printed %d rows under %v, %v; want a header and 12", model, len(rows), rows[0], err)
			continue
		}
		for h, row := range rows[1:] {
			at := first.AddDate(0, 0, 6).Add(time.Duration(h) * 5 * time.Minute)
			if row[0] != strconv.FormatInt(at.Unix(), 10) || row[1] != strconv.Itoa(h+1) {
				t.Errorf("%s, row %d: %v; want step %d at %d", model, h, row, h+1, at.Unix())
			}
			if q50, err := strconv.ParseFloat(row[2], 64); err != nil || math.Abs(q50-load(at)) > 60 {
				t.Errorf("%s, step %d: median %s; want about %.0f", model, h+1, row[2], load(at))
			}
		}
	}
}

func TestForecastSaysWhatIsMissing(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.csv")
	if err := os.WriteFile(empty, []byte("timestamp,value\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"-history", "/nowhere.csv"}, "/nowhere.csv"},
		{[]string{"-history", empty}, "no samples"},
		{[]string{"-history", recorded(t, 2), "-horizon", "7m"}, "multiple of the step"},
		{[]string{"-history", recorded(t, 2), "-model", "oracle"}, "oracle"},
		{[]string{"-history", recorded(t, 2), "-timezone", "Mars"}, "Mars"},
		{[]string{"-history", recorded(t, 2), "-quantiles", "0.9,0.5"}, "ascend"},
	} {
		c, _ := commands()
		if err := c.Forecast(t.Context(), tt.args); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("forecast %v: %v; want an error with %q", tt.args, err, tt.want)
		}
	}
}

func TestBacktestReports(t *testing.T) {
	dir := t.TempDir()
	page, forecasts := filepath.Join(dir, "report.html"), filepath.Join(dir, "forecasts.csv")
	c, out := commands()
	err := c.Backtest(t.Context(), []string{
		"-history", recorded(t, 5), "-last", "12h", "-window", "4d", "-refresh", "30m", "-horizon", "1h", "-startup", "10m", "-model", "baseline",
		"-quantiles", "0.5,0.9", "-quantile", "0.9", "-price", "0.1", "-json", "-html", page, "-forecasts", forecasts,
	})
	if err != nil {
		t.Fatal(err)
	}
	var r backtest.Report
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatalf("%v in\n%s", err, out)
	}
	if r.Accuracy.Origins != 24 || len(r.Frontier) != 2 || r.Startup != 600 || r.Policies[0].Cost <= 0 {
		t.Errorf("report %+v; want 24 origins, two quantiles, the start-up and the price given", r)
	}
	if html, err := os.ReadFile(page); err != nil || !bytes.Contains(html, []byte("<svg")) {
		t.Errorf("the page: %v, %d bytes", err, len(html))
	}
	f, err := os.Open(forecasts)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil || len(rows) != 1+24*12 || strings.Join(rows[0], ",") != "origin,step,q50,q90" || rows[1][1] != "1" {
		t.Errorf("%d rows of forecasts under %v, %v; want 24 origins of 12 steps", len(rows), rows[0], err)
	}
	if want := strconv.FormatInt(first.AddDate(0, 0, 5).Add(-12*time.Hour).Unix(), 10); rows[1][0] != want {
		t.Errorf("the first origin is %s; want the start of the last 12 hours, %s", rows[1][0], want)
	}
}

func TestBacktestFailsOnItsThreshold(t *testing.T) {
	path := recorded(t, 4)
	args := []string{"-history", path, "-last", "12h", "-window", "2d", "-refresh", "1h", "-model", "naive", "-startup", "30m", "-quantile", "0.5"}
	c, out := commands()
	if err := c.Backtest(t.Context(), append(args, "-max-slo-minutes", "0")); !errors.Is(err, command.ErrThreshold) {
		t.Errorf("a last-value forecast of a rising load with no minute allowed: %v; want ErrThreshold\n%s", err, out)
	}
	if err := c.Backtest(t.Context(), append(args, "-max-slo-minutes", "1440")); err != nil {
		t.Errorf("with every minute allowed: %v", err)
	}
}

// source is a history that was already read.
type source struct{ series.DataFrame }

func (source) Name() string { return "memory" }

func (s source) Collect(_ context.Context, windowSeconds int) (series.DataFrame, error) {
	return s.Window(s.End().Add(-time.Duration(windowSeconds)*time.Second), s.End()), nil
}

// A configured workload is replayed as it is configured.
func TestBacktestOfAWorkload(t *testing.T) {
	past := series.DataFrame{Start: first, Step: 5 * time.Minute}
	for i := range 5 * 288 {
		past.Values = append(past.Values, load(first.Add(time.Duration(i)*past.Step)))
	}
	c, out := commands()
	c.Workload = func(_ context.Context, name string) (engine.Workload, error) {
		if name != "shop/web" {
			return engine.Workload{}, errors.New("unknown")
		}
		return engine.Workload{
			Name: name, Metric: "requests", Source: source{past}, Step: past.Step, Interval: past.Step, TrainInterval: time.Hour, Window: 48 * time.Hour, Horizon: time.Hour,
			NewModel: func() (models.Model, error) { return catalog.New("baseline", models.Options{Levels: []float64{0.8}}) },
			Rules:    capacity.Rules{Policy: capacity.Policy{TargetPerPod: 25, MaxReplicas: 50, Quantile: 0.8}},
		}, nil
	}
	if err := c.Backtest(t.Context(), []string{"-workload", "shop/web", "-last", "6h"}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"shop/web", "requests", "baseline", "planned for 25 a pod", "p80"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the report lacks %q:\n%s", want, out)
		}
	}
	if err := c.Backtest(t.Context(), []string{"-workload", "shop/web", "-quantile", "0.5"}); !errors.Is(err, command.ErrUsage) || !strings.Contains(err.Error(), "-quantile") {
		t.Errorf("-quantile beside -workload: %v; want a usage error that names it", err)
	}
	if err := c.Backtest(t.Context(), []string{"-workload", "shop/nobody"}); err == nil {
		t.Error("an unknown workload: no error")
	}
}
