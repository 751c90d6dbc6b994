package engine

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/kedastral/kedastral/forecaster/capacity"
	"github.com/kedastral/kedastral/shared/forecast"
)

// Explanation says in words and numbers why a workload's count is what it is,
// or why there is none and what to do next.
type Explanation struct {
	Status
	Summary string     `json:"summary"`         // all of it in one sentence
	Table   []Line     `json:"table,omitempty"` // every number that shaped the plan
	Words   []string   `json:"words"`           // sentences, the most important first
	Plan    *Reckoning `json:"plan,omitempty"`  // step by step
}

// Reckoning is how the newest plan came about. Element i of Steps speaks for
// the step i of the snapshot.
type Reckoning struct {
	Level        float64  `json:"quantile"`     // of the forecast that is planned for; 0.5 is the median
	TargetPerPod float64  `json:"targetPerPod"` // load one replica carries
	Headroom     float64  `json:"headroom"`     // factor on the load
	MinReplicas  int      `json:"minReplicas"`
	MaxReplicas  int      `json:"maxReplicas"`
	Prev         int      `json:"needNow"`         // what the observed load needs
	Floor        int      `json:"floor,omitempty"` // no published count is below
	Lift         float64  `json:"lift,omitempty"`  // load added to every step
	Steps        []Moment `json:"steps"`
}

// Moment is one step of a plan.
type Moment struct {
	At       time.Time      `json:"at"`
	Load     float64        `json:"load"`            // planned for, lift included
	Needed   int            `json:"needed"`          // replicas for that load, prewarm included
	Limit    capacity.Limit `json:"limit,omitempty"` // what else shaped the forecast's plan
	Forecast int            `json:"forecast"`        // the forecast's plan
	Replicas int            `json:"replicas"`        // what is published
}

// Explain answers for a configured workload in every state, for a scaler of
// this lead time; its errors are those of the name.
func (e *Engine) Explain(workload string, lead time.Duration) (Explanation, error) {
	k, err := e.find(workload)
	if err != nil {
		return Explanation{}, err
	}
	now, last := e.Clock.Now(), k.outcome() // one for all that is told: the next tick may leave another
	x := Explanation{Status: e.status(k, last, now)}
	switch x.State {
	case Warming, Silent:
		x.Summary, x.Table = x.nothing()
		x.Words = append(x.Words, "Nothing is published: "+x.Reason+".")
	case Following:
		asked := askedOf(last.taken, last.taken.Age(now), lead)
		x.Summary, x.Table = k.handed(last.taken, asked)
		x.Words = append(x.Words, k.first(last.taken), "Another forecaster leads and made this plan: it can say why.")
	default:
		asked := askedOf(last.published, last.published.Age(now), lead)
		x.Summary = k.summary(x.Status, last.published, last.decision, asked)
		x.Plan, x.Table = k.reckon(last.published, last.decision), k.table(last.published, last.decision, asked)
		x.Words = append(x.Words, k.words(last.published, last.decision)...)
	}
	if x.State == Failing {
		came := "The newest tick had a fault, the last forecast stands: "
		if last.reacting() {
			came = "The newest tick had a fault and made no forecast, so the load observed now decides: "
		}
		x.Words = append(x.Words, came+x.Reason+".")
		x.Table = append(x.Table, Line{"Fault", x.Reason, ""}, Line{"Next step", x.Next, ""})
	}
	if x.Next != "" {
		x.Words = append(x.Words, "Next: "+x.Next+".")
	}
	return x, nil
}

func (k *worker) reckon(s forecast.Snapshot, d capacity.Decision) *Reckoning {
	r := &Reckoning{
		Level: d.Level, TargetPerPod: k.Rules.TargetPerPod, Headroom: max(1, k.Rules.Headroom),
		MinReplicas: k.Rules.MinReplicas, MaxReplicas: k.Rules.MaxReplicas,
		Prev: d.Prev, Floor: d.Floor, Lift: d.Lift, Steps: make([]Moment, len(d.Steps)),
	}
	for i, step := range d.Steps {
		r.Steps[i] = Moment{
			At: s.GeneratedAt.Add(time.Duration(i) * s.Step()), Load: step.Load, Needed: step.Needed,
			Limit: step.Limit, Forecast: step.Replicas, Replicas: s.DesiredReplicas[i],
		}
	}
	return r
}

// words tells the plan from its first step and its highest one.
func (k *worker) words(s forecast.Snapshot, d capacity.Decision) []string {
	words := []string{k.first(s), k.observed(s, d)}
	if s.Mode != forecast.Predictive {
		words = append(words, fmt.Sprintf("The plan is made from the load observed now (%s): %s.", s.Mode, s.Reason))
	}
	words = append(words, k.highest(s, d))
	if s.Skill != nil && s.Skill.Origins > 0 {
		words = append(words, record(s.Skill))
	}
	if d.Lift > 0 {
		words = append(words, fmt.Sprintf("Every step was raised by %s: the newest step was that much above its own forecast.", number(d.Lift)))
	}
	if d.Floor > 0 && s.Mode == forecast.Predictive {
		words = append(words, fmt.Sprintf("No step is below %d, what the observed load needs.", d.Floor))
	}
	if k.Rules.Tolerance > 0 {
		words = append(words, fmt.Sprintf("Counts are raised past an HPA tolerance of %g.", k.Rules.Tolerance))
	}
	return words
}

func (k *worker) first(s forecast.Snapshot) string {
	return fmt.Sprintf("%s for the step starting %s, at most %s within the %v that follow.",
		replicas(s.DesiredReplicas[0]), stamp(s.GeneratedAt), replicas(peak(s.DesiredReplicas)), k.Horizon)
}

func (k *worker) observed(s forecast.Snapshot, d capacity.Decision) string {
	return fmt.Sprintf("The load observed up to %s was %s: at %g a replica%s it needs %s.",
		stamp(s.Observed.At), number(s.Observed.Value), k.Rules.TargetPerPod, k.headroom(), replicas(d.Prev))
}

// highest tells the step that asks for most: which quantile of which forecast,
// when, and what limited it.
func (k *worker) highest(s forecast.Snapshot, d capacity.Decision) string {
	top := highest(d)
	step, ahead := d.Steps[top], time.Duration(top)*s.Step()
	text := fmt.Sprintf("The forecast needs most at %s, %v after its start: the %s of %s there is %s, which%s needs %s",
		stamp(s.GeneratedAt.Add(ahead)), ahead, quantile(d.Level), s.Model, number(step.Load), k.prewarm(), replicas(step.Needed))
	if step.Limit != capacity.Unlimited {
		text += fmt.Sprintf("; the plan has %d there (%s)", step.Replicas, step.Limit)
	}
	return text + "."
}

// record tells how the model fared.
func record(k *forecast.Skill) string {
	text := fmt.Sprintf("Forecast again from %d origins of the recent past, its skill was %.2f over repeating the last value and %.2f over the better of that and the last season (1 is perfect, above 0 is better)",
		k.Origins, capacity.OverLastValue(k), k.Overall)
	var covered []string
	for _, c := range k.Coverage {
		covered = append(covered, fmt.Sprintf("the %s %.0f %% of the time", quantile(c.Level), 100*c.Measured))
	}
	if len(covered) > 0 {
		text += "; the load stayed at or below " + strings.Join(covered, ", ")
	}
	return text + "."
}

func (k *worker) headroom() string {
	if k.Rules.Headroom <= 1 {
		return ""
	}
	return fmt.Sprintf(" and headroom %g", k.Rules.Headroom)
}

func (k *worker) prewarm() string {
	if n := k.Rules.PrewarmWindowSteps; n > 0 {
		return fmt.Sprintf(" with the %s after it", steps(n))
	}
	return ""
}

func quantile(level float64) string {
	if level == 0.5 {
		return "median"
	}
	return fmt.Sprintf("%g quantile", level)
}

func replicas(n int) string {
	if n == 1 {
		return "1 replica"
	}
	return fmt.Sprintf("%d replicas", n)
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") }

// oneLine is the text of joined errors as one sentence, fit for a terminal:
// what a panic or a source said may hold anything.
func oneLine(err error) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ReplaceAll(err.Error(), "\n", "; "))
}
