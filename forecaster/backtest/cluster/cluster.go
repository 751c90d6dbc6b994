// Package cluster imitates the part of Kubernetes between a metric and serving
// pods: the HPA's arithmetic with its tolerance, limits and stabilization
// window, a Deployment whose pods serve only after a start-up delay, and an
// account of what that cost and what went unserved.
//
// It is what policies are compared in, so every policy goes through the same
// HPA and the same pods; only the number the HPA is told differs. The HPA's
// rules are those of Kubernetes' replica calculator for an external metric of
// type AverageValue and of its default behavior for scaling up and down.
package cluster

import (
	"math"
	"time"
)

// HPA is a HorizontalPodAutoscaler over one external metric. Its fields are
// set before the first sync.
type HPA struct {
	Min, Max          int
	Tolerance         float64       // a ratio this close to 1 changes nothing; Kubernetes' default is 0.1
	UpFactor          float64       // a sync at most multiplies by this …
	UpPods            int           // … or adds this many, whichever is more
	DownStabilization time.Duration // a fall goes no lower than the highest recommendation of this long

	recommended []recommendation
}

type recommendation struct {
	at       time.Time
	replicas int
}

// Sync is how often the HPA controller looks, by default.
const Sync = 15 * time.Second

// DefaultHPA is an HPA with the defaults of Kubernetes.
func DefaultHPA(lowest, highest int) *HPA {
	return &HPA{Min: lowest, Max: highest, Tolerance: 0.1, UpFactor: 2, UpPods: 4, DownStabilization: 5 * time.Minute}
}

// Desired is the count after one sync at now, from the current count, the
// metric's total and its target per pod. A total that is not finite, like a
// failed metric, changes nothing.
func (h *HPA) Desired(now time.Time, current int, total, target float64) int {
	if math.IsNaN(total) || math.IsInf(total, 0) {
		return current
	}
	want := h.bound(h.limited(current, h.raw(current, total, target)))
	return h.stabilized(now, current, want)
}

// raw is the replica calculator: ⌈total/target⌉ unless that is within the
// tolerance of the current count.
func (h *HPA) raw(current int, total, target float64) int {
	// Compared as Kubernetes does it, so that rounding falls the same way.
	ratio := total / (target * float64(current))
	if current > 0 && 1-h.Tolerance <= ratio && ratio <= 1+h.Tolerance {
		return current
	}
	return int(min(math.Ceil(total/target-1e-9), math.MaxInt32))
}

func (h *HPA) limited(current, want int) int {
	return min(want, max(int(float64(current)*h.UpFactor), current+h.UpPods))
}

func (h *HPA) bound(n int) int { return min(max(n, h.Min, 1), h.Max) }

// stabilized remembers the recommendation and holds a fall at the highest of
// the window.
func (h *HPA) stabilized(now time.Time, current, want int) int {
	old := 0
	for old < len(h.recommended) && now.Sub(h.recommended[old].at) >= h.DownStabilization {
		old++
	}
	h.recommended = append(h.recommended[old:], recommendation{now, want})
	if want >= current {
		return want
	}
	highest := want
	for _, r := range h.recommended {
		highest = max(highest, r.replicas)
	}
	return min(highest, current)
}

// Deployment is a set of pods, each serving once it is ready.
type Deployment struct {
	startup time.Duration
	ready   []time.Time // when each pod is ready, ascending
}

// NewDeployment has replicas pods, all ready, and starts every later one in
// startup.
func NewDeployment(startup time.Duration, replicas int) *Deployment {
	return &Deployment{startup: startup, ready: make([]time.Time, replicas)}
}

// Scale creates or deletes pods; those that are not ready go first.
func (d *Deployment) Scale(now time.Time, replicas int) {
	for len(d.ready) < replicas {
		d.ready = append(d.ready, now.Add(d.startup))
	}
	d.ready = d.ready[:replicas]
}

// Replicas is how many pods there are, ready or not.
func (d *Deployment) Replicas() int { return len(d.ready) }

// Ready is how many pods serve at now.
func (d *Deployment) Ready(now time.Time) int {
	n := 0
	for n < len(d.ready) && !d.ready[n].After(now) {
		n++
	}
	return n
}

// Account is what a stretch of time cost and what it left unserved.
type Account struct {
	Time             time.Duration // accounted for
	UnderProvisioned time.Duration // with less ready capacity than load
	Unserved         float64       // load·seconds beyond the ready capacity
	Demand           float64       // load·seconds in all
	PodHours         float64       // from creation on, ready or not
	ScaleEvents      int
}

// Add accounts for a stretch in which load and pods stayed as they are. A load
// that was not observed is no demand; its pods still cost.
func (a *Account) Add(length time.Duration, load, capacityPerPod float64, ready, pods int) {
	a.Time += length
	a.PodHours += float64(pods) * length.Hours()
	if math.IsNaN(load) {
		return
	}
	a.Demand += load * length.Seconds()
	if short := load - float64(ready)*capacityPerPod; short > 1e-9*capacityPerPod {
		a.UnderProvisioned += length
		a.Unserved += short * length.Seconds()
	}
}

// UnservedShare is the unserved part of the demand, in [0, 1].
func (a *Account) UnservedShare() float64 {
	if a.Demand == 0 {
		return 0
	}
	return a.Unserved / a.Demand
}

// Loop is one policy's HPA, pods and account.
type Loop struct {
	HPA     *HPA
	Pods    *Deployment
	Account Account
}

// Step lets the HPA sync at now with the metric it was told, then accounts for
// the length until the next sync under the load.
func (l *Loop) Step(now time.Time, length time.Duration, load, capacityPerPod, total, target float64) {
	before := l.Pods.Replicas()
	after := l.HPA.Desired(now, before, total, target)
	if after != before {
		l.Account.ScaleEvents++
		l.Pods.Scale(now, after)
	}
	l.Account.Add(length, load, capacityPerPod, l.Pods.Ready(now), after)
}

// Tune finds the target at which a policy costs about podHours, given what it
// costs at a target: the higher the target, the fewer pods.
func Tune(podHours, low, high float64, run func(target float64) Account) (Account, float64) {
	const halvings = 30
	var a Account
	var target float64
	for range halvings {
		target = (low + high) / 2
		if a = run(target); a.PodHours > podHours {
			low = target
		} else {
			high = target
		}
	}
	return a, target
}
