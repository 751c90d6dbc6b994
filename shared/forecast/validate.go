package forecast

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
	"unicode/utf8"
)

// The bounds of a snapshot.
const (
	MaxSteps   = 10_080  // a week of minutes
	MaxLevels  = 99      // quantiles, and entries of each list in Skill
	MaxNumbers = 140_000 // of the median and the quantiles together, so that no document is over MaxBytes

	maxStep     = 24 * time.Hour
	maxInterval = 7 * 24 * time.Hour
	maxText     = 4096 // bytes of Metric, Model and Reason, each
)

// Validate is nil if the snapshot keeps every rule, so that it may be acted
// on: names are harmless, numbers are finite, lengths agree, counts are
// possible, quantiles do not cross. Otherwise it names every field at fault,
// what it holds and the rule it broke, and wraps [ErrInvalid].
func (s Snapshot) Validate() error {
	var errs []error
	if _, _, err := ParseWorkload(s.Workload); err != nil {
		errs = append(errs, fmt.Errorf("workload: %w", err))
	}
	errs = append(errs,
		text("metric", s.Metric), text("model", s.Model), text("reason", s.Reason),
		s.validateTime(),
		s.validateShape(),
		finite("values", s.Values),
		s.validateQuantiles(),
		counts("desiredReplicas", s.DesiredReplicas),
		counts("forecastPlan", s.ForecastPlan),
	)
	switch s.Mode {
	case Predictive, Reactive, Shadow:
	default:
		errs = append(errs, fmt.Errorf("mode=%s: must be predictive, reactive or shadow", shown(string(s.Mode))))
	}
	if o := s.Observed; o != nil {
		errs = append(errs, number("observed.value", o.Value), instant("observed.at", o.At))
	}
	if s.Skill != nil {
		errs = append(errs, s.Skill.validate())
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return nil
}

// Answers is nil if the snapshot is the workload's. Its error wraps
// [ErrInvalid]: acting on another's forecast is worse than having none.
func (s Snapshot) Answers(workload string) error {
	if s.Workload == workload {
		return nil
	}
	return fmt.Errorf("%w: workload=%s: must be %s, which was asked for", ErrInvalid, shown(s.Workload), shown(workload))
}

func (s Snapshot) validateTime() error {
	if err := instant("generatedAt", s.GeneratedAt); err != nil {
		return err
	}
	if s.GeneratedAt.Nanosecond() != 0 || s.StepSeconds > 0 && s.GeneratedAt.Unix()%int64(s.StepSeconds) != 0 {
		return fmt.Errorf("generatedAt=%s: must be a multiple of the step of %d s", s.GeneratedAt.Format(time.RFC3339Nano), s.StepSeconds)
	}
	return nil
}

// validateShape is about how many there are of everything.
func (s Snapshot) validateShape() error {
	n := len(s.Values)
	switch {
	case s.IntervalSeconds <= 0 || s.IntervalSeconds > int(maxInterval/time.Second):
		return fmt.Errorf("intervalSeconds=%d: must be between 1 and %d", s.IntervalSeconds, int(maxInterval/time.Second))
	case s.DelaySeconds < 0 || s.DelaySeconds > int(maxInterval/time.Second):
		return fmt.Errorf("delaySeconds=%d: must be between 0 and %d", s.DelaySeconds, int(maxInterval/time.Second))
	case s.StepSeconds <= 0 || s.StepSeconds > int(maxStep/time.Second):
		return fmt.Errorf("stepSeconds=%d: must be between 1 and %d", s.StepSeconds, int(maxStep/time.Second))
	case n < 1 || n > MaxSteps:
		return fmt.Errorf("values: has %d elements: must have 1 to %d", n, MaxSteps)
	case s.HorizonSeconds != n*s.StepSeconds:
		return fmt.Errorf("horizonSeconds=%d: must be %d, that is %d steps of %d s", s.HorizonSeconds, n*s.StepSeconds, n, s.StepSeconds)
	case len(s.DesiredReplicas) != n:
		return fmt.Errorf("desiredReplicas: has %d elements: must have %d, one for each of values", len(s.DesiredReplicas), n)
	case len(s.ForecastPlan) != n && len(s.ForecastPlan) != 0:
		return fmt.Errorf("forecastPlan: has %d elements: must have %d, one for each of values, or none", len(s.ForecastPlan), n)
	}
	return nil
}

func (s Snapshot) validateQuantiles() error {
	if len(s.Quantiles) > MaxLevels {
		return fmt.Errorf("quantiles: has %d levels: must have at most %d", len(s.Quantiles), MaxLevels)
	}
	for i, q := range s.Quantiles {
		name := fmt.Sprintf("quantiles[%d].values", i)
		switch {
		case !(q.Level > 0 && q.Level < 1):
			return fmt.Errorf("quantiles[%d].level=%v: must be between 0 and 1, both excluded", i, q.Level)
		case i > 0 && q.Level <= s.Quantiles[i-1].Level:
			return fmt.Errorf("quantiles[%d].level=%v: must be above the level before it, %v", i, q.Level, s.Quantiles[i-1].Level)
		case len(q.Values) != len(s.Values):
			return fmt.Errorf("%s: has %d elements: must have %d, one for each of values", name, len(q.Values), len(s.Values))
		}
		if err := finite(name, q.Values); err != nil {
			return err
		}
		if i == 0 {
			continue
		}
		for j, low := range s.Quantiles[i-1].Values {
			if crosses(low, q.Values[j]) {
				return fmt.Errorf("%s[%d]=%v: must not be below that of level %v, %v", name, j, q.Values[j], s.Quantiles[i-1].Level, low)
			}
		}
	}
	return nil
}

// crosses reports whether the lower level's value is above the higher's by
// more than the last digits that different orders of addition leave.
func crosses(low, high float64) bool {
	return low-high > 1e-9*max(1, math.Abs(low), math.Abs(high))
}

func (k Skill) validate() error {
	errs := []error{number("skill.overall", k.Overall), number("skill.mase", k.MASE)}
	if k.Origins < 0 {
		errs = append(errs, fmt.Errorf("skill.origins=%d: must not be negative", k.Origins))
	}
	if n := max(len(k.Blocks), len(k.Coverage), len(k.Pinball)); n > MaxLevels {
		return fmt.Errorf("skill: a list has %d elements: must have at most %d", n, MaxLevels)
	}
	for i, b := range k.Blocks {
		name := fmt.Sprintf("skill.blocks[%d]", i)
		errs = append(errs, number(name+".overLastValue", b.LastValue), number(name+".overSeasonal", b.Seasonal), number(name+".meanAbsoluteErr", b.MAE))
	}
	for i, c := range k.Coverage {
		name := fmt.Sprintf("skill.coverage[%d]", i)
		errs = append(errs, number(name+".level", c.Level), number(name+".measured", c.Measured))
	}
	for i, l := range k.Pinball {
		name := fmt.Sprintf("skill.pinball[%d]", i)
		errs = append(errs, number(name+".level", l.Level), number(name+".loss", l.Loss))
	}
	return errors.Join(errs...)
}

// finite names the first value that is not a number one could act on.
func finite(name string, values []float64) error {
	for i, v := range values {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("%s[%d]=%v: must be finite", name, i, v)
		}
	}
	return nil
}

func number(name string, v float64) error {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return fmt.Errorf("%s=%v: must be finite", name, v)
	}
	return nil
}

// counts names the first count that Kubernetes, whose counts are int32, could
// not be told.
func counts(name string, replicas []int) error {
	for i, n := range replicas {
		if n < 0 || n > math.MaxInt32 {
			return fmt.Errorf("%s[%d]=%d: must be between 0 and %d", name, i, n, math.MaxInt32)
		}
	}
	return nil
}

// instant keeps times to those that every format and every subtraction holds.
func instant(name string, t time.Time) error {
	if t.Unix() <= 0 || t.UTC().Year() > 2200 {
		return fmt.Errorf("%s=%s: must be a time from 1970 to 2200", name, t.Format(time.RFC3339))
	}
	return nil
}

// text keeps out what JSON cannot carry unchanged or a page should not show.
func text(name, s string) error {
	switch {
	case len(s) > maxText:
		return fmt.Errorf("%s: has %d bytes: must have at most %d", name, len(s), maxText)
	case !utf8.ValidString(s):
		return fmt.Errorf("%s=%s: must be UTF-8", name, shown(s))
	case strings.ContainsFunc(s, func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' || r >= 0x7f && r < 0xa0 }):
		return fmt.Errorf("%s=%s: must hold no control characters", name, shown(s))
	}
	return nil
}
