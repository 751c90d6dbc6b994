package command

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"strconv"
	"time"

	"github.com/kedastral/kedastral/forecaster/features"
	"github.com/kedastral/kedastral/forecaster/models"
	"github.com/kedastral/kedastral/forecaster/models/catalog"
)

// Forecast forecasts the steps after a recorded history and prints one row a
// step: its Unix time, its number from 1, and its quantiles.
func (c Command) Forecast(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("forecaster forecast", flag.ContinueOnError)
	f.SetOutput(c.Stderr)
	path := f.String("history", "", "recorded metric: timestamp,value with Unix seconds or RFC 3339")
	name := f.String("model", "auto", "model that forecasts")
	options := models.Options{}
	modelFlags(f, &options)
	step, horizon, asked, place := duration(0), duration(time.Hour), levels{0.5, 0.9, 0.95}, zone{time.UTC}
	f.Var(&step, "step", "step of history and forecast; told from the history by default")
	f.Var(&horizon, "horizon", "how far to forecast")
	f.Var(&asked, "quantiles", "quantile levels")
	f.Var(&place, "timezone", "zone whose days and weeks the load follows")
	if help, err := parse(f, args); help || err != nil {
		return err
	}
	if *path == "" {
		return fmt.Errorf("%w: -history is required", ErrUsage)
	}
	past, err := history(*path, time.Duration(step))
	if err != nil {
		return err
	}
	steps := int(time.Duration(horizon) / past.Step)
	if steps < 1 || time.Duration(horizon)%past.Step != 0 {
		return fmt.Errorf("%w: -horizon %v: must be a multiple of the step %v", ErrUsage, time.Duration(horizon), past.Step)
	}
	options.Levels = asked
	model, err := catalog.New(*name, options)
	if err != nil {
		return fmt.Errorf("%w: -model: %w", ErrUsage, err)
	}
	frame := features.Build(past, steps, features.Calendar{Location: place.Location})
	if err := model.Train(ctx, frame); err != nil {
		return fmt.Errorf("fitting %s: %w", *name, err)
	}
	predicted, err := model.Predict(ctx, frame)
	if err != nil {
		return fmt.Errorf("forecasting with %s: %w", *name, err)
	}
	return c.rows(predicted, frame.Origin(), past.Step, asked)
}

func (c Command) rows(predicted models.Forecast, origin time.Time, step time.Duration, asked levels) error {
	w := bufio.NewWriter(c.Stdout)
	fmt.Fprint(w, "timestamp,step")
	for _, level := range asked {
		fmt.Fprint(w, ",", column(level))
	}
	fmt.Fprintln(w)
	for h := range predicted.Values {
		fmt.Fprintf(w, "%d,%d", origin.Add(time.Duration(h)*step).Unix(), h+1)
		for _, q := range predicted.Quantiles {
			fmt.Fprint(w, ",", strconv.FormatFloat(q.Values[h], 'g', 9, 64))
		}
		fmt.Fprintln(w)
	}
	return w.Flush()
}
