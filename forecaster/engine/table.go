package engine

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/kedastral/kedastral/forecaster/capacity"
	"github.com/kedastral/kedastral/shared/forecast"
)

// Line is one line of an explanation's table.
type Line struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	Note  string `json:"note,omitempty"` // what the value does to the plan
}

// summary is the explanation in one sentence.
func (k *worker) summary(st Status, s forecast.Snapshot, d capacity.Decision) string {
	if st.State == Warming || st.State == Silent {
		text := "No forecast: " + st.Reason
		if st.Next != "" {
			text += "; " + st.Next
		}
		return text + "."
	}
	top := highest(d)
	at := s.GeneratedAt.Add(time.Duration(top) * s.Step())
	text := replicas(s.DesiredReplicas[0]) + " now"
	step := d.Steps[top]
	switch s.Mode {
	case forecast.Reactive:
		text += fmt.Sprintf(", planned from the load observed now (%s) and not from the forecast, which has no proven skill", number(s.Observed.Value))
	case forecast.Shadow:
		text += fmt.Sprintf(", planned from the load observed now (%s); the forecast is only watched and would ask for at most %s within %s",
			number(s.Observed.Value), replicas(peak(s.ForecastPlan)), length(k.Horizon))
	default:
		text += fmt.Sprintf(", at most %s within %s: the %s of the load forecast by %s is highest at %s with %s, and a replica carries %g%s",
			replicas(peak(s.DesiredReplicas)), length(k.Horizon), quantile(d.Level), s.Model, at.UTC().Format("15:04 UTC"), number(step.Load), k.Rules.TargetPerPod, k.headroom())
	}
	if st.State == Failing {
		text += "; the newest tick had a fault and the last forecast stands"
	}
	return text + "."
}

// table tells every number that shaped the plan.
func (k *worker) table(s forecast.Snapshot, d capacity.Decision) []Line {
	top := highest(d)
	step := d.Steps[top]
	p := k.Rules.Policy
	lines := []Line{
		{"Mode", string(s.Mode), s.Reason},
		{"Load observed", number(s.Observed.Value), "up to " + stamp(s.Observed.At)},
		{"Needed by that", replicas(d.Prev), "where the plan starts from"},
		{"Planned for", quantile(d.Level) + " of " + s.Model, "made at " + stamp(s.GeneratedAt)},
		{"Highest within the horizon", number(step.Load), stamp(s.GeneratedAt.Add(time.Duration(top)*s.Step())) + ", needs " + replicas(step.Needed)},
		{"A replica carries", number(p.TargetPerPod), "TARGET_PER_POD"},
		{"Headroom", fmt.Sprintf("× %g", max(1, p.Headroom)), "HEADROOM, a factor on the load"},
		{"Bounds", fmt.Sprintf("%d to %d", p.MinReplicas, p.MaxReplicas), "MIN_REPLICAS and MAX_REPLICAS" + k.met(d)},
		{"Rise a step", limitOf(p.UpMaxFactorPerStep, "at most × %g"), "UP_MAX_FACTOR_PER_STEP"},
		{"Fall a step", limitOf(float64(p.DownMaxPercentPerStep), "at most %g %%"), "DOWN_MAX_PERCENT_PER_STEP"},
		{"Prewarm", steps(p.PrewarmWindowSteps), "PREWARM_WINDOW_STEPS, a step has what these need, too"},
		{"Floor", floorOf(d), "REACTIVE_FLOOR, no published count is below"},
	}
	if d.Lift > 0 {
		lines = append(lines, Line{"Lift", "+ " + number(d.Lift), "NOWCAST_LIFT, the newest step was that much above its forecast"})
	}
	if s.Skill != nil && s.Skill.Origins > 0 {
		lines = append(lines, Line{
			"Skill", fmt.Sprintf("%.2f", capacity.OverLastValue(s.Skill)),
			fmt.Sprintf("over repeating the last value, measured from %d origins; above 0 the forecast may act, 1 is perfect", s.Skill.Origins),
		})
	}
	return append(lines, Line{"Lead time", "the scaler's", "a scaler asks for the most within its LEAD_TIME from now"})
}

// met names the bounds that shaped the plan.
func (k *worker) met(d capacity.Decision) string {
	var hit []string
	for _, limit := range []capacity.Limit{capacity.AtMin, capacity.AtMax} {
		for _, step := range d.Steps {
			if step.Limit == limit {
				hit = append(hit, string(limit))
				break
			}
		}
	}
	if len(hit) == 0 {
		return ""
	}
	return "; in force: " + strings.Join(hit, ", ")
}

// highest is the step that asks for most.
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
	if n == 0 {
		return "off"
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

// length is a duration without the zeros that Go ends it with.
func length(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
