//go:build e2e

package cluster

import (
	"fmt"
	"math"
	"testing"
	"time"
)

// sum is what a contender's rows come to. Seconds are from the rush's beginning,
// or for the fall from when the load begins to fall; +Inf: never.
type sum struct {
	seconds, missing, paid int
	told, rose, fell       float64
}

// much is by how much more than before the rush replicas are said to have risen.
const much = 1.5

func (r *replay) tally(contender int) sum {
	s := sum{told: math.Inf(1), rose: math.Inf(1), fell: math.Inf(1)}
	base, peak := float64(r.rows[0].now[contender].Spec), 0
	for _, row := range r.rows {
		is, since := row.now[contender], row.at.Sub(r.rush)
		if short := row.need - is.Ready; short > 0 {
			s.seconds++
			s.missing += short
		}
		s.paid += is.Spec
		peak = max(peak, is.Spec)
		if float64(is.told) > base*much {
			s.told = math.Min(s.told, since.Seconds())
		}
		if float64(is.Spec) > base*much {
			s.rose = math.Min(s.rose, since.Seconds())
		}
		if since > rise+hold && is.Spec < peak*2/3 {
			s.fell = math.Min(s.fell, (since - rise - hold).Seconds())
		}
	}
	return s
}

// due is when the load of one lead time later is that much above what it was: the
// scaler's answer rises then, to a step of the plan.
func (r *replay) due() float64 {
	base := float64(r.rows[0].now[0].Spec)
	for at := r.rush.Add(-lead); ; at = at.Add(time.Second) {
		if float64(here.day.need(at.Add(lead))) > base*much {
			return at.Sub(r.rush).Seconds()
		}
	}
}

// judge says what each was short of, and checks what must hold. How long KEDA and
// the HPA take to hear of a count is shown, and bounded only by the rush itself:
// it is the machine's affair.
func (r *replay) judge(t *testing.T) {
	t.Helper()
	seen := newTable("", "seconds too few ready", "pod-seconds missing", "pod-seconds paid",
		"scaler's answer rose, seconds from the rush", "replicas rose", "fell, seconds from its end")
	var sums []sum
	for i, c := range r.field {
		s := r.tally(i)
		sums = append(sums, s)
		told := "-"
		if c.predicts && here.local != nil {
			told = fmt.Sprintf("%+.0f", s.told)
		}
		seen.row(c.what, s.seconds, s.missing, s.paid, told, fmt.Sprintf("%+.0f", s.rose), fmt.Sprintf("%+.0f", s.fell))
	}
	seen.log(t)
	yesterday, predicted, alone := sums[0], sums[1], sums[2]
	if yesterday.missing*4 > alone.missing || predicted.missing*2 > alone.missing {
		t.Errorf("%d and %d pod-seconds missing with predictions, %d without: want less than a quarter and less than half",
			yesterday.missing, predicted.missing, alone.missing)
	}
	const margin = (grid + blur) / time.Second
	if due := r.due(); here.local != nil && math.Abs(yesterday.told-due) > float64(margin) {
		t.Errorf("the scaler's answer rose %+.0f s from the rush: want %+.0f, a lead time of %v before the load, give or take a step", yesterday.told, due, lead)
	}
	for i, s := range sums[:2] {
		if s.rose >= 0 || s.rose < s.told-2 {
			t.Errorf("%s: replicas rose %+.0f s from the rush: want before it, and not before the scaler said so at %+.0f", r.field[i].what, s.rose, s.told)
		}
		if s.fell < 0 || math.IsInf(s.fell, 1) {
			t.Errorf("%s: replicas fell %+.0f s from the end of the rush: want after the load, but within what was watched", r.field[i].what, s.fell)
		}
	}
}

// show logs a row every ten seconds.
func (r *replay) show(t *testing.T) {
	t.Helper()
	head := []any{"seconds from the rush", "load", "pods needed"}
	for _, c := range r.field {
		if c.predicts {
			head = append(head, "| "+c.what+": forecast of the load a minute later", "scaler says", "HPA desires", "spec", "ready")
		} else {
			head = append(head, "| "+c.what+": HPA desires", "spec", "ready")
		}
	}
	seen := newTable(head...)
	for i, row := range r.rows {
		if i%10 != 0 {
			continue
		}
		cells := []any{fmt.Sprintf("%+.0f", row.at.Sub(r.rush).Seconds()), fmt.Sprintf("%.0f", row.load), row.need}
		for j, is := range row.now {
			if r.field[j].predicts {
				cells = append(cells, fmt.Sprintf("| %.0f", is.forecast), is.told, is.Desired, is.Spec, is.Ready)
			} else {
				cells = append(cells, fmt.Sprint("| ", is.Desired), is.Spec, is.Ready)
			}
		}
		seen.row(cells...)
	}
	seen.log(t)
}
