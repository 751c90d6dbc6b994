package engine

import (
	"errors"
	"fmt"
	"hash/fnv"
	"time"

	"github.com/kedastral/kedastral/forecaster/adapters"
	"github.com/kedastral/kedastral/forecaster/capacity"
	"github.com/kedastral/kedastral/forecaster/features"
	"github.com/kedastral/kedastral/forecaster/models"
)

// Workload is one thing to forecast and how. All durations are multiples of
// Step.
type Workload struct {
	Name          string // NAMESPACE/NAME
	Metric        string // what its load measures, for people
	Source        adapters.Adapter
	NewModel      func() (models.Model, error) // an untrained model; called for every fit
	Step          time.Duration                // of the history and of the forecast; whole seconds
	Interval      time.Duration                // between two ticks
	TrainInterval time.Duration                // between two fits at the most
	CheckInterval time.Duration                // between two looks at whether the fit still holds; 0 takes none
	Window        time.Duration                // of history a fit and a forecast see
	Horizon       time.Duration                // of the forecast
	Calendar      features.Calendar
	Rules         capacity.Rules
}

// maxJitter bounds how far the ticks of many workloads are spread. The bound
// on concurrency keeps them off the source; the spread only keeps them from
// waiting for one another, and every second of it makes a forecast older.
const maxJitter = 15 * time.Second

// jitter is the part of the interval this workload's ticks are late by, the
// same in every process.
func (w Workload) jitter() time.Duration {
	spread := min(w.Interval/4, maxJitter)
	return time.Duration(w.hash() % uint64(spread))
}

// due is the newest tick at or before now: the multiple of the interval.
func (w Workload) due(now time.Time) time.Time { return floor(now, w.Interval) }

// fitAt is the instant whose past the model in force at t is fitted to.
func (w Workload) fitAt(t time.Time) time.Time {
	shift := time.Duration(w.hash()%uint64(w.TrainInterval/w.Step)) * w.Step
	return floor(t.Add(-shift), w.TrainInterval).Add(shift)
}

// reach is how much history a tick reads: the window before the oldest fit
// that may be in force.
func (w Workload) reach() time.Duration { return w.Window + 2*w.TrainInterval }

func (w Workload) hash() uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(w.Name)) // never fails, by its contract
	return h.Sum64()
}

// floor is the newest multiple of d since the Unix epoch at or before t.
// time.Time.Truncate counts from another beginning.
func floor(t time.Time, d time.Duration) time.Time {
	since := t.UnixNano() % int64(d)
	if since < 0 {
		since += int64(d)
	}
	return time.Unix(0, t.UnixNano()-since).UTC()
}

// check refuses what would make a tick divide by zero or a grid miss itself.
func (w Workload) check() error {
	if w.NewModel == nil {
		return errors.New("needs a model")
	}
	if w.Step < time.Second || w.Step%time.Second != 0 {
		return fmt.Errorf("step %v: must be whole seconds", w.Step)
	}
	faults := []error{w.Rules.Validate()}
	for _, d := range []struct {
		name string
		time.Duration
		steps int64
	}{
		{"interval", w.Interval, 1},
		{"train interval", w.TrainInterval, 1},
		{"check interval", w.CheckInterval, 0},
		{"window", w.Window, 2},
		{"horizon", w.Horizon, 1},
	} {
		if d.Duration%w.Step != 0 || int64(d.Duration/w.Step) < d.steps {
			faults = append(faults, fmt.Errorf("%s %v: must be a multiple of the step %v, at least %d", d.name, d.Duration, w.Step, d.steps))
		}
	}
	return errors.Join(faults...)
}
