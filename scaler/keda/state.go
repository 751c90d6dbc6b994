package keda

import (
	"errors"
	"math"
	"time"

	"github.com/kedastral/kedastral/scaler/cache"
	"github.com/kedastral/kedastral/scaler/lead"
	"github.com/kedastral/kedastral/shared/forecast"
)

// State is how far a workload's forecast can be trusted now.
type State int32

// The states of a workload.
const (
	Fresh State = iota + 1 // not overdue: the plan is followed both ways
	Held                   // older, within STALE_AFTER and its horizon: followed up, never down, by whichever scaler
	Stale                  // older, expired, invalid or never seen: the fallback, or an error
)

// String is the state as logs, metrics and /status call it.
func (s State) String() string {
	switch s {
	case Fresh:
		return "fresh"
	case Held:
		return "held"
	case Stale:
		return "stale"
	default:
		return "unasked"
	}
}

// question is all that a verdict depends on besides the snapshot.
type question struct {
	now        time.Time
	staleAfter time.Duration
	lead       time.Duration
	fallback   int // replicas to answer when stale; 0 means an error instead
	last       int // replicas last answered; 0 when none were
}

// verdict is what to answer: replicas, or why there are none. A stale verdict
// with a fallback has both.
type verdict struct {
	state    State
	replicas int
	why      *refusal // set when stale
	answered bool     // replicas may be told to KEDA
}

// decide turns the last known snapshot, or the error in its place, into the
// answer for now. It is the only place where a state is decided.
func decide(q question, s forecast.Snapshot, err error) verdict {
	if err != nil {
		return q.stale(missing(err))
	}
	replicas, err := lead.Replicas(s, q.now, q.lead)
	age := s.Age(q.now)
	switch {
	case errors.Is(err, lead.ErrExpired):
		return q.stale(expired)
	case err != nil || replicas < 0 || replicas > math.MaxInt32:
		return q.stale(invalid)
	case age > q.staleAfter && !s.Overdue(q.now):
		return q.stale(impatient)
	case age > q.staleAfter:
		return q.stale(tooOld)
	case !s.Overdue(q.now):
		return verdict{state: Fresh, replicas: replicas, answered: true}
	default:
		return verdict{state: Held, replicas: max(replicas, passed(s, age), q.last), answered: true}
	}
}

// Usable reports whether an answer can be made from the snapshot now: it is
// fresh or held.
func Usable(s forecast.Snapshot, now time.Time, staleAfter time.Duration) bool {
	return decide(question{now: now, staleAfter: staleAfter}, s, nil).state != Stale
}

// passed is the most that was planned since the snapshot was last fresh: what a
// scaler that was asked all the time has told by now. One that was restarted,
// or whose trigger was changed, remembers nothing, and answers no less.
func passed(s forecast.Snapshot, age time.Duration) int {
	fresh := s.FreshFor() - 1
	n, _ := s.Highest(fresh, age-fresh) // not ok only where the horizon does not cover now, either
	return n
}

func (q question) stale(why *refusal) verdict {
	return verdict{state: Stale, replicas: q.fallback, why: why, answered: q.fallback > 0}
}

// missing is why there is no snapshot at all.
func missing(err error) *refusal {
	switch {
	case errors.Is(err, cache.ErrPending):
		return pending
	case errors.Is(err, forecast.ErrInvalid): // before the malformed name it may be invalid for
		return invalid
	case errors.Is(err, forecast.ErrNotReady):
		return notReady
	case errors.Is(err, forecast.ErrDenied):
		return denied
	case errors.Is(err, forecast.ErrBusy):
		return throttled
	case errors.Is(err, forecast.ErrNotFound), errors.Is(err, forecast.ErrMalformed):
		return notFound
	default:
		return unreachable
	}
}
