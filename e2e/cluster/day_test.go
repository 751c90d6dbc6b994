//go:build e2e

package cluster

import (
	"context"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/kedastral/kedastral/e2e/cluster/plane"
)

// day is a load with a daily rhythm and, on top of it, a rush in every hour: it
// rises within a minute, holds for two and falls within one.
type day struct {
	rush time.Time // a rush begins here
}

const (
	rise = time.Minute
	hold = 2 * time.Minute
	rush = rise + hold + rise

	perPod = 10.0 // WORKLOAD_SHOP_WEB_TARGET_PER_POD of overlays/e2e
	lead   = time.Minute
	starts = 45 * time.Second // that a pod of the shop takes until it is ready
)

// load is the requests per second at t, with a little noise that is the same
// every time.
func (d day) load(t time.Time) float64 {
	turn := 2 * math.Pi * float64(t.Unix()%86400) / 86400
	into := ((t.Sub(d.rush) % time.Hour) + time.Hour) % time.Hour
	share := 0.0
	switch {
	case into < rise:
		share = into.Seconds() / rise.Seconds()
	case into < rise+hold:
		share = 1
	case into < rush:
		share = (rush - into).Seconds() / rise.Seconds()
	}
	noise := math.Sin(float64(t.Unix()*7919%1000)) * 2
	return math.Max(0, 100+20*math.Sin(turn)+250*share+noise)
}

// need is how many pods the load takes.
func (d day) need(t time.Time) int { return int(math.Ceil(d.load(t) / perPod)) }

// stageDay gives Prometheus three days and a little of the load, and lets it
// scrape the rest. The next rush is two to three minutes away.
func (h *home) stageDay(ctx context.Context) error {
	now := time.Now()
	h.day = day{rush: now.Add(2 * time.Minute).Truncate(time.Minute).Add(time.Minute)}
	h.load.set("shop/web", h.day.load)
	return h.prom.remember(ctx, "shop/web", h.day.load, now.Add(-75*time.Hour), now, 10*time.Second)
}

// row is what was seen at one instant, of the predicted and of the reactive
// workload.
type row struct {
	at       time.Time
	load     float64
	need     int
	ours     now
	reactive now
}

// Replicas rise before the load does, by the lead time, and fall with it; the
// same pods under a reactive trigger alone come too late.
func TestRushIsMetBeforeItComes(t *testing.T) {
	t.Parallel()
	forecaster, err := here.serve(t.Context(), "kedastral", "kedastral-forecaster")
	if err != nil {
		t.Fatal(err)
	}
	if err := here.ready(t.Context(), forecaster); err != nil {
		t.Fatal(err)
	}
	if _, err := here.serve(t.Context(), "shop", "kedastral-scaler"); err != nil {
		t.Fatal(err)
	}
	begin := here.day.need(time.Now())
	trigger := reactive("shop/web", int(perPod))
	ours := workload{Namespace: "shop", Name: "web", Triggers: trigger, ReadyAfter: starts, Replicas: begin, Min: 2, Stabilize: 15}.create(t)
	alone := workload{Namespace: "shop", Name: "alone", Scaler: "none", Triggers: trigger, ReadyAfter: starts, Replicas: begin, Min: 2, Stabilize: 15}.create(t)

	end := here.day.rush.Add(rush + 90*time.Second)
	rows := watch(t, ours, alone, end)
	show(t, rows)
	plot(t, rows)
	judge(t, rows)
}

// ready waits until a forecaster has a forecast of everything.
func (h *home) ready(ctx context.Context, s *service) error {
	return plane.Await(ctx, 2*time.Minute, func(ctx context.Context) error {
		for _, p := range s.pods {
			if err := plane.Healthy(ctx, s.url(p)+"/readyz"); err != nil {
				return err
			}
		}
		return nil
	})
}

// watch looks once a second.
func watch(t *testing.T, ours, alone workload, end time.Time) []row {
	t.Helper()
	var rows []row
	for tick := time.NewTicker(time.Second); time.Now().Before(end); <-tick.C {
		at := time.Now()
		r := row{at: at, load: here.day.load(at), need: here.day.need(at)}
		var err, err2 error
		r.ours, err = ours.now(t.Context())
		r.reactive, err2 = alone.now(t.Context())
		if err != nil || err2 != nil {
			t.Fatal(err, err2)
		}
		rows = append(rows, r)
	}
	return rows
}

// judge says how many pod-seconds each was short of, and what must hold.
func judge(t *testing.T, rows []row) {
	t.Helper()
	ours := tally(rows, func(r row) now { return r.ours })
	reactive := tally(rows, func(r row) now { return r.reactive })
	seen := newTable("", "predicted + reactive", "reactive alone")
	seen.row("seconds with too few pods ready", ours.seconds, reactive.seconds)
	seen.row("pod-seconds missing", ours.missing, reactive.missing)
	seen.row("pod-seconds paid", ours.paid, reactive.paid)
	seen.row("first above 1.5 × base, seconds from the rush", ours.rose, reactive.rose)
	seen.row("first below half the peak, seconds from its end", ours.fell, reactive.fell)
	seen.log(t)
	if ours.missing*4 > reactive.missing {
		t.Errorf("%d pod-seconds missing with predictions, %d without: want less than a quarter", ours.missing, reactive.missing)
	}
	if ours.rose > -lead.Seconds()/2 || ours.rose < -lead.Seconds()-30 {
		t.Errorf("replicas rose %.0f s from the rush: want about the lead time, %v, before it", ours.rose, lead)
	}
	if ours.fell < -lead.Seconds() || math.IsInf(ours.fell, 1) {
		t.Errorf("replicas fell %.0f s from the end of the rush: want not before the load does, but within what was watched", ours.fell)
	}
}

// sum is what tally finds.
type sum struct {
	seconds, missing, paid int
	rose, fell             float64
}

func tally(rows []row, of func(row) now) sum {
	s := sum{rose: math.Inf(1), fell: math.Inf(1)}
	base, peak := rows[0].need, 0
	for _, r := range rows {
		is := of(r)
		if short := r.need - is.Ready; short > 0 {
			s.seconds++
			s.missing += short
		}
		s.paid += is.Spec
		peak = max(peak, is.Spec)
		since := r.at.Sub(here.day.rush)
		if is.Spec > base*3/2 {
			s.rose = math.Min(s.rose, since.Seconds())
		}
		if since > rise+hold && is.Spec < peak/2 {
			s.fell = math.Min(s.fell, (since - rise - hold).Seconds())
		}
	}
	return s
}

// show logs a row every ten seconds.
func show(t *testing.T, rows []row) {
	t.Helper()
	seen := newTable("seconds from the rush", "load", "pods needed", "HPA desires", "spec", "ready", "| reactive alone: spec", "ready")
	for i, r := range rows {
		if i%10 == 0 {
			seen.row(fmt.Sprintf("%.0f", r.at.Sub(here.day.rush).Seconds()), fmt.Sprintf("%.0f", r.load), r.need,
				r.ours.Desired, r.ours.Spec, r.ours.Ready, fmt.Sprint("| ", r.reactive.Spec), r.reactive.Ready)
		}
	}
	seen.log(t)
}
