package adapters

import (
	"context"
	"errors"
)

// The classes of faults. They say what heals a fault, not what it is: every
// read is tried again at the next tick, whatever the last one ended in, since
// a token is renewed and a proxy repaired without anyone telling us.
var (
	// ErrConfig: asking again will not help, a person has to change something
	// here or at the source.
	ErrConfig = errors.New("the source refuses the question")
	// ErrTransient: the source or the way to it is in trouble; it may heal.
	ErrTransient = errors.New("the source is in trouble")
	// ErrNoData: the source answered that it has nothing in the window.
	ErrNoData = errors.New("the source has no data")
	// ErrPartial: the source said that its answer is incomplete.
	ErrPartial = errors.New("the source's answer is incomplete")
)

// The reasons of faults, few and fixed so that they can label a metric.
const (
	ReasonAuth        = "auth"         // credentials missing, unreadable or refused
	ReasonBadResponse = "bad_response" // an answer, but not one to understand
	ReasonCanceled    = "canceled"     // the caller gave up
	ReasonClockSkew   = "clock_skew"   // the source lives at another time than the forecaster
	ReasonConfig      = "config"       // refused for another reason
	ReasonDNS         = "dns"          // the source's name does not resolve
	ReasonEnded       = "ended"        // a recording is over
	ReasonManySeries  = "many_series"  // more than one series
	ReasonNoData      = "no_data"      // nothing in the window
	ReasonPartial     = "partial"      // an incomplete answer
	ReasonRateLimited = "rate_limited" // the source asks to be asked less
	ReasonRedirect    = "redirect"     // the source is somewhere else
	ReasonResultType  = "result_type"  // not a range of floats
	ReasonServer      = "server_error" // the source failed
	ReasonTLS         = "tls"          // no trust between source and forecaster
	ReasonTimeout     = "timeout"      // no answer in time
	ReasonTooLarge    = "too_large"    // more than will be read
	ReasonUnreachable = "unreachable"  // no connection, or one that broke
	ReasonOther       = "other"        // not a fault of this room
)

// Fault is a failed read.
type Fault struct {
	Class  error  // one of the Err sentinels, matched by errors.Is
	Reason string // one of the Reason constants
	Text   string // what happened and what to do; free of queries and credentials
	Cause  error  // matched by errors.Is but not printed: it may quote what Text must not
}

func (f *Fault) Error() string { return f.Text }

// Unwrap makes both the class and the cause match.
func (f *Fault) Unwrap() []error {
	if f.Cause == nil {
		return []error{f.Class}
	}
	return []error{f.Class, f.Cause}
}

// Reason is the short label of why a read failed, "" of no error.
func Reason(err error) string {
	var f *Fault
	switch {
	case err == nil:
		return ""
	case errors.As(err, &f):
		return f.Reason
	case errors.Is(err, context.DeadlineExceeded):
		return ReasonTimeout
	case errors.Is(err, context.Canceled):
		return ReasonCanceled
	}
	return ReasonOther
}
