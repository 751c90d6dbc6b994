// Package recorded replays a recording as if it were happening now.
//
// The one thing to know: unless it is told to, a recording does not loop. Before
// its first and after its last step it has no data and says so, as a source
// would that is new or gone, because a seam that no workload ever had would
// teach the models a pattern that is not there.
//
// One that loops, for something to look at that never ends, repeats its last
// whole weeks, so that what follows a Tuesday noon is what followed one; a
// shorter recording its whole days, or all of it.
package recorded

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kedastral/kedastral/forecaster/adapters"
	"github.com/kedastral/kedastral/forecaster/series"
)

// Options say what is replayed, and when.
type Options struct {
	Samples []series.Sample  // in any order, at least two, of one even step
	Step    time.Duration    // of the frames; a multiple of the samples' step, which is then averaged
	Now     func() time.Time // the clock it is replayed by
	// Instant is the recorded instant that happens when the adapter is made,
	// to the nearest step before. Zero leaves the recorded time as it is, for
	// a clock that shows that time. Hours and weekdays move with the shift:
	// choose an instant of the same weekday and hour when they matter.
	Instant time.Time
	Loop    bool // begin again after the end
}

// Adapter replays a recording.
type Adapter struct {
	now     func() time.Time
	history series.DataFrame
	period  time.Duration // of the loop; 0 without one
}

// New makes an adapter that starts its replay now.
func New(o Options) (*Adapter, error) {
	if o.Now == nil {
		return nil, errors.New("replaying a recording: needs a clock")
	}
	if err := series.CheckStep(o.Step); err != nil {
		return nil, fmt.Errorf("replaying a recording: %w", err)
	}
	history, err := series.Recorded(o.Samples, o.Step)
	if err != nil {
		return nil, fmt.Errorf("replaying a recording: %w", err)
	}
	if !o.Instant.IsZero() {
		if o.Instant.Before(history.Start) || !o.Instant.Before(history.End()) {
			return nil, fmt.Errorf("replaying a recording from %s: must lie in it, between %s and %s",
				stamp(o.Instant), stamp(history.Start), stamp(history.End()))
		}
		history.Start = history.Start.Add(series.Align(o.Now(), o.Step).Sub(series.Align(o.Instant, o.Step)))
	}
	a := &Adapter{now: o.Now, history: history}
	if o.Loop {
		a.period = period(history)
	}
	return a, nil
}

// period is what is repeated: the weeks, the days, or else all of a recording.
func period(history series.DataFrame) time.Duration {
	const day = 24 * time.Hour
	length := history.End().Sub(history.Start)
	for _, whole := range []time.Duration{7 * day, day} {
		if p := length - length%whole; p > 0 && p%history.Step == 0 {
			return p
		}
	}
	return length
}

// Name is recorded.
func (a *Adapter) Name() string { return "recorded" }

// Collect is what was recorded up to now.
func (a *Adapter) Collect(ctx context.Context, windowSeconds int) (series.DataFrame, error) {
	if err := ctx.Err(); err != nil {
		return series.DataFrame{}, err
	}
	from, to, err := adapters.Span(a.now(), 0, a.history.Step, windowSeconds)
	if err != nil {
		return series.DataFrame{}, &adapters.Fault{Class: adapters.ErrConfig, Reason: adapters.ReasonConfig, Text: err.Error()}
	}
	if a.period == 0 && to.After(a.history.End()) {
		return series.DataFrame{}, &adapters.Fault{
			Class: adapters.ErrNoData, Reason: adapters.ReasonEnded,
			Text: "the recording ended at " + stamp(a.history.End()) + ", it is " + stamp(to),
		}
	}
	window := a.window(from, to)
	if window.LastObserved() < 0 {
		return series.DataFrame{}, &adapters.Fault{
			Class: adapters.ErrNoData, Reason: adapters.ReasonNoData,
			Text: fmt.Sprintf("nothing was recorded between %s and %s", stamp(from), stamp(to)),
		}
	}
	return window, nil
}

// window is the recording on [from, to), repeated after its end where it loops.
func (a *Adapter) window(from, to time.Time) series.DataFrame {
	window := a.history.Window(from, to)
	if a.period == 0 {
		return window
	}
	again := a.history.End().Add(-a.period)
	for i := range window.Values {
		if at := window.Start.Add(time.Duration(i) * window.Step); !at.Before(a.history.End()) {
			first := again.Add(at.Sub(again) % a.period)
			window.Values[i] = a.history.Values[first.Sub(a.history.Start)/a.history.Step]
		}
	}
	return window
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
