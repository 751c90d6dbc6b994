// Package storage keeps the latest snapshot of each workload.
//
// A store remembers one snapshot a workload and never an older one over a
// newer: whoever writes, in whatever order, the newest GeneratedAt stands.
// Nothing in it is precious. A forecast is a function of its history, so a
// store that is lost is made again within one tick, and no store is ever a
// lock or the only place a truth is kept.
package storage

import (
	"context"

	"github.com/kedastral/kedastral/shared/forecast"
)

// Store keeps the latest snapshot of each workload. It is safe for concurrent
// use, and what it holds is its own: a caller may change what it put or got.
type Store interface {
	// Put keeps s as the latest snapshot of its workload, unless it does not
	// replace the one held, which is the newer; then nothing happens and that
	// is no error. A
	// snapshot that does not validate is refused with an error wrapping
	// [forecast.ErrInvalid].
	Put(ctx context.Context, s forecast.Snapshot) error
	// GetLatest answers with the workload's snapshot and whether there is one.
	GetLatest(ctx context.Context, workload string) (forecast.Snapshot, bool, error)
}
