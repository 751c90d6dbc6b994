package engine

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kedastral/kedastral/forecaster/capacity"
	"github.com/kedastral/kedastral/shared/env"
	"github.com/kedastral/kedastral/shared/forecast"
)

// Line is one line of an explanation's table.
type Line struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	Note  string `json:"note,omitempty"` // what the value does to the plan
}

// asked is what a scaler of a lead time is answered with now.
type asked struct {
	lead     time.Duration
	replicas int
	step     int  // of the plan, the first that has so many
	ended    bool // the plan has nothing more to say
}

func askedOf(s forecast.Snapshot, age, lead time.Duration) asked {
	n, ok := s.Highest(age, lead)
	if !ok {
		return asked{lead: lead, ended: true}
	}
	a := asked{lead: lead, replicas: n, step: int(age / s.Step())}
	for s.DesiredReplicas[a.step] != n {
		a.step++
	}
	return a
}

// nothing is the explanation of why there is no forecast.
func (st Status) nothing() (string, []Line) {
	summary := "No forecast: " + st.Reason
	lines := []Line{
		{"State", string(st.State), "the scaler has no number from here: its fallback or KEDA's decides"},
		{"Reason", st.Reason, ""},
	}
	if st.Next != "" {
		summary += "; " + st.Next
		lines = append(lines, Line{"Next step", st.Next, ""})
	}
	lines = append(lines, Line{"Metric", st.Metric, "from " + st.Source})
	for _, known := range []struct {
		name, note string
		at         time.Time
	}{
		{"Last forecast", "no longer given out", st.GeneratedAt},
		{"Newest observation", "", st.DataAt},
		{"Last tick", "the newest instant that a forecast was tried for", st.LastTick},
	} {
		if !known.at.IsZero() {
			lines = append(lines, Line{known.name, stamp(known.at), known.note})
		}
	}
	return summary + ".", lines
}

// handed is the explanation of a plan that another forecaster made: what it
// comes to, without the reckoning, which only that one knows.
func (k *worker) handed(s forecast.Snapshot, a asked) (string, []Line) {
	text := fmt.Sprintf("%s for a lead time of %s", replicas(a.replicas), env.FormatDuration(a.lead))
	note := "the most planned within it"
	if a.ended {
		text, note = "The plan has ended: its horizon of "+env.FormatDuration(k.Horizon)+" has passed", "the plan has ended: a scaler falls back"
	}
	return text + "; another forecaster leads and made the plan, ask that one why.", []Line{
		{"State", string(Following), "the snapshot of another forecaster is served; this one does not read the source"},
		{"Lead time", env.FormatDuration(a.lead), note},
		k.gate(s),
		{"Load observed", number(s.Observed.Value), "up to " + stamp(s.Observed.At)},
		{"Last forecast", stamp(s.GeneratedAt), "by " + s.Model},
	}
}

// summary is the explanation in one sentence.
func (k *worker) summary(st Status, s forecast.Snapshot, d capacity.Decision, a asked) string {
	text := fmt.Sprintf("%s for a lead time of %s", replicas(a.replicas), env.FormatDuration(a.lead))
	switch {
	case a.ended:
		text = "The plan has ended: its horizon of " + env.FormatDuration(k.Horizon) + " has passed"
	case d.NoForecast:
		return fmt.Sprintf("%s, planned from the load observed now (%s), for the newest tick had a fault and made no forecast.", text, number(s.Observed.Value))
	case s.Mode == forecast.Reactive:
		text += fmt.Sprintf(", planned from the load observed now (%s) and not from the forecast, which has no proven skill", number(s.Observed.Value))
	case s.Mode == forecast.Shadow:
		text += fmt.Sprintf(", planned from the load observed now (%s); the forecast is only watched and would ask for at most %s within %s",
			number(s.Observed.Value), replicas(peak(s.ForecastPlan)), env.FormatDuration(k.Horizon))
	default:
		text += ": " + k.because(s, d, a.step)
	}
	if st.State == Failing {
		text += "; the newest tick had a fault and the last forecast stands"
	}
	return text + "."
}

// because tells one step of a plan made from the forecast: which quantile of
// which forecast at which minute, and what became of it.
func (k *worker) because(s forecast.Snapshot, d capacity.Decision, i int) string {
	step := d.Steps[i]
	text := fmt.Sprintf("at %s the %s of the load forecast by %s is %s, which at %g a replica%s needs %s%s",
		minute(s, i), quantile(d.Level), s.Model, number(step.Load), k.Rules.TargetPerPod, k.headroom(), replicas(step.Needed), k.prewarm())
	if step.Limit != capacity.Unlimited {
		text += fmt.Sprintf("; the plan has %d there (%s)", step.Replicas, step.Limit)
	}
	switch published := s.DesiredReplicas[i]; {
	case published > step.Replicas && published == d.Floor:
		text += fmt.Sprintf("; raised to %d, what the load observed now needs", d.Floor)
	case published > step.Replicas:
		text += fmt.Sprintf("; raised to %d, past the HPA's tolerance", published)
	}
	return text
}

// minute is when a step starts, with its day where the hour alone would not
// tell.
func minute(s forecast.Snapshot, i int) string {
	ahead := time.Duration(i) * s.Step()
	at := s.GeneratedAt.Add(ahead).UTC()
	if ahead >= 12*time.Hour || s.Step()%time.Minute != 0 {
		return stamp(at)
	}
	return at.Format("15:04 UTC")
}

// table tells every number that shaped the plan.
func (k *worker) table(s forecast.Snapshot, d capacity.Decision, a asked) []Line {
	top := highest(d)
	step := d.Steps[top]
	p := k.Rules.Policy
	lines := []Line{k.lead(s, d, a), k.gate(s)}
	if s.Skill != nil && s.Skill.Origins > 0 {
		lines = append(lines, Line{
			"Skill", fmt.Sprintf("%.2f", capacity.OverLastValue(s.Skill)),
			fmt.Sprintf("over repeating the last value, measured from %d origins; above 0 the forecast may act, 1 is perfect", s.Skill.Origins),
		})
	}
	lines = append(lines,
		Line{"Load observed", number(s.Observed.Value), "up to " + stamp(s.Observed.At)},
		Line{"Needed by that", replicas(d.Prev), "where the plan starts from"},
		Line{"Planned for", quantile(d.Level) + " of " + s.Model, "QUANTILE, of the forecast made at " + stamp(s.GeneratedAt)},
		Line{"Most needed within " + env.FormatDuration(k.Horizon), replicas(step.Needed), "first at " + stamp(s.GeneratedAt.Add(time.Duration(top)*s.Step())) + ", for a load of " + number(step.Load)},
		Line{"A replica carries", number(p.TargetPerPod), "TARGET_PER_POD"},
		Line{"Headroom", fmt.Sprintf("× %g", max(1, p.Headroom)), "HEADROOM, a factor on the load"},
		Line{"Bounds", fmt.Sprintf("%d to %d", p.MinReplicas, p.MaxReplicas), "MIN_REPLICAS and MAX_REPLICAS" + met(d, capacity.AtMin, capacity.AtMax)},
		Line{"Rise a step", limitOf(p.UpMaxFactorPerStep, "at most × %g"), "UP_MAX_FACTOR_PER_STEP" + met(d, capacity.RiseLimit)},
		Line{"Fall a step", limitOf(float64(p.DownMaxPercentPerStep), "at most %g %%"), "DOWN_MAX_PERCENT_PER_STEP" + met(d, capacity.FallLimit)},
		Line{"Prewarm", steps(p.PrewarmWindowSteps), "PREWARM_WINDOW_STEPS, a step has what these need, too"},
		Line{"Floor", floorOf(d), "REACTIVE_FLOOR, no published count is below"},
	)
	if d.Lift > 0 {
		lines = append(lines, Line{"Lift", "+ " + number(d.Lift), "NOWCAST_LIFT, the newest step was that much above its forecast"})
	}
	return lines
}

// lead tells what a scaler is answered with, and which step of the plan that is.
func (k *worker) lead(s forecast.Snapshot, d capacity.Decision, a asked) Line {
	line := Line{Name: "Lead time", Value: env.FormatDuration(a.lead)}
	if a.ended {
		line.Note = "the plan has ended: a scaler falls back"
		return line
	}
	step := d.Steps[a.step]
	line.Note = fmt.Sprintf("the most planned within it is %s, first for %s: forecast %s, needs %s",
		replicas(a.replicas), stamp(s.GeneratedAt.Add(time.Duration(a.step)*s.Step())), number(step.Load), replicas(step.Needed))
	return line
}

// gate tells what the plan was made from, and why.
func (k *worker) gate(s forecast.Snapshot) Line {
	line := Line{"Gate", string(s.Mode), s.Reason}
	if s.Mode == forecast.Predictive {
		line.Note = "the forecast acts: it has skill over repeating the last value"
	}
	return line
}

// met names those of the limits that shaped the plan.
func met(d capacity.Decision, limits ...capacity.Limit) string {
	var hit []string
	for _, limit := range limits {
		if slices.ContainsFunc(d.Steps, func(s capacity.Step) bool { return s.Limit == limit }) {
			hit = append(hit, string(limit))
		}
	}
	if len(hit) == 0 {
		return ""
	}
	return "; in force: " + strings.Join(hit, ", ")
}

// highest is the step that asks for most, of several the first.
func highest(d capacity.Decision) int {
	top := 0
	for i, step := range d.Steps {
		if step.Needed > d.Steps[top].Needed {
			top = i
		}
	}
	return top
}

func floorOf(d capacity.Decision) string {
	if d.Floor == 0 {
		return "off"
	}
	return replicas(d.Floor)
}

func limitOf(v float64, format string) string {
	if v == 0 {
		return "not limited"
	}
	return fmt.Sprintf(format, v)
}

func steps(n int) string {
	switch n {
	case 0:
		return "off"
	case 1:
		return "1 step"
	}
	return fmt.Sprintf("%d steps", n)
}

// number is a load with four digits or all of its whole ones, and never with
// an exponent that people have to think about.
func number(v float64) string {
	magnitude := math.Log10(max(math.Abs(v), 1e-9))
	decimals := min(max(0, 3-int(math.Floor(magnitude))), 12)
	text := strconv.FormatFloat(v, 'f', decimals, 64)
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return text
}
