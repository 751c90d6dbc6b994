package lifecycle_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kedastral/kedastral/shared/lifecycle"
)

var errBroken = errors.New("broken")

func untilEnd(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestGroupEndsAllPartsWithTheFirstThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g lifecycle.Group
		slowlyEnded := false
		g.Go("server", untilEnd)
		g.Go("slow", func(ctx context.Context) error {
			<-ctx.Done()
			time.Sleep(5 * time.Second)
			slowlyEnded = true
			return nil
		})
		g.Go("done at once", func(context.Context) error { return nil })
		g.Go("engine", func(context.Context) error { time.Sleep(time.Minute); return errBroken })
		start := time.Now()
		err := g.Run(t.Context())
		if !errors.Is(err, errBroken) || err.Error() != "engine: broken" {
			t.Errorf("Run = %v; want engine: broken", err)
		}
		if took := time.Since(start); took != time.Minute+5*time.Second || !slowlyEnded {
			t.Errorf("Run returned after %v, slow part ended: %t; want 1m5s, when every part has", took, slowlyEnded)
		}
	})
}

func TestGroupEndsInOrderWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		quiet, stop := context.WithCancel(ctx)
		time.AfterFunc(time.Minute, stop)
		var g lifecycle.Group
		g.Go("a", untilEnd)
		g.Go("b", untilEnd)
		if err := g.Run(quiet); err != nil {
			t.Errorf("Run = %v; want nil after its context ended", err)
		}
	})
}

func TestGroupTellsWhatFailedWhileEnding(t *testing.T) {
	var g lifecycle.Group
	g.Go("first", func(context.Context) error { return errBroken })
	g.Go("second", func(ctx context.Context) error { <-ctx.Done(); return errors.New("could not flush") })
	if err := g.Run(t.Context()); err == nil || err.Error() != "first: broken\nsecond: could not flush" {
		t.Errorf("Run = %v; want both faults", err)
	}
}

func TestGroupMakesErrorsOfPanics(t *testing.T) {
	var g lifecycle.Group
	g.Go("server", untilEnd)
	g.Go("engine", func(context.Context) error { panic("index out of range") })
	err := g.Run(t.Context())
	if err == nil || !strings.HasPrefix(err.Error(), "engine: panic: index out of range\n") || !strings.Contains(err.Error(), "group_test.go") {
		t.Errorf("Run = %v; want the panic, its part and its stack", err)
	}
}

func TestGroupCancelledWithoutBeingTold(t *testing.T) {
	var g lifecycle.Group
	g.Go("client", func(context.Context) error { return context.Canceled }) // nobody asked it to end
	if err := g.Run(t.Context()); !errors.Is(err, context.Canceled) {
		t.Errorf("Run = %v; want the part's error", err)
	}
}

func TestGroupOfNothing(t *testing.T) {
	var g lifecycle.Group
	if err := g.Run(t.Context()); err != nil {
		t.Errorf("Run = %v", err)
	}
}
