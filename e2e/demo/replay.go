package main

import (
	"context"
	"fmt"
	"math"
	"os"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/kedastral/kedastral/e2e/kedalike"
	"github.com/kedastral/kedastral/forecaster/backtest/cluster"
)

// replay is one day going by: the clock, the load, and the two policies.
type replay struct {
	services   *services
	keda       *kedalike.Client
	load       trace
	day        time.Time
	predictive cluster.Loop
	reactive   cluster.Loop
	told       float64 // the newest answer of the scaler; NaN when it had none
	unanswered int     // questions that were answered with an error
	fault      error   // the last of those
}

func newReplay(s *services, load trace, day time.Time) (*replay, error) {
	client, err := kedalike.Dial(s.scalerGRPC)
	if err != nil {
		return nil, err
	}
	r := &replay{services: s, keda: client, load: load, day: day, told: math.NaN()}
	r.predictive, r.reactive = newLoop(load, day), newLoop(load, day)
	r.predictive.HPA.Tolerance = 0 // as our ScaledObjects set it
	return r, nil
}

// newLoop starts with the pods that the day's first load needs.
func newLoop(load trace, day time.Time) cluster.Loop {
	need := minReplicas
	if v := load.at(day); !math.IsNaN(v) {
		need = max(need, int(math.Ceil(v/targetPerPod)))
	}
	return cluster.Loop{HPA: cluster.DefaultHPA(minReplicas, maxReplicas), Pods: cluster.NewDeployment(startup, need)}
}

// play lets the day go by in syncs of the HPA. What the scaler answers counts
// from the sync after it was heard: on a slow machine syncs that went by
// unheard keep the answer before, so the replay never sees the future.
func (r *replay) play(ctx context.Context, s *screen) error {
	ref := kedalike.Ref(namespace, "web", map[string]string{"workload": workload, "leadTime": lead.String()})
	end := r.day.AddDate(0, 0, 1)
	for next := r.day; next.Before(end); {
		if err := r.services.clock.Until(ctx, next); err != nil {
			return err
		}
		heard := r.services.clock.Now()
		answer, err := r.keda.Ask(ctx, ref)
		for ; !next.After(heard) && next.Before(end); next = next.Add(cluster.Sync) {
			r.step(next)
			s.progress(next.Sub(r.day).Hours()/end.Sub(r.day).Hours(), func() row { return r.row(ctx, next) })
		}
		if r.told = answer.Value; err != nil {
			r.told, r.unanswered, r.fault = math.NaN(), r.unanswered+1, err // what an HPA cannot read, it holds on
		}
	}
	s.done()
	if math.IsNaN(r.told) {
		return fmt.Errorf("asking the scaler as KEDA does at the end of the day: %w", r.fault)
	}
	return nil
}

// step lets both HPAs sync once.
func (r *replay) step(now time.Time) {
	load, measured := r.load.at(now), r.load.measured(now)
	r.reactive.Step(now, cluster.Sync, load, targetPerPod, measured, targetPerPod)
	r.predictive.Step(now, cluster.Sync, load, targetPerPod, r.told, 1)
}

// row is the table's line at a moment of the day.
func (r *replay) row(ctx context.Context, now time.Time) row {
	return row{
		at: now.In(r.day.Location()), load: r.load.at(now), forecast: r.forecast(ctx), told: r.told,
		predicted: r.predictive.Pods.Replicas(), predictiveReady: r.predictive.Pods.Ready(now),
		reactive: r.reactive.Pods.Replicas(), reactiveReady: r.reactive.Pods.Ready(now),
	}
}

// forecast is the highest load within the lead time that the newest forecast
// plans for; NaN while there is none.
func (r *replay) forecast(ctx context.Context) float64 {
	s, age, err := r.services.current(ctx)
	if err != nil {
		return math.NaN()
	}
	highest := math.NaN()
	from := int(age / s.Step())
	for _, q := range s.Quantiles {
		if q.Level == quantile && from < len(q.Values) {
			highest = slices.Max(q.Values[from:min(from+int(lead/s.Step()), len(q.Values))])
		}
	}
	return highest
}

// sameCost is a reactive HPA whose target was chosen, knowing the day, so that
// its pods cost what the predictive ones did.
func (r *replay) sameCost() (cluster.Account, float64) {
	return cluster.Tune(r.predictive.Account.PodHours, targetPerPod/4, targetPerPod*2, func(target float64) cluster.Account {
		loop := newLoop(r.load, r.day)
		for now := r.day; now.Before(r.day.AddDate(0, 0, 1)); now = now.Add(cluster.Sync) {
			loop.Step(now, cluster.Sync, r.load.at(now), targetPerPod, r.load.measured(now), target)
		}
		return loop.Account
	})
}

// summary compares the policies over the day.
func (r *replay) summary(out *os.File) {
	same, target := r.sameCost()
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\nthe day in all\tunder-provisioned\tunserved\tpod-hours\tscale events\t")
	for _, p := range []struct {
		name string
		a    cluster.Account
	}{
		{"Kedastral, p95", r.predictive.Account},
		{fmt.Sprintf("reactive HPA, target %.0f", targetPerPod), r.reactive.Account},
		{fmt.Sprintf("reactive HPA, target %.1f (same pod-hours)", target), same},
	} {
		fmt.Fprintf(w, "%s\t%.0f min\t%.2f %%\t%.1f\t%d\t\n", p.name, p.a.UnderProvisioned.Minutes(), 100*p.a.UnservedShare(), p.a.PodHours, p.a.ScaleEvents)
	}
	_ = w.Flush() // as little can be done as about any print
	if r.unanswered > 0 {
		fmt.Fprintf(out, "\n%d questions had no answer, and the HPA held: this machine was too busy to replay so fast (-speed). The last: %v\n", r.unanswered, r.fault)
	}
}
