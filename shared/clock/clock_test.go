package clock_test

import (
	"context"
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kedastral/kedastral/shared/clock"
)

var noon = time.Date(2024, 3, 1, 12, 0, 0, 0, time.UTC)

func TestFasterMultipliesRealTime(t *testing.T) {
	for _, tt := range []struct {
		speed         float64
		passes, shows time.Duration
	}{
		{1, time.Hour, time.Hour},
		{60, time.Minute, time.Hour},
		{1.5, 10 * time.Second, 15 * time.Second},
		{86_400, time.Second, 24 * time.Hour},
	} {
		synctest.Test(t, func(t *testing.T) {
			c, err := clock.Faster(noon, tt.speed)
			if err != nil {
				t.Fatal(err)
			}
			if got := c.Now(); !got.Equal(noon) {
				t.Errorf("Faster(noon, %v).Now() = %v; want noon", tt.speed, got)
			}
			time.Sleep(tt.passes)
			if got, want := c.Now(), noon.Add(tt.shows); !got.Equal(want) {
				t.Errorf("speed %v, %v later: Now() = %v; want %v", tt.speed, tt.passes, got, want)
			}
		})
	}
}

func TestSleepWaitsByTheClock(t *testing.T) {
	for _, tt := range []struct {
		speed       float64 // 0 is the real clock
		sleep, took time.Duration
	}{
		{0, time.Minute, time.Minute},
		{60, time.Hour, time.Minute},
		{7, 7 * time.Second, time.Second},
		{60, 0, 0},
		{60, -time.Hour, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			c := clock.Real()
			if tt.speed > 0 {
				c, _ = clock.Faster(noon, tt.speed)
			}
			began, target := time.Now(), c.Now().Add(tt.sleep)
			if err := c.Sleep(t.Context(), tt.sleep); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(began); took < tt.took || took > tt.took+time.Microsecond {
				t.Errorf("speed %v: Sleep(%v) took %v; want %v", tt.speed, tt.sleep, took, tt.took)
			}
			if c.Now().Before(target) {
				t.Errorf("speed %v: Sleep(%v) ended at %v, before %v", tt.speed, tt.sleep, c.Now(), target)
			}
		})
	}
}

func TestUntilReachesAnOddInstant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, err := clock.Faster(noon, 997)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 100 {
			at := noon.Add(time.Duration(i*i) * 1_234_567_891)
			if err := c.Until(t.Context(), at); err != nil || c.Now().Before(at) {
				t.Fatalf("Until(%v) = %v at %v", at, err, c.Now())
			}
		}
	})
}

func TestContextEndsTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		if err := clock.Real().Sleep(ctx, time.Hour); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Sleep past the deadline = %v", err)
		}
		if took := time.Since(began); took != time.Second {
			t.Errorf("Sleep took %v; want the second that the context had", took)
		}
		if err := clock.Real().Sleep(ctx, 0); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Sleep(0) after the end = %v; want the context's error", err)
		}
	})
}

func TestImpossibleSpeed(t *testing.T) {
	for _, speed := range []float64{0, -1, 0.5, 1e9, math.NaN(), math.Inf(1)} {
		if _, err := clock.Faster(noon, speed); err == nil {
			t.Errorf("Faster(noon, %v) made a clock", speed)
		}
	}
}
