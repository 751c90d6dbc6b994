package adapters_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/kedastral/kedastral/forecaster/adapters"
)

func TestSpan(t *testing.T) {
	noon := time.Date(2024, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		past, settle, step time.Duration
		window             int
		from, to           time.Duration // after noon
	}{
		{0, 0, time.Minute, 600, -10 * time.Minute, 0},
		{59 * time.Second, 0, time.Minute, 600, -10 * time.Minute, 0},
		{0, time.Second, time.Minute, 600, -11 * time.Minute, -time.Minute},
		{0, 0, time.Minute, 61, -2 * time.Minute, 0}, // rounded up to whole steps
		{0, 0, time.Minute, 60, -time.Minute, 0},
		{0, 0, 7 * time.Second, 7, -9 * time.Second, -2 * time.Second}, // of the epoch: noon is 1709294400 = 7·244184914 + 2
	} {
		from, to, err := adapters.Span(noon.Add(tt.past), tt.settle, tt.step, tt.window)
		if err != nil || !from.Equal(noon.Add(tt.from)) || !to.Equal(noon.Add(tt.to)) {
			t.Errorf("Span(noon+%v, %v, %v, %d) = %v, %v, %v; want noon%+v, noon%+v", tt.past, tt.settle, tt.step, tt.window, from, to, err, tt.from, tt.to)
		}
	}
	for _, tt := range []struct {
		step   time.Duration
		window int
	}{{time.Minute, 59}, {time.Minute, 0}, {time.Minute, -60}, {time.Second, 2_000_001}, {0, 60}, {1500 * time.Millisecond, 60}} {
		if _, _, err := adapters.Span(noon, 0, tt.step, tt.window); err == nil {
			t.Errorf("Span of %d s in steps of %v is not refused", tt.window, tt.step)
		}
	}
}

func TestFault(t *testing.T) {
	fault := &adapters.Fault{Class: adapters.ErrTransient, Reason: adapters.ReasonTimeout, Text: "no answer", Cause: context.DeadlineExceeded}
	err := fmt.Errorf("reading rps: %w", fault)
	if !errors.Is(err, adapters.ErrTransient) || !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, adapters.ErrConfig) {
		t.Errorf("%v is not both its class and its cause", err)
	}
	if got := err.Error(); got != "reading rps: no answer" {
		t.Errorf("%q", got)
	}
}

func TestReason(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want string
	}{
		{nil, ""},
		{io.EOF, adapters.ReasonOther},
		{fmt.Errorf("reading: %w", context.Canceled), adapters.ReasonCanceled},
		{context.DeadlineExceeded, adapters.ReasonTimeout},
		{fmt.Errorf("reading: %w", &adapters.Fault{Class: adapters.ErrNoData, Reason: adapters.ReasonEnded}), adapters.ReasonEnded},
	} {
		if got := adapters.Reason(tt.err); got != tt.want {
			t.Errorf("Reason(%v) = %q; want %q", tt.err, got, tt.want)
		}
	}
}
