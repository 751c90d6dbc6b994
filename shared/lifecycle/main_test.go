package lifecycle_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/kedastral/kedastral/shared/env"
	"github.com/kedastral/kedastral/shared/lifecycle"
)

func TestMainTellsErrorAndCode(t *testing.T) {
	for _, tt := range []struct {
		err  error
		code int
		text string
	}{
		{nil, 0, ""},
		{errBroken, 1, "broken\n"},
		{fmt.Errorf("configuring: %w", errors.Join(errBroken, env.Positive("STEP", 0))), 2, "configuring: broken\nSTEP=0: must be positive\n"},
	} {
		var stderr bytes.Buffer
		if code := lifecycle.Main(&stderr, func(context.Context) error { return tt.err }); code != tt.code || stderr.String() != tt.text {
			t.Errorf("Main(%v) = %d, %q; want %d, %q", tt.err, code, stderr.String(), tt.code, tt.text)
		}
	}
}

func TestMainEndsWithASignal(t *testing.T) {
	var stderr bytes.Buffer
	code := lifecycle.Main(&stderr, func(ctx context.Context) error {
		if err := syscall.Kill(syscall.Getpid(), syscall.SIGTERM); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(10 * time.Second):
			return errors.New("not told to end")
		}
	})
	if code != 0 {
		t.Errorf("Main = %d, %s; want 0 after SIGTERM", code, stderr.String())
	}
}
