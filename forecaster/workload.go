package main

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/kedastral/kedastral/forecaster/adapters"
	"github.com/kedastral/kedastral/forecaster/calendar"
	"github.com/kedastral/kedastral/forecaster/capacity"
	"github.com/kedastral/kedastral/forecaster/engine"
	"github.com/kedastral/kedastral/forecaster/features"
	"github.com/kedastral/kedastral/forecaster/models"
	"github.com/kedastral/kedastral/forecaster/models/catalog"
	"github.com/kedastral/kedastral/shared/env"
	"github.com/kedastral/kedastral/shared/forecast"
)

// workload is every setting of one workload: WORKLOAD_NAMESPACE_NAME_… or,
// for all that do not say otherwise, DEFAULT_….
type workload struct {
	name string

	Query        string `env:"QUERY" doc:"PromQL query of the load, one series. Required with SOURCE=prometheus."`
	Aggregate    string `env:"AGGREGATE" doc:"sum, max or min over the series, where the query gives more than one. A series missing at one step is then a dip."`
	RecordedFile string `env:"RECORDED_FILE" doc:"CSV to replay instead of RECORDED_FILE's."`
	Metric       string `env:"METRIC, default=load" doc:"What the load is called, for people."`

	TargetPerPod          float64 `env:"TARGET_PER_POD, required" doc:"Load one replica carries, in the unit of the query."`
	MinReplicas           int     `env:"MIN_REPLICAS, default=1" doc:"No plan is below."`
	MaxReplicas           int     `env:"MAX_REPLICAS, default=100" doc:"No plan is above. Keep it at the ScaledObject's maxReplicaCount."`
	Quantile              float64 `env:"QUANTILE, default=0.95" doc:"Plan for this quantile of the forecast load: 0.95 is exceeded one step in twenty. 0 plans for the median."`
	Headroom              float64 `env:"HEADROOM, default=1" doc:"Factor on the load that is planned for."`
	UpMaxFactorPerStep    float64 `env:"UP_MAX_FACTOR_PER_STEP, default=0" doc:"A step has at most this factor of the replicas of the step before. 0 does not limit."`
	DownMaxPercentPerStep int     `env:"DOWN_MAX_PERCENT_PER_STEP, default=10" doc:"A step has at most this percentage fewer replicas than the step before. 0 does not limit."`
	PrewarmWindowSteps    int     `env:"PREWARM_WINDOW_STEPS, default=0" doc:"A step has what any of this many later steps needs, too."`
	ReactiveFloor         bool    `env:"REACTIVE_FLOOR, default=true" doc:"Never publish less than the load observed now needs."`
	NowcastLift           bool    `env:"NOWCAST_LIFT, default=false" doc:"Raise the forecast by what the newest step exceeded its own forecast by."`
	Shadow                bool    `env:"SHADOW, default=false" doc:"Forecast, score and show, but plan from the load observed now."`
	HPATolerance          float64 `env:"HPA_TOLERANCE, default=0" doc:"The HPA's tolerance, where the cluster cannot set it to 0: counts are raised past it."`

	Model         string        `env:"MODEL, default=auto" doc:"Forecasting method."`
	Order         string        `env:"ORDER" doc:"Order of MODEL=arima, p,d,q, or of MODEL=sarima, p,d,q,P,D,Q. Unset: chosen from the data."`
	BYOMURL       string        `env:"BYOM_URL" doc:"Address of the service that forecasts for MODEL=byom."`
	BYOMToken     string        `env:"BYOM_TOKEN" secret:"true" doc:"Bearer token for it."`
	BYOMTimeout   time.Duration `env:"BYOM_TIMEOUT, default=5s" doc:"Time for one question to it; a service that fails or is late is stood in for by auto."`
	Quantiles     []float64     `env:"QUANTILES, default=0.1,0.5,0.75,0.9,0.95,0.99" doc:"Quantile levels to forecast, ascending; QUANTILE is always one."`
	Step          time.Duration `env:"STEP, default=1m" doc:"Length of a step of history and forecast."`
	Window        time.Duration `env:"WINDOW, default=8d" doc:"History a forecast is made from."`
	Horizon       time.Duration `env:"HORIZON" doc:"How far the forecast reaches, at least two intervals. Unset: an hour, or twelve steps if that is more."`
	Interval      time.Duration `env:"INTERVAL" doc:"Time between two forecasts. Unset: a step."`
	TrainInterval time.Duration `env:"TRAIN_INTERVAL" doc:"Time between two fits of the model. Unset: five minutes, or as many whole steps as that needs."`
	TrainCheck    time.Duration `env:"TRAIN_CHECK_INTERVAL" doc:"Time between two looks at whether the loads left the band forecast for them; where they did, the model is fitted anew before TRAIN_INTERVAL is over. Unset: no looks."`
	Timezone      string        `env:"TIMEZONE, default=UTC" doc:"IANA time zone that days, weeks and hours are told by."`
	Holidays      string        `env:"HOLIDAYS" doc:"ISO 3166 code of the country whose public holidays the load knows."`
	Events        string        `env:"EVENTS" doc:"What is known to come or to forget, separated by semicolons: 2026-11-27T08:00/2026-11-27T23:00 x2.5; 2026-10-03/2026-10-03 ignore."`
}

// Validate is asked by env.Load.
func (w *workload) Validate() error {
	errs := []error{
		env.Positive("TARGET_PER_POD", w.TargetPerPod),
		env.AtLeast("MIN_REPLICAS", w.MinReplicas, 0),
		env.Between("MAX_REPLICAS", w.MaxReplicas, max(1, w.MinReplicas), capacity.MaxCount),
		env.AtLeast("HEADROOM", w.Headroom, 1),
		env.Between("DOWN_MAX_PERCENT_PER_STEP", w.DownMaxPercentPerStep, 0, 100),
		env.AtLeast("PREWARM_WINDOW_STEPS", w.PrewarmWindowSteps, 0),
		env.Between("HPA_TOLERANCE", w.HPATolerance, 0, 1),
		env.OneOf("AGGREGATE", w.Aggregate, "", "sum", "max", "min"),
		w.validateModel(),
		w.validateTime(),
	}
	if w.UpMaxFactorPerStep != 0 && !(w.UpMaxFactorPerStep > 1) {
		errs = append(errs, fault("UP_MAX_FACTOR_PER_STEP", w.UpMaxFactorPerStep, "must be greater than 1, or 0 for no limit"))
	}
	if !(w.Quantile >= 0 && w.Quantile < 1) {
		errs = append(errs, fault("QUANTILE", w.Quantile, "must be at least 0 and below 1"))
	}
	return errors.Join(append(errs, w.validateCalendar())...)
}

// validateCalendar is about what is known of certain days.
func (w *workload) validateCalendar() error {
	zone, err := time.LoadLocation(w.Timezone)
	if err != nil || w.Timezone == "Local" {
		return fault("TIMEZONE", w.Timezone, "must be an IANA time zone such as Europe/Berlin")
	}
	var errs []error
	if _, err := calendar.New(zone, w.Holidays, ""); err != nil {
		errs = append(errs, fault("HOLIDAYS", w.Holidays, err.Error()))
	}
	if _, err := calendar.ParseEvents(w.Events, zone); err != nil {
		errs = append(errs, fault("EVENTS", w.Events, err.Error()))
	}
	return errors.Join(errs...)
}

// validateTime is about the lengths of time, all of them whole steps.
func (w *workload) validateTime() error {
	if err := env.WholeSeconds("STEP", w.Step); err != nil {
		return err
	}
	if w.Step > 24*time.Hour {
		return fault("STEP", env.FormatDuration(w.Step), "must be at most 1d")
	}
	return errors.Join(
		w.steps("WINDOW", w.Window, 2, 1_000_000),
		w.steps("HORIZON", w.horizon(), 1, forecast.MaxSteps),
		w.validateHorizon(),
		w.steps("INTERVAL", w.interval(), 1, forecast.MaxSteps),
		w.steps("TRAIN_INTERVAL", w.trainInterval(), 1, 1_000_000),
		w.validateCheck(),
	)
}

// validateHorizon refuses plans that end before the next one is there, which
// may be late by an interval, and those that are too long to be read.
func (w *workload) validateHorizon() error {
	horizon := env.FormatDuration(w.horizon())
	if w.horizon() < 2*w.interval() {
		return fault("HORIZON", horizon, "must be at least two intervals, "+env.FormatDuration(2*w.interval()))
	}
	levels := len(w.levels())
	if most := forecast.MaxNumbers / (levels + 1); w.horizon() > time.Duration(most)*w.Step {
		return fault("HORIZON", horizon, fmt.Sprintf("must be at most %d steps for %d quantiles", most, levels))
	}
	return nil
}

// validateCheck refuses looks that would never be taken.
func (w *workload) validateCheck() error {
	switch {
	case w.TrainCheck == 0:
		return nil
	case w.TrainCheck >= w.trainInterval():
		return fault("TRAIN_CHECK_INTERVAL", env.FormatDuration(w.TrainCheck), "must be shorter than TRAIN_INTERVAL="+env.FormatDuration(w.trainInterval()))
	}
	return w.steps("TRAIN_CHECK_INTERVAL", w.TrainCheck, 1, 1_000_000)
}

func (w *workload) steps(name string, d time.Duration, low, high int) error {
	if d%w.Step == 0 && d >= time.Duration(low)*w.Step && d/w.Step <= time.Duration(high) {
		return nil
	}
	rule := fmt.Sprintf("must be a multiple of STEP (%s), from %d to %d steps", env.FormatDuration(w.Step), low, high)
	return fault(name, env.FormatDuration(d), rule)
}

func fault(name string, value any, rule string) error {
	return env.Fault{Name: name, Value: fmt.Sprint(value), Rule: rule}
}

func (w *workload) interval() time.Duration {
	if w.Interval == 0 {
		return w.Step
	}
	return w.Interval
}

func (w *workload) horizon() time.Duration {
	if w.Horizon == 0 {
		return max(12*w.Step, wholeSteps(time.Hour, w.Step))
	}
	return w.Horizon
}

func (w *workload) trainInterval() time.Duration {
	if w.TrainInterval == 0 {
		return wholeSteps(5*time.Minute, w.Step)
	}
	return w.TrainInterval
}

// wholeSteps is d rounded up to steps.
func wholeSteps(d, step time.Duration) time.Duration {
	if over := d % step; over > 0 {
		return d - over + step
	}
	return d
}

// levels are the quantiles to forecast: those asked for and the one planned
// for.
func (w *workload) levels() []float64 {
	levels := slices.Clone(w.Quantiles)
	if w.Quantile > 0 && !slices.Contains(levels, w.Quantile) {
		levels = append(levels, w.Quantile)
		slices.Sort(levels)
	}
	return levels
}

// rules are how the workload's load becomes replicas.
func (w *workload) rules() capacity.Rules {
	return capacity.Rules{
		Policy: capacity.Policy{
			TargetPerPod: w.TargetPerPod, Headroom: w.Headroom, MinReplicas: w.MinReplicas, MaxReplicas: w.MaxReplicas,
			UpMaxFactorPerStep: w.UpMaxFactorPerStep, DownMaxPercentPerStep: w.DownMaxPercentPerStep,
			PrewarmWindowSteps: w.PrewarmWindowSteps, Quantile: w.Quantile,
		},
		NoFloor: !w.ReactiveFloor, NowcastLift: w.NowcastLift, Shadow: w.Shadow, Tolerance: w.HPATolerance,
	}
}

// options are what the workload's model is made with.
func (w *workload) options() models.Options {
	return models.Options{
		Levels: w.levels(), Order: w.Order,
		Service: models.Service{URL: w.BYOMURL, Token: w.BYOMToken, Timeout: w.BYOMTimeout},
	}
}

// validateModel is about the method and what only some methods need.
func (w *workload) validateModel() error {
	errs := []error{env.OneOf("MODEL", w.Model, catalog.Names()...), env.Positive("BYOM_TIMEOUT", w.BYOMTimeout)}
	if err := (models.Options{Levels: w.Quantiles}).Validate(); err != nil {
		errs = append(errs, fault("QUANTILES", w.Quantiles, "must be ascending, between 0 and 1: "+err.Error()))
	}
	if n := len(w.levels()); n > forecast.MaxLevels {
		errs = append(errs, fault("QUANTILES", w.Quantiles, fmt.Sprintf("has %d with QUANTILE: must be at most %d", n, forecast.MaxLevels)))
	}
	if w.Order != "" && w.Model != "arima" && w.Model != "sarima" {
		errs = append(errs, fault("ORDER", w.Order, "must be set with MODEL=arima or MODEL=sarima only"))
	}
	if (w.BYOMURL != "") != (w.Model == "byom") {
		errs = append(errs, fault("BYOM_URL", w.BYOMURL, "must be set with MODEL=byom, and only with it"))
	}
	if errors.Join(errs...) == nil {
		if _, err := catalog.New(w.Model, w.options()); err != nil {
			errs = append(errs, fault("MODEL", w.Model, err.Error()))
		}
	}
	return errors.Join(errs...)
}

// maker makes the workload's model, untrained.
func (w *workload) maker(known calendar.Calendar) func() (models.Model, error) {
	name, options := w.Model, w.options()
	return func() (models.Model, error) {
		model, err := catalog.New(name, options)
		if err != nil {
			return nil, err
		}
		return calendar.Adjust(model, known), nil
	}
}

// plain is the workload as the engine takes it.
func (w *workload) plain(source adapters.Adapter) (engine.Workload, error) {
	zone, err := time.LoadLocation(w.Timezone)
	if err != nil {
		return engine.Workload{}, fmt.Errorf("time zone of %s: %w", w.name, err)
	}
	known, err := calendar.New(zone, w.Holidays, w.Events)
	if err != nil {
		return engine.Workload{}, fmt.Errorf("calendar of %s: %w", w.name, err)
	}
	return engine.Workload{
		Name: w.name, Metric: w.Metric, Source: source,
		NewModel: w.maker(known),
		Step:     w.Step, Interval: w.interval(), TrainInterval: w.trainInterval(), CheckInterval: w.TrainCheck, Window: w.Window, Horizon: w.horizon(),
		Calendar: features.Calendar{Location: zone}, Rules: w.rules(),
	}, nil
}
