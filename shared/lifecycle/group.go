// Package lifecycle starts the parts of a process together and ends them
// together.
//
// A part is a function that works until its context ends. The first part that
// fails ends the others, and nothing returns before every part has: when Run
// is back, no goroutine of the process still works. A part that returns nil
// before then is merely done.
package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
)

// Group runs named parts. The zero Group is ready for use.
type Group struct {
	parts []part
}

type part struct {
	name string
	run  func(context.Context) error
}

// Go adds a part to be started by Run. It must not be called after Run.
func (g *Group) Go(name string, run func(context.Context) error) {
	g.parts = append(g.parts, part{name, run})
}

// Run starts every part and waits for all of them. It returns what the parts
// returned, joined in the order they ended, each named after its part; a
// panic is an error with its stack. A part that was told to end and says so
// (context.Canceled) did nothing wrong.
func (g *Group) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()

	var (
		wait sync.WaitGroup
		mu   sync.Mutex
		errs []error
	)
	for _, p := range g.parts {
		wait.Go(func() {
			err := p.safely(ctx)
			if err == nil || ctx.Err() != nil && errors.Is(err, context.Canceled) {
				return
			}
			mu.Lock()
			errs = append(errs, err)
			mu.Unlock()
			cancel()
		})
	}
	wait.Wait()
	return errors.Join(errs...)
}

// safely runs the part and makes an error of its panic.
func (p part) safely(ctx context.Context) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("%s: panic: %v\n%s", p.name, v, debug.Stack())
		}
	}()
	if err := p.run(ctx); err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	return nil
}
