package command

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/kedastral/kedastral/forecaster/backtest"
	"github.com/kedastral/kedastral/forecaster/engine"
	"github.com/kedastral/kedastral/forecaster/series"
)

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

// subject is the workload to replay and its history.
func (c Command) subject(ctx context.Context, o backtestFlags) (engine.Workload, series.DataFrame, error) {
	if o.workload == "" {
		return o.recorded()
	}
	w, err := c.Workload(ctx, o.workload)
	if err != nil {
		return engine.Workload{}, series.DataFrame{}, err
	}
	past, err := w.Source.Collect(ctx, int((time.Duration(o.last)+w.Window+2*w.TrainInterval)/time.Second))
	if err != nil {
		return engine.Workload{}, series.DataFrame{}, fmt.Errorf("reading %s from %s: %w", w.Metric, w.Source.Name(), err)
	}
	return w, past, nil
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
	return bar(f)
}

// bar draws how much is done over itself, and nothing once all is.
func bar(w io.Writer) func(done, total int) {
	const width = 40
	return func(done, total int) {
		full := int(math.Round(float64(width*done) / float64(total)))
		fmt.Fprintf(w, "\rreplaying [%s%s] %d of %d", strings.Repeat("█", full), strings.Repeat("·", width-full), done, total)
		if done == total {
			fmt.Fprint(w, "\r\033[K")
		}
	}
}
