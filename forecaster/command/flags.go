package command

import (
	"flag"
	"fmt"
	"path/filepath"
	"slices"
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
	options                              models.Options
	step, horizon, refresh, train, check duration
	last, window                         duration
	startup, lead, settle                duration
	quantiles                            levels
	quantile, target, capacity, headroom float64
	lowest, highest, down                int
	price, limit                         float64
	zone                                 zone
	forecasts, html                      string
	json, lift                           bool
	tolerance                            float64
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
	modelFlags(f, &o.options)
	f.Var(&o.step, "step", "step of history and forecast; told from the history by default")
	f.Var(&o.horizon, "horizon", "how far to forecast; by default as far as the lead time asks")
	f.Var(&o.refresh, "refresh", "how often to forecast; by default every step, as the forecaster does")
	f.Var(&o.train, "train", "how often to fit anew; at least as long as -refresh")
	f.Var(&o.check, "train-check", "how often to fit anew before that where the loads left the forecast's band; by default not at all")
	f.Var(&o.last, "last", "newest part of the history to replay")
	f.Var(&o.window, "window", "history a forecast sees")
	f.Var(&o.quantiles, "quantiles", "quantile levels to forecast and to try")
	f.Float64Var(&o.quantile, "quantile", 0.95, "quantile to plan for; one of -quantiles")
	f.Float64Var(&o.target, "target-per-pod", 0, "load to plan for a pod; by default the 99th percentile of the load makes 20 pods")
	f.Float64Var(&o.capacity, "capacity-per-pod", 0, "load a ready pod serves; by default -target-per-pod")
	f.Float64Var(&o.headroom, "headroom", 1, "factor on the load planned for")
	f.BoolVar(&o.lift, "nowcast-lift", false, "raise the forecast by what the newest step exceeded its own forecast by")
	f.Float64Var(&o.tolerance, "hpa-tolerance", 0, "the HPA's tolerance, where it cannot be set to 0")
	f.IntVar(&o.lowest, "min-replicas", 1, "fewest pods")
	f.IntVar(&o.down, "down-max-percent", 10, "a step has at most this percentage fewer pods than the step before; 0 does not limit")
	f.IntVar(&o.highest, "max-replicas", 1000, "most pods")
	f.Var(&o.startup, "startup", "from a pod's creation until it serves")
	f.Var(&o.lead, "lead", "the scaler's lead time; by default -startup and 90 s")
	f.Var(&o.settle, "settle", "how long after a step its value is known")
	f.Float64Var(&o.price, "price", 0, "price of a pod-hour")
	f.Float64Var(&o.limit, "max-slo-minutes", -1, "under-provisioned minutes a day that are still fine; more fail the command. By default nothing fails, and the recommendation allows a hundredth of the day")
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
	if o.workload != "" {
		if own := configuredFlags(f); len(own) > 0 {
			return o, false, fmt.Errorf("%w: -%s: must not be set with -workload, whose configuration says it", ErrUsage, strings.Join(own, ", -"))
		}
	}
	if o.history != "" && !slices.Contains(o.quantiles, o.quantile) {
		return o, false, fmt.Errorf("%w: -quantile %v: must be one of -quantiles %s", ErrUsage, o.quantile, o.quantiles.String())
	}
	if o.lead == 0 {
		o.lead = o.startup + duration(90*time.Second)
	}
	return o, false, nil
}

// configuredFlags are the flags set that a configured workload answers itself.
func configuredFlags(f *flag.FlagSet) []string {
	var own []string
	f.Visit(func(set *flag.Flag) {
		switch set.Name {
		case "model", "order", "byom-url", "byom-timeout", "step", "horizon", "refresh", "train", "train-check", "window", "quantiles", "quantile", "target-per-pod", "headroom",
			"nowcast-lift", "hpa-tolerance", "min-replicas", "max-replicas", "down-max-percent", "timezone":
			own = append(own, set.Name)
		}
	})
	return own
}

// recorded is a file's history and the workload the flags describe.
func (o backtestFlags) recorded() (engine.Workload, series.DataFrame, error) {
	past, err := history(o.history, time.Duration(o.step))
	if err != nil {
		return engine.Workload{}, past, err
	}
	options := o.options
	options.Levels = o.quantiles
	if _, err := catalog.New(o.model, options); err != nil {
		return engine.Workload{}, past, fmt.Errorf("%w: -model: %w", ErrUsage, err)
	}
	whole := func(d duration) time.Duration {
		return past.Step * max(1, (time.Duration(d)+past.Step-1)/past.Step) //nolint:durationcheck // a step, times a number of steps
	}
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
		Name: backtest.Recorded, Metric: metric, Step: past.Step,
		NewModel: func() (models.Model, error) { return catalog.New(o.model, options) },
		Interval: whole(o.refresh),
		Window:   whole(o.window),
		Horizon:  whole(o.horizon),
		Calendar: features.Calendar{Location: o.zone.Location},
		Rules: capacity.Rules{
			Policy: capacity.Policy{
				TargetPerPod: o.target, Headroom: o.headroom, MinReplicas: o.lowest, MaxReplicas: o.highest, Quantile: o.quantile, DownMaxPercentPerStep: o.down,
			},
			NowcastLift: o.lift, Tolerance: o.tolerance,
		},
	}
	w.TrainInterval = max(whole(o.train), w.Interval)
	if o.check > 0 {
		w.CheckInterval = whole(o.check)
	}
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
