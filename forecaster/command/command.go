// Package command is what the forecaster does besides serving: one forecast of
// a file, a backtest of a file or of a configured workload, and the question
// to a running forecaster why a count is what it is.
//
// All take flags, not variables: they are typed by a person or a script and
// set up nothing that lasts. What they compute is the engine's own pipeline.
package command

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/kedastral/kedastral/forecaster/engine"
	"github.com/kedastral/kedastral/forecaster/models"
	"github.com/kedastral/kedastral/forecaster/series"
	"github.com/kedastral/kedastral/shared/env"
)

// ErrUsage says that a command was called in a way it does not understand.
var ErrUsage = errors.New("usage")

// ErrThreshold says that a backtest ran and missed what was asked of it.
var ErrThreshold = errors.New("threshold missed")

// Command is a forecaster's subcommand.
type Command struct {
	Stdout, Stderr io.Writer
	// Workload finds a configured workload, its history source included.
	Workload func(ctx context.Context, name string) (engine.Workload, error)
}

// parse reads a command's flags; asking for help is no error but ends it.
func parse(f *flag.FlagSet, args []string) (help bool, err error) {
	switch err := f.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return true, nil
	case err != nil:
		return false, fmt.Errorf("%w: %w", ErrUsage, err)
	case f.NArg() > 0:
		return false, fmt.Errorf("%w: %q is not a flag", ErrUsage, f.Arg(0))
	}
	return false, nil
}

// duration is a flag that takes days and weeks, too.
type duration time.Duration

func (d *duration) String() string { return env.FormatDuration(time.Duration(*d)) }

func (d *duration) Set(text string) error {
	v, err := env.ParseDuration(text)
	if err == nil && v <= 0 {
		err = errors.New("must be positive")
	}
	*d = duration(v)
	return err
}

// levels is a flag of quantile levels, ascending in (0, 1).
type levels []float64

func (l *levels) String() string {
	var out []string
	for _, v := range *l {
		out = append(out, strconv.FormatFloat(v, 'g', -1, 64))
	}
	return strings.Join(out, ",")
}

func (l *levels) Set(text string) error {
	*l = nil
	for part := range strings.SplitSeq(text, ",") {
		v, err := strconv.ParseFloat(strings.TrimSpace(part), 64)
		if err != nil || !(v > 0 && v < 1) {
			return fmt.Errorf("%q: must be a number between 0 and 1", part)
		}
		if n := len(*l); n > 0 && v <= (*l)[n-1] {
			return fmt.Errorf("%v after %v: levels must ascend", v, (*l)[n-1])
		}
		*l = append(*l, v)
	}
	return nil
}

// modelFlags are the options that only some models have.
func modelFlags(f *flag.FlagSet, o *models.Options) {
	f.StringVar(&o.Order, "order", "", "order of arima, p,d,q, or sarima, p,d,q,P,D,Q; by default chosen from the data")
	f.StringVar(&o.Service.URL, "byom-url", "", "address of the service that forecasts for byom")
	o.Service.Timeout = 5 * time.Second
	f.Var((*duration)(&o.Service.Timeout), "byom-timeout", "time for one question to it")
}

// column names a quantile's column: q50, q97.5.
func column(level float64) string {
	return "q" + strconv.FormatFloat(float64(int(level*1e6+0.5))/1e4, 'g', -1, 64)
}

// history reads a recorded metric onto the grid, a coarser step being the mean
// of what it holds; a step of 0 is told from the file.
func history(path string, step time.Duration) (series.DataFrame, error) {
	f, err := os.Open(path)
	if err != nil {
		return series.DataFrame{}, fmt.Errorf("reading the history: %w", err)
	}
	defer f.Close()
	samples, err := series.ReadCSV(f)
	if err != nil {
		return series.DataFrame{}, fmt.Errorf("reading the history %s: %w", path, err)
	}
	if len(samples) == 0 {
		return series.DataFrame{}, fmt.Errorf("reading the history %s: it holds no samples", path)
	}
	frame, err := series.Recorded(samples, step)
	if err != nil {
		return series.DataFrame{}, fmt.Errorf("laying the history %s on even steps: %w", path, err)
	}
	return frame, nil
}

// zone is a flag of an IANA time zone.
type zone struct{ *time.Location }

func (z *zone) String() string {
	if z.Location == nil {
		return "UTC"
	}
	return z.Location.String()
}

func (z *zone) Set(name string) (err error) {
	z.Location, err = time.LoadLocation(name)
	return err
}
