package prom

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/common/model"

	"github.com/kedastral/kedastral/forecaster/adapters"
	"github.com/kedastral/kedastral/forecaster/series"
)

// overlap is how many known steps are asked for again: late samples change
// the newest ones.
const overlap = 10

// known is what has been read, as the source told it.
type known struct {
	frame  series.DataFrame
	labels model.Metric
}

// update reads what is not known of the window, remembers the window, and
// returns it as a copy. After an error everything is as it was.
func (a *Adapter) update(ctx context.Context, from, to time.Time) (series.DataFrame, error) {
	a.ahead = 0
	start := a.known.resume(from, to)
	fresh, err := a.read(ctx, start, to)
	if err == nil && start.After(from) && a.known.other(fresh) {
		start = from
		fresh, err = a.read(ctx, from, to)
	}
	if err != nil {
		return series.DataFrame{}, err
	}
	if start.After(from) {
		fresh = a.known.with(fresh, from, to)
	}
	a.known = known(fresh)
	if a.known.frame.LastObserved() < 0 {
		return series.DataFrame{}, a.fault(adapters.ErrNoData, adapters.ReasonNoData,
			fmt.Sprintf("no values between %s and %s: check that the query matches a series",
				from.Format(time.RFC3339), to.Format(time.RFC3339)))
	}
	return a.known.frame.Window(from, to), nil
}

// resume is where to read on for a window: a few steps before the end of what
// is known, or the window's start if it is another window than the last one.
func (k known) resume(from, to time.Time) time.Time {
	last := k.frame.LastObserved()
	moved := to.Sub(k.frame.End())
	if last < 0 || moved < 0 || !from.Equal(k.frame.Start.Add(moved)) {
		return from
	}
	start := k.frame.Start.Add(time.Duration(last+1-overlap) * k.frame.Step)
	if start.Before(from) {
		return from
	}
	return start
}

// other reports whether what was read is not the series that is known.
func (k known) other(fresh answer) bool {
	return fresh.labels != nil && !k.labels.Equal(fresh.labels)
}

// with lays what was read over what is known. Gaps count: they are what the
// source says now.
func (k known) with(fresh answer, from, to time.Time) answer {
	frame := k.frame.Window(from, to)
	copy(frame.Values[frame.Index(fresh.frame.Start):], fresh.frame.Values)
	if fresh.labels == nil {
		fresh.labels = k.labels
	}
	return answer{frame: frame, labels: fresh.labels}
}
