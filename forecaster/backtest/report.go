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
// frontier where the forecasts have them; a recommended setting keeps
// under-provisioned minutes a day at or below limit, or, when limit is
// negative, at or below those of the reactive HPA.
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
	out.Recommended = recommend(out.Frontier, same, limit)
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

// recommend is the cheapest setting that stays within the limit.
func recommend(frontier []Outcome, reactive Outcome, limit float64) Recommendation {
	reason := fmt.Sprintf("at most %.1f under-provisioned minutes a day", limit)
	if limit < 0 {
		limit = reactive.PerDay
		reason = fmt.Sprintf("no more under-provisioned minutes than the reactive HPA (%.1f a day)", limit)
	}
	best := -1
	for i, o := range frontier {
		if o.PerDay <= limit && (best < 0 || o.PodHours < frontier[best].PodHours) {
			best = i
		}
	}
	if best < 0 {
		return Recommendation{Why: "no quantile tried had " + reason + ": raise HEADROOM, the lead time, or keep scaling reactively"}
	}
	o := frontier[best]
	return Recommendation{o.Quantile, fmt.Sprintf("the cheapest setting with %s: %.1f a day for %.1f pod-hours, where the reactive HPA spends %.1f",
		reason, o.PerDay, o.PodHours, reactive.PodHours)}
}

// risk names a quantile as people do.
func risk(quantile float64) string {
	if quantile == 0 {
		return "median"
	}
	return fmt.Sprintf("p%g", 100*quantile)
}

func seconds(d time.Duration) int { return int(d / time.Second) }
