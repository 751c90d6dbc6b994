package backtest

import (
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// WriteText prints the report for a terminal.
func (r Report) WriteText(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "%s with %s, %s to %s\n", r.Title(), r.Model, r.From.Format(time.DateTime), r.To.Format(time.DateTime))
	fmt.Fprintf(w, "pods serve %.4g each, %v after creation; planned for %.4g a pod, headroom %g, %v ahead\n",
		r.Capacity, time.Duration(r.Startup)*time.Second, r.Target, r.Headroom, time.Duration(r.Lead)*time.Second)
	a := r.Accuracy
	fmt.Fprintf(w, "\nforecasts from %d instants", a.Origins)
	if a.Failed > 0 {
		fmt.Fprintf(w, " (none from %d more: %s)", a.Failed, a.Fault)
	}
	fmt.Fprintf(w, "; acted on at %.0f %% of them, at the others the model had no skill\n", 100*r.Predicted)
	fmt.Fprintln(t, "up to\terror\tlast value's\tday ago's\t")
	for _, b := range a.Blocks {
		fmt.Fprintf(t, "%v\t%.3f\t%.3f\t%s\t\n", time.Duration(b.ToSeconds)*time.Second, b.MASE, b.LastMASE, known(b.DayMASE))
	}
	fmt.Fprintf(t, "all\t%.3f\t%.3f\t%s\t\n", a.MASE, a.LastMASE, known(a.DayMASE))
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(w, "mean absolute error in units of %.4g (MASE); WAPE %.1f %%; skill %.2f\n\n", a.Scale, 100*a.WAPE, a.Skill)
	fmt.Fprintln(t, "quantile\tcovers\tpinball\t")
	for _, l := range a.Levels {
		fmt.Fprintf(t, "%s\t%.1f %%\t%.3f\t\n", risk(l.Level), 100*l.Coverage, l.Pinball)
	}
	if err := errors.Join(t.Flush(), r.outcomes(t, "policy", r.Policies), r.outcomes(t, "Kedastral at", r.Frontier),
		r.outcomes(t, "reactive HPA at", r.Reactive)); err != nil {
		return err
	}
	setting := ""
	if r.Recommended.Quantile > 0 {
		setting = fmt.Sprintf("QUANTILE=%g, ", r.Recommended.Quantile)
	}
	_, err := fmt.Fprintf(w, "\nrecommended: %s%s\n", setting, r.Recommended.Why)
	return err
}

func (r Report) outcomes(t *tabwriter.Writer, title string, outcomes []Outcome) error {
	priced := r.Policies[0].Cost > 0
	fmt.Fprintf(t, "\n%s\tunder-provisioned\tper day\tunserved\tpod-hours\t÷ bound\tscale events\t", title)
	if priced {
		fmt.Fprint(t, "cost\t")
	}
	fmt.Fprintln(t)
	for _, o := range outcomes {
		fmt.Fprintf(t, "%s\t%.1f min\t%.1f min\t%.3f %%\t%.1f\t%.3f\t%d\t", o.Policy, o.UnderProvisioned, o.PerDay, o.UnservedPercent, o.PodHours, o.OverBound, o.ScaleEvents)
		if priced {
			fmt.Fprintf(t, "%.2f\t", o.Cost)
		}
		fmt.Fprintln(t)
	}
	return t.Flush()
}

// known prints an error that may not have been measured.
func known(v *float64) string {
	if v == nil {
		return "–"
	}
	return fmt.Sprintf("%.3f", *v)
}
