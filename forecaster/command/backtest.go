package command

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kedastral/kedastral/forecaster/backtest"
	"github.com/kedastral/kedastral/forecaster/capacity"
	"github.com/kedastral/kedastral/forecaster/engine"
	"github.com/kedastral/kedastral/forecaster/features"
	"github.com/kedastral/kedastral/forecaster/models"
	"github.com/kedastral/kedastral/forecaster/models/catalog"
	"github.com/kedastral/kedastral/forecaster/series"
)

// backtestFlags are what a backtest is asked; a zero value was not set.
type backtestFlags struct {
	history, workload, model             string
	step, horizon, refresh, train        duration
	last, window                         duration
	startup, lead, settle                duration
	quantiles                            levels
	quantile, target, capacity, headroom float64
	lowest, highest                      int
	price, limit                         float64
	zone                                 zone
	forecasts, html                      string
	json                                 bool
}

// Backtest replays the newest part of a history and reports what predictive
// scaling would have done with it. It is [ErrThreshold] when more minutes were
// under-provisioned than -max-slo-minutes allows.
func (c Command) Backtest(ctx context.Context, args []string) error {
	o, help, err := c.backtestFlags(args)
	if help || err != nil {
		return err
	}
	w, past, err := c.subject(ctx, o)
	if err != nil {
		return err
	}
	replay, err := backtest.Run(ctx, w, past, time.Duration(o.last), c.progress())
	if err != nil {
		return err
	}
	if o.forecasts != "" {
		if err := toFile(o.forecasts, func(f io.Writer) error { return writeForecasts(f, replay) }); err != nil {
			return err
		}
	}
	report, err := backtest.NewReport(replay, o.setting(w), tried(replay), o.limit)
	if err != nil {
		return err
	}
	if err := c.print(report, o); err != nil {
		return err
	}
	if got := report.Policies[0].PerDay; o.limit >= 0 && got > o.limit {
		return fmt.Errorf("%w: %.1f under-provisioned minutes a day, -max-slo-minutes is %g", ErrThreshold, got, o.limit)
	}
	return nil
}

func (c Command) backtestFlags(args []string) (o backtestFlags, help bool, err error) {
	f := flag.NewFlagSet("forecaster backtest", flag.ContinueOnError)
	f.SetOutput(c.Stderr)
	o = backtestFlags{
		train: duration(5 * time.Minute), last: duration(3 * 24 * time.Hour), window: duration(8 * 24 * time.Hour),
		startup: duration(3 * time.Minute), settle: duration(15 * time.Second),
		quantiles: levels{0.5, 0.75, 0.9, 0.95, 0.975, 0.99}, zone: zone{time.UTC},
	}
	f.StringVar(&o.history, "history", "", "recorded metric: timestamp,value with Unix seconds or RFC 3339")
	f.StringVar(&o.workload, "workload", "", "configured workload to replay instead, NAMESPACE/NAME; its settings are its own")
	f.StringVar(&o.model, "model", "auto", "model that forecasts")
	f.Var(&o.step, "step", "step of history and forecast; told from the history by default")
	f.Var(&o.horizon, "horizon", "how far to forecast; by default as far as the lead time asks")
	f.Var(&o.refresh, "refresh", "how often to forecast; by default every step, as the forecaster does")
	f.Var(&o.train, "train", "how often to fit anew; at least as long as -refresh")
	f.Var(&o.last, "last", "newest part of the history to replay")
	f.Var(&o.window, "window", "history a forecast sees")
	f.Var(&o.quantiles, "quantiles", "quantile levels to forecast and to try")
	f.Float64Var(&o.quantile, "quantile", 0.95, "quantile to plan for; one of -quantiles")
	f.Float64Var(&o.target, "target-per-pod", 0, "load to plan for a pod; by default the 99th percentile of the load makes 20 pods")
	f.Float64Var(&o.capacity, "capacity-per-pod", 0, "load a ready pod serves; by default -target-per-pod")
	f.Float64Var(&o.headroom, "headroom", 1, "factor on the load planned for")
	f.IntVar(&o.lowest, "min-replicas", 1, "fewest pods")
	f.IntVar(&o.highest, "max-replicas", 1000, "most pods")
	f.Var(&o.startup, "startup", "from a pod's creation until it serves")
	f.Var(&o.lead, "lead", "the scaler's lead time; by default -startup and 90 s")
	f.Var(&o.settle, "settle", "how long after a step its value is known")
	f.Float64Var(&o.price, "price", 0, "price of a pod-hour")
	f.Float64Var(&o.limit, "max-slo-minutes", -1, "under-provisioned minutes a day that are still fine; more fail the command")
	f.Var(&o.zone, "timezone", "zone whose days and weeks the load follows")
	f.StringVar(&o.forecasts, "forecasts", "", "file for every forecast made: origin,step and the quantiles")
	f.StringVar(&o.html, "html", "", "file for the report as one page")
	f.BoolVar(&o.json, "json", false, "print the report as JSON")
	if help, err = parse(f, args); help || err != nil {
		return o, help, err
	}
	if (o.history == "") == (o.workload == "") {
		return o, false, fmt.Errorf("%w: one of -history and -workload is required", ErrUsage)
	}
	if o.history != "" && !slices.Contains(o.quantiles, o.quantile) {
		return o, false, fmt.Errorf("%w: -quantile %v: must be one of -quantiles %s", ErrUsage, o.quantile, o.quantiles.String())
	}
	if o.lead == 0 {
		o.lead = o.startup + duration(90*time.Second)
	}
	return o, false, nil
}

// subject is the workload to replay and its history.
func (c Command) subject(ctx context.Context, o backtestFlags) (engine.Workload, series.DataFrame, error) {
	if o.workload == "" {
		return o.recorded()
	}
	w, err := c.Workload(ctx, o.workload)
	if err != nil {
		return engine.Workload{}, series.DataFrame{}, err
	}
	past, err := w.Source.Collect(ctx, int((time.Duration(o.last)+w.Window+w.TrainInterval)/time.Second))
	if err != nil {
		return engine.Workload{}, series.DataFrame{}, fmt.Errorf("reading %s from %s: %w", w.Metric, w.Source.Name(), err)
	}
	return w, past, nil
}

// recorded is a file's history and the workload the flags describe.
func (o backtestFlags) recorded() (engine.Workload, series.DataFrame, error) {
	past, err := history(o.history, time.Duration(o.step))
	if err != nil {
		return engine.Workload{}, past, err
	}
	if _, err := catalog.New(o.model, models.Options{}); err != nil {
		return engine.Workload{}, past, fmt.Errorf("%w: -model: %w", ErrUsage, err)
	}
	whole := func(d duration) time.Duration { return (time.Duration(d) + past.Step - 1) / past.Step * past.Step }
	if o.refresh == 0 {
		o.refresh = duration(past.Step)
	}
	if o.horizon == 0 {
		o.horizon = o.lead + o.refresh + duration(past.Step)
	}
	if o.target == 0 {
		o.target = peak(past) / 20
	}
	metric := strings.TrimSuffix(filepath.Base(o.history), filepath.Ext(o.history))
	w := engine.Workload{
		Name: "backtest/history", Metric: metric, Step: past.Step,
		NewModel: func() (models.Model, error) { return catalog.New(o.model, models.Options{Levels: o.quantiles}) },
		Interval: whole(o.refresh),
		Window:   whole(o.window),
		Horizon:  whole(o.horizon),
		Calendar: features.Calendar{Location: o.zone.Location},
		Rules:    capacity.Rules{Policy: capacity.Policy{TargetPerPod: o.target, Headroom: o.headroom, MinReplicas: o.lowest, MaxReplicas: o.highest, Quantile: o.quantile}},
	}
	w.TrainInterval = max(whole(o.train), w.Interval)
	if err := w.Rules.Validate(); err != nil {
		return w, past, fmt.Errorf("%w: %w", ErrUsage, err)
	}
	return w, past, nil
}

// peak is the 99th percentile of the observed load.
func peak(past series.DataFrame) float64 {
	var seen []float64
	for _, v := range past.Values {
		if series.Observed(v) {
			seen = append(seen, v)
		}
	}
	slices.Sort(seen)
	if len(seen) == 0 || seen[len(seen)-1] <= 0 {
		return 1
	}
	if p := seen[len(seen)*99/100]; p > 0 {
		return p
	}
	return seen[len(seen)-1]
}

func (o backtestFlags) setting(w engine.Workload) backtest.Setting {
	s := backtest.Setting{
		Startup: time.Duration(o.startup), Lead: time.Duration(o.lead), Settle: time.Duration(o.settle),
		CapacityPerPod: o.capacity, PodHourPrice: o.price,
	}
	if s.CapacityPerPod == 0 {
		s.CapacityPerPod = w.Rules.TargetPerPod
	}
	return s
}

// tried are the quantiles of the frontier: all that were forecast.
func tried(r backtest.Replay) []float64 {
	var out []float64
	for _, q := range r.Origins[0].Snapshot.Quantiles {
		out = append(out, q.Level)
	}
	return out
}

func (c Command) print(r backtest.Report, o backtestFlags) error {
	if o.html != "" {
		if err := toFile(o.html, r.WriteHTML); err != nil {
			return err
		}
	}
	if !o.json {
		return r.WriteText(c.Stdout)
	}
	e := json.NewEncoder(c.Stdout)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// toFile writes a file and tells of anything that kept it from being whole.
func toFile(path string, write func(io.Writer) error) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() {
		if closed := f.Close(); err == nil {
			err = closed
		}
	}()
	w := bufio.NewWriter(f)
	if err := write(w); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return w.Flush()
}

// writeForecasts prints every forecast of the replay, one row a step.
func writeForecasts(w io.Writer, r backtest.Replay) error {
	var b strings.Builder
	b.WriteString("origin,step")
	for _, q := range r.Origins[0].Snapshot.Quantiles {
		b.WriteString("," + column(q.Level))
	}
	for _, o := range r.Origins {
		s := o.Snapshot
		for h := range s.Values {
			fmt.Fprintf(&b, "\n%d,%d", s.GeneratedAt.Unix(), h+1)
			for _, q := range s.Quantiles {
				b.WriteString("," + strconv.FormatFloat(q.Values[h], 'g', 8, 64))
			}
		}
		if _, err := io.WriteString(w, b.String()); err != nil {
			return err
		}
		b.Reset()
	}
	_, err := fmt.Fprintln(w)
	return err
}

// progress draws a bar where a person watches.
func (c Command) progress() func(done, total int) {
	f, ok := c.Stderr.(*os.File)
	if !ok {
		return nil
	}
	if info, err := f.Stat(); err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return nil
	}
	const width = 40
	return func(done, total int) {
		full := int(math.Round(float64(width*done) / float64(total)))
		fmt.Fprintf(f, "\rreplaying [%s%s] %d of %d", strings.Repeat("█", full), strings.Repeat("·", width-full), done, total)
		if done == total {
			fmt.Fprint(f, "\r\033[K")
		}
	}
}
