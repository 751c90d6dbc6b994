package engine

import (
	"context"
	"sync"
	"time"
)

// Within is what decides whether a fit still holds.
var Within = within

// Cycle runs one tick of every workload for at, as many at once as the engine
// would, so that a benchmark need not wait for a clock.
func (e *Engine) Cycle(ctx context.Context, at time.Time) {
	var all sync.WaitGroup
	for _, name := range e.order {
		e.slots <- struct{}{}
		all.Go(func() {
			defer func() { <-e.slots }()
			e.tick(ctx, e.workers[name], at)
		})
	}
	all.Wait()
}

// Await is the tick that the workload runs after having waited for the one of
// at.
func (e *Engine) Await(ctx context.Context, workload string, at time.Time) time.Time {
	k := e.workers[workload]
	return e.await(ctx, k, at)
}
