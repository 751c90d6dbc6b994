package backtest

import (
	"math"
	"time"

	"github.com/kedastral/kedastral/forecaster/backtest/cluster"
	"github.com/kedastral/kedastral/forecaster/capacity"
	"github.com/kedastral/kedastral/shared/forecast"
)

// Setting is what the replayed cluster is like.
type Setting struct {
	Startup        time.Duration // from a pod's creation until it serves
	Lead           time.Duration // the scaler's lead time
	Settle         time.Duration // how long after a step its value is known
	CapacityPerPod float64       // load a ready pod serves; > 0
	PodHourPrice   float64       // money; 0 is not told
}

// Outcome is what a policy came to over a replay.
type Outcome struct {
	Policy           string  `json:"policy"`
	UnderProvisioned float64 `json:"underProvisionedMinutes"`       // with less ready capacity than load
	PerDay           float64 `json:"underProvisionedMinutesPerDay"` // the same, a day
	UnservedPercent  float64 `json:"unservedPercent"`               // of the demand
	PodHours         float64 `json:"podHours"`
	OverBound        float64 `json:"podHoursOverBound"` // ÷ the pod-hours of knowing the future
	Cost             float64 `json:"cost,omitempty"`    // at the price given
	ScaleEvents      int     `json:"scaleEvents"`

	Quantile float64 `json:"quantile,omitempty"` // planned for, where the policy forecasts
	Target   float64 `json:"target,omitempty"`   // load per pod, where the policy reacts

	pods, ready []int // at the start of every step
}

// player runs policies over one replay.
type player struct {
	Replay
	Setting
	bound float64 // pod-hours of knowing the future
}

func newPlayer(r Replay, s Setting) player {
	p := player{Replay: r, Setting: s}
	p.bound = p.justInTime()
	return p
}

// predictive is the product's policy at a quantile; 0 is the median.
func (p player) predictive(name string, quantile float64) (Outcome, error) {
	rules := p.Workload.Rules
	rules.Quantile = quantile
	plans := make([]forecast.Snapshot, len(p.ticks))
	for i, o := range p.ticks {
		s := o.Snapshot
		d, err := capacity.Decide(capacity.Situation{
			Values: s.Values, Quantiles: s.Quantiles, Observed: s.Observed.Value, Surprise: o.Surprise, Skill: s.Skill, NoForecast: o.noForecast,
		}, rules)
		if err != nil {
			return Outcome{}, err
		}
		s.DesiredReplicas = d.Replicas
		plans[i] = s
	}
	hpa := p.hpa()
	hpa.Tolerance = rules.Tolerance
	out := p.play(name, hpa, 1, func(now time.Time) float64 {
		i := newest(p.ticks, now, p.Settle)
		if i < 0 {
			return math.NaN()
		}
		age := now.Sub(plans[i].GeneratedAt)
		highest, ok := plans[i].Highest(age, p.Lead)
		if !ok {
			return math.NaN() // what a scaler answers as an error
		}
		return float64(highest)
	})
	out.Quantile = quantile
	return out, nil
}

// reactive is a plain HPA on the same metric.
func (p player) reactive(name string, target float64) Outcome {
	out := p.play(name, p.hpa(), target, p.measured)
	out.Target = target
	return out
}

// measured is what a reactive metric says: the last whole step, once settled.
func (p player) measured(now time.Time) float64 {
	return p.load(now.Add(-p.Settle - p.History.Step))
}

func (p player) hpa() *cluster.HPA {
	return cluster.DefaultHPA(p.Workload.Rules.MinReplicas, p.Workload.Rules.MaxReplicas)
}

// play lets the stretch go by in syncs of an HPA that is told a metric; one
// that is not known is one the HPA cannot read, and it holds.
func (p player) play(name string, hpa *cluster.HPA, target float64, told func(time.Time) float64) Outcome {
	loop := cluster.Loop{HPA: hpa, Pods: cluster.NewDeployment(p.Startup, p.first())}
	var out Outcome
	for now := p.From; now.Before(p.To); now = now.Add(cluster.Sync) {
		load := p.load(now)
		loop.Step(now, cluster.Sync, load, p.CapacityPerPod, told(now), target)
		for len(out.pods) <= p.History.Index(now)-p.History.Index(p.From) {
			out.pods, out.ready = append(out.pods, loop.Pods.Replicas()), append(out.ready, loop.Pods.Ready(now))
		}
	}
	a := loop.Account
	out.Policy, out.UnderProvisioned, out.PodHours, out.ScaleEvents = name, a.UnderProvisioned.Minutes(), a.PodHours, a.ScaleEvents
	out.PerDay = out.UnderProvisioned / (a.Time.Hours() / 24)
	out.UnservedPercent = 100 * a.UnservedShare()
	out.OverBound = ratio(a.PodHours, p.bound)
	out.Cost = a.PodHours * p.PodHourPrice
	return out
}

// first is what every policy starts with: the pods the first load needs.
func (p player) first() int {
	for now := p.From; now.Before(p.To); now = now.Add(p.History.Step) {
		if load := p.load(now); !math.IsNaN(load) {
			return p.needs(load)
		}
	}
	return p.needs(0)
}

func (p player) needs(load float64) int {
	return min(max(int(math.Ceil(max(load, 0)/p.CapacityPerPod-1e-9)), p.Workload.Rules.MinReplicas, 1), p.Workload.Rules.MaxReplicas)
}

// justInTime is the least pod-hours that serve every step: pods created just
// early enough, and kept only where they are needed again within a start-up.
func (p player) justInTime() float64 {
	ahead := int((p.Startup + p.History.Step - 1) / p.History.Step)
	from, to := p.History.Index(p.From), p.History.Index(p.To)
	need := make([]int, to-from)
	for i := range need {
		load := p.History.Values[from+i]
		if math.IsNaN(load) {
			load = 0
		}
		need[i] = p.needs(load)
	}
	var hours float64
	for i := range need {
		highest := 0
		for _, n := range need[i:min(i+ahead+1, len(need))] {
			highest = max(highest, n)
		}
		hours += float64(highest) * p.History.Step.Hours()
	}
	return hours
}
