package capacity

import (
	"errors"
	"fmt"
	"math"

	"github.com/kedastral/kedastral/shared/forecast"
)

// ErrUnknownLoad says that neither the forecast nor an observation is there to
// plan from.
var ErrUnknownLoad = errors.New("no finite load to plan from")

// Rules are a workload's policy and the safeguards around it.
type Rules struct {
	Policy
	NoFloor     bool    // let the plan go below what the load observed now needs
	NowcastLift bool    // raise the forecast by what the newest step exceeded its own forecast by
	Shadow      bool    // plan from the observed load, show the forecast's plan beside it
	Tolerance   float64 // the HPA's tolerance, where it cannot be set to 0; 0 asks for exactly the plan
}

// Situation is what is known at the instant of a decision.
type Situation struct {
	Values    []float64           // the median of each step's load
	Quantiles []forecast.Quantile // ascending levels
	Observed  float64             // the newest observed load; NaN when there is none
	Surprise  float64             // Observed − what had been forecast for that step; NaN or 0 when unknown
	Skill     *forecast.Skill     // nil while it is not known

	NoForecast string // why there is nothing but Observed, of which Values are the repetition; blank where there is a forecast
}

// Decision is a plan and why it is what it is.
type Decision struct {
	Replicas     []int         // to publish
	ForecastPlan []int         // what the forecast alone asks for
	Mode         forecast.Mode // what Replicas were planned from
	Reason       string        // why Mode is not predictive
	Level        float64       // the quantile level planned for; 0.5 is the median
	Prev         int           // the count before the first step: what the observed load needs
	Floor        int           // no published count is below; 0 without a floor
	Lift         float64       // load added to every step by the nowcast
	Steps        []Step        // how ForecastPlan came about
	NoForecast   bool          // Replicas are for the load observed because nothing was forecast
}

// Decide plans the replicas to publish. The rules' policy is valid. A forecast
// of no steps, or one from which nothing is known, is [ErrUnknownLoad].
func Decide(s Situation, r Rules) (Decision, error) {
	loads, level, err := chosen(s, r.Quantile)
	if err != nil {
		return Decision{}, err
	}
	d := Decision{Level: level, NoForecast: s.NoForecast != ""}
	observedNeed, observed := r.Need(s.Observed)
	first, known := r.Need(loads[0])
	switch {
	case observed:
		d.Prev = observedNeed
	case known && !d.NoForecast:
		d.Prev = first
	default:
		return Decision{}, ErrUnknownLoad
	}
	if r.NowcastLift && s.Surprise > 0 && finite(s.Surprise) {
		d.Lift = s.Surprise
		loads = lifted(loads, d.Lift)
	}
	d.Steps = plan(d.Prev, loads, r.Policy)
	d.ForecastPlan = counts(d.Steps)
	d.Mode, d.Reason = mode(s, r, observed)
	d.Replicas = counts(d.Steps)
	if observed && !r.NoFloor || d.Mode != forecast.Predictive {
		d.Floor = d.Prev
	}
	for i := range d.Replicas {
		if d.Mode != forecast.Predictive {
			d.Replicas[i] = d.Prev
		}
		d.Replicas[i] = r.bound(r.pastTolerance(max(d.Replicas[i], d.Floor)))
	}
	return d, nil
}

// mode says what may be acted on. Without an observation there is nothing to
// react to, so the forecast acts even unproved: it is all that is known.
func mode(s Situation, r Rules, observed bool) (forecast.Mode, string) {
	switch {
	case r.Shadow:
		return forecast.Shadow, "the workload is in shadow: its forecast is shown and scored, not acted on"
	case !observed:
		return forecast.Predictive, ""
	case s.NoForecast != "":
		return forecast.Reactive, s.NoForecast
	case s.Skill == nil || s.Skill.Origins == 0:
		return forecast.Reactive, "the forecast's skill is not known yet: too little history to forecast again and compare"
	case OverLastValue(s.Skill) <= 0:
		return forecast.Reactive, fmt.Sprintf("the forecast has no skill (%.2f): over %d origins of the recent past it was no better than "+
			"repeating the last value, which is what a reactive trigger does", OverLastValue(s.Skill), s.Skill.Origins)
	}
	return forecast.Predictive, ""
}

// OverLastValue is the skill that decides whether a forecast may act: over what would be acted on
// otherwise, each part of the horizon weighing as long as it is. The last
// season is no way to scale; a model that only equals it on a load that
// repeats exactly still sees every peak before it comes.
func OverLastValue(k *forecast.Skill) float64 {
	if len(k.Blocks) == 0 {
		return k.Overall
	}
	var mean float64
	from := 0
	for _, b := range k.Blocks {
		mean += b.LastValue * float64(b.ToSeconds-from)
		from = b.ToSeconds
	}
	return mean / float64(max(1, from))
}

// chosen is the load to plan for: the asked quantile, or the median.
func chosen(s Situation, level float64) ([]float64, float64, error) {
	loads := s.Values
	if level == 0 || s.NoForecast != "" {
		level = 0.5
	} else {
		loads = nil
		for _, q := range s.Quantiles {
			if math.Abs(q.Level-level) < 1e-9 {
				loads = q.Values
			}
		}
		if loads == nil {
			return nil, 0, fmt.Errorf("quantile %v: the forecast does not have it", level)
		}
	}
	if len(loads) == 0 {
		return nil, 0, ErrUnknownLoad
	}
	return loads, level, nil
}

func lifted(loads []float64, by float64) []float64 {
	out := make([]float64, len(loads))
	for i, v := range loads {
		out[i] = v + by
	}
	return out
}

// pastTolerance is the count to ask an HPA for that ignores differences within
// its tolerance, so that it never holds fewer than n: ⌊n·(1+t)⌋ is more than the
// tolerance above every count below n, and within it for n itself.
func (r Rules) pastTolerance(n int) int {
	return int(min(math.Floor(float64(n)*(1+r.Tolerance)+1e-9), MaxCount))
}
