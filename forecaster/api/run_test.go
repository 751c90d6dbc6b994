package api_test

import (
	"context"
	"testing"
	"time"

	"github.com/kedastral/kedastral/forecaster/engine"
)

func alive(context.Context) error { return nil }

// run runs the engine until the test ends, and returns once it is warm.
func run(t *testing.T, e *engine.Engine) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("Run = %v", err)
		}
	})
	for range 600 {
		if e.Ready() == nil {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("not warm: %v", e.Ready())
}
