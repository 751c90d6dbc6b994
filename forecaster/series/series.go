// Package series holds numbers on an even grid in time.
//
// Value i speaks for the step from Start + i·Step to Start + (i+1)·Step, and
// NaN marks a step that was not observed. Filling a gap makes a copy for those
// who need one; what was observed is always told from the original.
package series

import (
	"math"
	"time"
)

// DataFrame is one metric's history on an even grid. Start is a multiple of
// Step since the Unix epoch, so frames of one step always line up.
type DataFrame struct {
	Start  time.Time     // UTC, start of the first step
	Step   time.Duration // > 0, whole seconds
	Values []float64     // NaN where nothing was observed
}

// Len is the number of steps, observed or not.
func (d DataFrame) Len() int { return len(d.Values) }

// End is the instant the last step ends.
func (d DataFrame) End() time.Time { return d.Start.Add(time.Duration(len(d.Values)) * d.Step) }

// Observed reports whether v is an observation and not a gap.
func Observed(v float64) bool { return math.Abs(v) <= math.MaxFloat64 }
