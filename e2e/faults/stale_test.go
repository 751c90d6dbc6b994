package faults_test

import (
	"strings"
	"time"
)

// complaint is what a scaler has said so far of forecasts that are stale.
type complaint struct {
	by      *process
	lines   int                // of its log
	refused map[string]float64 // answers not made from a forecast, by series of that metric
}

// complaints are those of every scaler that tells.
func (w *world) complaints() map[*service]complaint {
	all := map[*service]complaint{}
	for _, s := range w.scalers {
		if samples, err := s.metrics(w.t.Context()); err == nil {
			all[s] = complaint{s.process, strings.Count(s.log.String(), "to=stale"), samples}
		}
	}
	return all
}

// mustBecome is whether every trigger is in the state, and says so: a stale one
// with its reason, a count of that reason, and a line in the log, none of which
// are from before.
func (w *world) mustBecome(f *finding, want string, before map[*service]complaint) {
	if _, err := within(staleAfter+4*time.Second, func() error { return w.all(want) }); err != nil {
		f.broke(expected, "%v", err)
	}
	f.ok(expected)
	if want != "stale" {
		return
	}
	now := w.complaints()
	for _, s := range w.scalers {
		was, is := before[s], now[s]
		if was.by != is.by {
			was = complaint{} // of the process that was there before
		}
		states, err := s.status(w.t.Context())
		if err != nil || len(states) == 0 {
			f.broke(stale, "%d triggers tell their state: %v", len(states), err)
		}
		for _, st := range states {
			if st.Reason == "" {
				f.broke(stale, "%s is stale without a reason", st.Workload)
			}
			if series := `kedastral_scaler_refusals_total{reason="` + st.Reason + `"}`; is.refused[series] <= was.refused[series] {
				f.broke(stale, "%s is stale, and %s went from %v to %v", st.Workload, series, was.refused[series], is.refused[series])
			}
		}
		if is.lines <= was.lines {
			f.broke(stale, "%d log lines say stale; %d did before", is.lines, was.lines)
		}
	}
	f.ok(stale)
}
