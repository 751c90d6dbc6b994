package backtest

import (
	"fmt"
	"time"

	"github.com/kedastral/kedastral/forecaster/backtest/cluster"
	"github.com/kedastral/kedastral/shared/forecast"
)

// Report is everything a replay tells, ready to be printed.
type Report struct {
	Workload  string    `json:"workload"`
	Metric    string    `json:"metric"`
	Model     string    `json:"model"`
	From      time.Time `json:"from"`
	To        time.Time `json:"to"`
	Step      int       `json:"stepSeconds"`
	Horizon   int       `json:"horizonSeconds"`
	Startup   int       `json:"startupSeconds"`
	Lead      int       `json:"leadSeconds"`
	Target    float64   `json:"targetPerPod"`
	Capacity  float64   `json:"capacityPerPod"`
	Headroom  float64   `json:"headroom"`
	Predicted float64   `json:"predictiveShare"` // of the instants, planned from the forecast; the others had no skill

	Accuracy    Accuracy       `json:"accuracy"`
	Policies    []Outcome      `json:"policies"`    // as configured, and what to hold it against
	Frontier    []Outcome      `json:"frontier"`    // the same policy at other quantiles
	Reactive    []Outcome      `json:"reactive"`    // an HPA at other targets
	Recommended Recommendation `json:"recommended"` // of the frontier

	replay Replay
}

// Recommendation is a setting and the reason for it.
type Recommendation struct {
	Quantile float64 `json:"quantile"` // 0 when none of the frontier is worth it
	Why      string  `json:"why"`
}

// Utilisations are the shares of the target that reactive HPAs are tried at.
var utilisations = []float64{1, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3}

// NewReport plays the policies over a replay. Quantiles are tried for the
// frontier where the forecasts have them; the recommended one is the cheapest
// that keeps the under-provisioned minutes a day at or below limit, by default
// (negative) a hundredth of the day.
func NewReport(r Replay, s Setting, quantiles []float64, limit float64) (Report, error) {
	if s.CapacityPerPod <= 0 {
		return Report{}, fmt.Errorf("capacity per pod %v: must be positive", s.CapacityPerPod)
	}
	p, rules := newPlayer(r, s), r.Workload.Rules
	out := Report{
		Workload: r.Workload.Name, Metric: r.Workload.Metric, Model: r.Origins[0].Snapshot.Model, From: r.From, To: r.To,
		Step: seconds(r.Workload.Step), Horizon: seconds(r.Workload.Horizon), Startup: seconds(s.Startup), Lead: seconds(s.Lead),
		Target: rules.TargetPerPod, Capacity: s.CapacityPerPod, Headroom: max(rules.Headroom, 1),
		Accuracy: r.Accuracy(), replay: r,
	}
	for _, o := range r.Origins {
		if o.Snapshot.Mode != forecast.Reactive {
			out.Predicted += 1 / float64(len(r.Origins))
		}
	}
	ours, err := p.predictive("Kedastral, "+risk(rules.Quantile), rules.Quantile)
	if err != nil {
		return Report{}, err
	}
	same := p.reactive("reactive HPA", rules.TargetPerPod)
	out.Policies = []Outcome{ours, same, p.sameCost(ours.PodHours), {Policy: "knowing the future", PodHours: p.bound, OverBound: 1, Cost: p.bound * s.PodHourPrice}}
	for _, q := range quantiles {
		o, err := p.predictive(risk(q), q)
		if err != nil {
			return Report{}, err
		}
		out.Frontier = append(out.Frontier, o)
	}
	for _, u := range utilisations {
		out.Reactive = append(out.Reactive, p.reactive(fmt.Sprintf("target × %g", u), u*rules.TargetPerPod))
	}
	out.Recommended = recommend(out.Frontier, out.Reactive, limit)
	return out, nil
}

// sameCost is the reactive HPA that spends as many pod-hours, its target
// chosen with the replay known: the strongest one to be held against.
func (p player) sameCost(podHours float64) Outcome {
	target := p.Workload.Rules.TargetPerPod
	_, tuned := cluster.Tune(podHours, target/10, target*3, func(target float64) cluster.Account {
		return cluster.Account{PodHours: p.reactive("", target).PodHours}
	})
	return p.reactive("reactive HPA, tuned to the same pod-hours", tuned)
}

// fine is how many under-provisioned minutes a day are fine when nobody says:
// a hundredth of them.
const fine = 14.4

// recommend is the cheapest setting that stays within the limit, or the one
// nearest to it.
func recommend(frontier []Outcome, reactive []Outcome, limit float64) Recommendation {
	if limit < 0 {
		limit = fine
	}
	best, fewest := -1, -1
	for i, o := range frontier {
		if o.PerDay <= limit && (best < 0 || o.PodHours < frontier[best].PodHours) {
			best = i
		}
		if fewest < 0 || o.PerDay < frontier[fewest].PerDay {
			fewest = i
		}
	}
	switch {
	case fewest < 0:
		return Recommendation{Why: "no quantile was forecast"}
	case best < 0:
		o := frontier[fewest]
		return Recommendation{o.Quantile, fmt.Sprintf("no quantile tried stays within %g under-provisioned minutes a day; this one is nearest with %.1f. "+
			"A higher quantile, HEADROOM or a longer lead time may; so may %s", limit, o.PerDay, cheapest(reactive, limit))}
	}
	o := frontier[best]
	return Recommendation{o.Quantile, fmt.Sprintf("the cheapest setting within %g under-provisioned minutes a day: %.1f of them for %.1f pod-hours; to stay within as many it takes %s",
		limit, o.PerDay, o.PodHours, cheapest(reactive, limit))}
}

// cheapest names the reactive HPA that stays within a limit for the least.
func cheapest(reactive []Outcome, limit float64) string {
	best := -1
	for i, o := range reactive {
		if o.PerDay <= limit && (best < 0 || o.PodHours < reactive[best].PodHours) {
			best = i
		}
	}
	if best < 0 {
		return "more than any reactive HPA tried"
	}
	o := reactive[best]
	return fmt.Sprintf("a reactive HPA at a target of %s and %.1f pod-hours", number(o.Target), o.PodHours)
}

// Title names what was replayed.
func (r Report) Title() string {
	if r.Workload == Recorded {
		return r.Metric
	}
	return r.Workload + ", " + r.Metric
}

// Recorded is the workload's name where a file was replayed and no workload.
const Recorded = "recorded/history"

// risk names a quantile as people do.
func risk(quantile float64) string {
	if quantile == 0 {
		return "median"
	}
	return fmt.Sprintf("p%g", 100*quantile)
}

func seconds(d time.Duration) int { return int(d / time.Second) }
