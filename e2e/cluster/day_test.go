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
// rises within a minute, holds for a minute and a half and falls within one.
type day struct {
	rush time.Time // a rush begins here
}

const (
	rise = time.Minute
	hold = 90 * time.Second
	rush = rise + hold + rise

	perPod = 10.0 // DEFAULT_TARGET_PER_POD of overlays/e2e
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
// scrape the rest. The next rush is two and a half to three and a half minutes away.
func (h *home) stageDay(ctx context.Context) error {
	now := time.Now()
	h.day = day{rush: now.Add(150 * time.Second).Truncate(time.Minute).Add(time.Minute)}
	h.load.set("shop/web", h.day.load)
	return h.prom.remember(ctx, "shop/web", h.day.load, now.Add(-75*time.Hour), now, 10*time.Second)
}

// contender is a workload under the same load, scaled in its own way.
type contender struct {
	what string
	w    workload
}

// row is what was seen at one instant: the load, and each contender.
type row struct {
	at   time.Time
	load float64
	need int
	now  []now
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
	field := []contender{
		{"predicted from yesterday", workload{Name: "yesterday"}},
		{"predicted by default", workload{Name: "web"}},
		{"reactive alone", workload{Name: "alone", Scaler: "none"}},
	}
	for i, c := range field {
		c.w.Namespace, c.w.Triggers = "shop", reactive("shop/web", int(perPod))
		c.w.Replicas, c.w.Min, c.w.Stabilize, c.w.ReadyAfter = here.day.need(time.Now()), 2, 15, starts
		field[i].w = c.w.create(t)
	}
	rows := watch(t, field, here.day.rush.Add(-lead))
	t.Log("as the rush is about to be seen: ", here.body(t, forecaster, "/workloads"))
	rows = append(rows, watch(t, field, here.day.rush.Add(rush+75*time.Second))...)
	t.Log("after it: ", here.body(t, forecaster, "/workloads"))
	show(t, field, rows)
	plot(t, field, rows)
	judge(t, field, rows)
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
func watch(t *testing.T, field []contender, end time.Time) []row {
	t.Helper()
	var rows []row
	for tick := time.NewTicker(time.Second); time.Now().Before(end); <-tick.C {
		at := time.Now()
		r := row{at: at, load: here.day.load(at), need: here.day.need(at)}
		for _, c := range field {
			is, err := c.w.now(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			r.now = append(r.now, is)
		}
		rows = append(rows, r)
	}
	return rows
}

// judge says what each was short of, and checks what must hold.
func judge(t *testing.T, field []contender, rows []row) {
	t.Helper()
	seen := newTable("", "seconds too few ready", "pod-seconds missing", "pod-seconds paid",
		"rose, seconds from the rush", "fell, seconds from its end")
	var sums []sum
	for i, c := range field {
		s := tally(rows, i)
		sums = append(sums, s)
		seen.row(c.what, s.seconds, s.missing, s.paid, fmt.Sprintf("%+.0f", s.rose), fmt.Sprintf("%+.0f", s.fell))
	}
	seen.log(t)
	yesterday, predicted, alone := sums[0], sums[1], sums[2]
	if yesterday.missing*4 > alone.missing || predicted.missing*2 > alone.missing {
		t.Errorf("%d and %d pod-seconds missing with predictions, %d without: want less than a quarter and less than half",
			yesterday.missing, predicted.missing, alone.missing)
	}
	if yesterday.rose > -lead.Seconds()+20 || yesterday.rose < -lead.Seconds()-15 {
		t.Errorf("replicas rose %+.0f s from the rush: want about the lead time, %v, before it", yesterday.rose, lead)
	}
	if yesterday.fell < 0 || math.IsInf(yesterday.fell, 1) {
		t.Errorf("replicas fell %+.0f s from the end of the rush: want after the load, but within what was watched", yesterday.fell)
	}
}

// sum is what tally finds.
type sum struct {
	seconds, missing, paid int
	rose, fell             float64 // +Inf: never
}

// tally counts from a minute and a half before the rush: until then the first
// pods start.
func tally(rows []row, contender int) sum {
	s := sum{rose: math.Inf(1), fell: math.Inf(1)}
	base, peak := rows[0].need, 0
	for _, r := range rows {
		is, since := r.now[contender], r.at.Sub(here.day.rush)
		if since < -90*time.Second {
			continue
		}
		if short := r.need - is.Ready; short > 0 {
			s.seconds++
			s.missing += short
		}
		s.paid += is.Spec
		peak = max(peak, is.Spec)
		if is.Spec > base*3/2 {
			s.rose = math.Min(s.rose, since.Seconds())
		}
		if since > rise+hold && is.Spec < peak*2/3 {
			s.fell = math.Min(s.fell, (since - rise - hold).Seconds())
		}
	}
	return s
}

// show logs a row every ten seconds.
func show(t *testing.T, field []contender, rows []row) {
	t.Helper()
	head := []any{"seconds from the rush", "load", "pods needed"}
	for _, c := range field {
		head = append(head, "| "+c.what+": desired", "spec", "ready")
	}
	seen := newTable(head...)
	for i, r := range rows {
		if i%10 != 0 {
			continue
		}
		cells := []any{fmt.Sprintf("%+.0f", r.at.Sub(here.day.rush).Seconds()), fmt.Sprintf("%.0f", r.load), r.need}
		for _, is := range r.now {
			cells = append(cells, fmt.Sprint("| ", is.Desired), is.Spec, is.Ready)
		}
		seen.row(cells...)
	}
	seen.log(t)
}
