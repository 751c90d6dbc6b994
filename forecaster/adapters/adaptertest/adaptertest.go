// Package adaptertest is what every adapter must pass.
package adaptertest

import (
	"context"
	"errors"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/kedastral/kedastral/forecaster/adapters"
	"github.com/kedastral/kedastral/forecaster/series"
)

// Step is that of the adapters under test.
const Step = time.Minute

// Now is the instant at which they are asked: in the middle of a step.
var Now = time.Date(2024, 3, 1, 12, 34, 30, 0, time.UTC)

// Hole is the start of the one step nothing was observed in.
var Hole = Now.Truncate(Step).Add(-10 * Step)

// First is the start of the first step that was observed, Last of the last
// that is complete.
var (
	First = Now.Truncate(Step).Add(-100 * Step)
	Last  = Now.Truncate(Step).Add(-Step)
)

// Load is the value of the step that starts at t.
func Load(t time.Time) float64 { return 100 + float64(t.Unix()/60%1000) }

// Run checks adapters of a source that observed Load in every step from First
// on, but for the one at Hole, and whose clock stands at Now.
func Run(t *testing.T, open func(t *testing.T) adapters.Adapter) {
	t.Run("covers the window", func(t *testing.T) { covers(t, open(t)) })
	t.Run("refuses windows without a step", func(t *testing.T) { refuses(t, open(t)) })
	t.Run("ends with its context", func(t *testing.T) { ends(t, open(t)) })
	t.Run("gives its frames away", func(t *testing.T) { gives(t, open(t)) })
	t.Run("may be asked by many", func(t *testing.T) { many(t, open(t)) })
	t.Run("has a name", func(t *testing.T) {
		if open(t).Name() == "" {
			t.Error(`Name() = ""`)
		}
	})
}

func covers(t *testing.T, a adapters.Adapter) {
	// Once and again: a frame must not depend on what was asked before.
	for _, seconds := range []int{3600, 3600, 90, 60, 7200, 2 * 86_400} {
		frame, err := a.Collect(t.Context(), seconds)
		if err != nil {
			t.Fatalf("Collect(%d) = %v", seconds, err)
		}
		if want := (seconds + 59) / 60; frame.Step != Step || frame.Len() != want || !frame.End().Equal(Last.Add(Step)) {
			t.Fatalf("Collect(%d): %d steps of %v to %v; want %d of %v to %v",
				seconds, frame.Len(), frame.Step, frame.End(), want, Step, Last.Add(Step))
		}
		for i, v := range frame.Values {
			at := frame.Start.Add(time.Duration(i) * Step)
			missing := at.Equal(Hole) || at.Before(First)
			if missing != math.IsNaN(v) || !missing && v != Load(at) {
				t.Errorf("Collect(%d): %v at %v; want %v, missing %v", seconds, v, at, Load(at), missing)
			}
		}
	}
}

func refuses(t *testing.T, a adapters.Adapter) {
	for _, seconds := range []int{0, -60, 59, math.MaxInt} {
		if _, err := a.Collect(t.Context(), seconds); !errors.Is(err, adapters.ErrConfig) {
			t.Errorf("Collect(%d) = %v; want a fault of the configuration", seconds, err)
		}
	}
}

func ends(t *testing.T, a adapters.Adapter) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := a.Collect(ctx, 3600); !errors.Is(err, context.Canceled) {
		t.Errorf("Collect of an ended context = %v", err)
	}
}

func gives(t *testing.T, a adapters.Adapter) {
	first, err := a.Collect(t.Context(), 600)
	if err != nil {
		t.Fatal(err)
	}
	clear(first.Values)
	second, err := a.Collect(t.Context(), 600)
	if err != nil {
		t.Fatal(err)
	}
	if i := second.LastObserved(); i < 0 || second.Values[i] != Load(Last) {
		t.Error("what a caller does to its frame shows in the next one")
	}
}

func many(t *testing.T, a adapters.Adapter) {
	frames := make([]series.DataFrame, 8)
	var readers sync.WaitGroup
	for i := range frames {
		readers.Go(func() {
			var err error
			if frames[i], err = a.Collect(t.Context(), 600*(i%2+1)); err != nil {
				t.Error(err)
			}
		})
	}
	readers.Wait()
	for i, f := range frames {
		if f.Len() != 10*(i%2+1) || f.Values[f.Len()-1] != Load(Last) {
			t.Errorf("reader %d of many: %d values that end in %v", i, f.Len(), f.Values)
		}
	}
}
