package lead_test

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/kedastral/kedastral/scaler/lead"
	"github.com/kedastral/kedastral/shared/forecast"
)

var origin = time.Date(2026, 3, 29, 0, 0, 0, 0, time.UTC)

// ramp peaks in its fourth minute.
var ramp = forecast.Snapshot{
	Workload: "shop/web", GeneratedAt: origin, StepSeconds: 60, HorizonSeconds: 360,
	DesiredReplicas: []int{10, 12, 15, 20, 18, 16},
}

func TestReplicas(t *testing.T) {
	for _, tt := range []struct {
		age, window time.Duration
		want        int
	}{
		{0, 5 * time.Minute, 20},                 // five minutes see five steps, not six
		{0, time.Second, 10},                     // less than a step means now
		{0, 0, 10},                               // so does none
		{0, -time.Hour, 10},                      // and so does a negative one
		{0, time.Minute, 10},                     // [0, 1m) does not reach the second step
		{0, time.Minute + 1, 12},                 // a nanosecond more does
		{0, 3 * time.Minute, 15},                 // the peak starts where the window ends
		{30 * time.Second, 3 * time.Minute, 20},  // half a step old: the window reaches into a fourth step
		{time.Minute - 1, time.Second, 12},       // across a step's boundary both sides count
		{time.Minute, 2 * time.Minute, 15},       // a boundary belongs to the step that starts there
		{4 * time.Minute, time.Minute, 18},       // a passed peak is past
		{4 * time.Minute, time.Hour, 18},         // the covered part of the window decides
		{6*time.Minute - 1, math.MaxInt64, 16},   // to the last instant, however long the window
		{0, math.MaxInt64, 20},                   // the longest window does not overflow
		{-time.Hour, 2 * time.Minute, 12},        // generated in the future counts from now
		{30 * time.Second, 30 * time.Second, 10}, // ends exactly on a boundary
	} {
		got, err := lead.Replicas(ramp, origin.Add(tt.age), tt.window)
		if err != nil || got != tt.want {
			t.Errorf("Replicas(age %v, window %v) = %d, %v; want %d", tt.age, tt.window, got, err, tt.want)
		}
	}
}

func TestReplicasNothingLeft(t *testing.T) {
	for _, age := range []time.Duration{6 * time.Minute, time.Hour, math.MaxInt64} {
		if got, err := lead.Replicas(ramp, origin.Add(age), time.Hour); !errors.Is(err, lead.ErrExpired) {
			t.Errorf("Replicas(age %v) = %d, %v; want ErrExpired", age, got, err)
		}
	}
	empty := ramp
	empty.DesiredReplicas = nil
	if got, err := lead.Replicas(empty, origin, 0); !errors.Is(err, lead.ErrExpired) {
		t.Errorf("Replicas(no steps) = %d, %v; want ErrExpired", got, err)
	}
	for _, seconds := range []int{0, -60} {
		s := ramp
		s.StepSeconds = seconds
		if got, err := lead.Replicas(s, origin, 0); !errors.Is(err, forecast.ErrInvalid) {
			t.Errorf("Replicas(stepSeconds %d) = %d, %v; want ErrInvalid", seconds, got, err)
		}
	}
}

// TestReplicasIgnoresSkew moves this machine's clock an hour off the
// forecaster's: only the age that came with the snapshot counts.
func TestReplicasIgnoresSkew(t *testing.T) {
	for _, skew := range []time.Duration{-time.Hour, 0, time.Hour} {
		s := ramp
		s.Received, s.AgeAtReceipt = origin.Add(skew), 2*time.Minute
		got, err := lead.Replicas(s, origin.Add(skew+time.Minute), 1)
		if err != nil || got != 20 {
			t.Errorf("Replicas(three minutes old, skew %v) = %d, %v; want 20", skew, got, err)
		}
	}
}

// naive is the definition, step by step: the largest count of the steps
// [i·step, (i+1)·step) that intersect [age, age+window).
func naive(counts []int, step, age, window time.Duration) (most int, covered bool) {
	for i, n := range counts {
		from, to := time.Duration(i)*step, time.Duration(i+1)*step
		if to > age && from < age+max(window, 1) {
			most, covered = max(most, n), true
		}
	}
	return most, covered && age < time.Duration(len(counts))*step
}

// FuzzReplicas: at any age, with any step and window, the answer is the maximum
// over exactly the steps that intersect [age, age+window), and an error when
// none covers now.
func FuzzReplicas(f *testing.F) {
	f.Add(uint16(60), int64(0), int64(5*time.Minute), []byte{10, 12, 15, 20, 18, 16})
	f.Add(uint16(1), int64(time.Second), int64(1), []byte{3, 0, 9})
	f.Add(uint16(3600), int64(59*time.Minute), int64(2*time.Minute), []byte{1, 2})
	f.Add(uint16(0), int64(0), int64(0), []byte{1})
	f.Fuzz(func(t *testing.T, stepSeconds uint16, age, window int64, plan []byte) {
		age, window = (age&math.MaxInt64)%int64(48*time.Hour), window%int64(24*time.Hour)
		counts := make([]int, len(plan))
		for i, b := range plan {
			counts[i] = int(b)
		}
		s := forecast.Snapshot{GeneratedAt: origin, StepSeconds: int(stepSeconds), DesiredReplicas: counts}
		got, err := lead.Replicas(s, origin.Add(time.Duration(age)), time.Duration(window))
		want, covered := naive(counts, s.Step(), time.Duration(age), time.Duration(window))
		if stepSeconds == 0 {
			if !errors.Is(err, forecast.ErrInvalid) {
				t.Errorf("Replicas(step 0) = %d, %v; want ErrInvalid", got, err)
			}
			return
		}
		if covered != (err == nil) || (err == nil && got != want) {
			t.Errorf("Replicas(step %v, age %v, window %v, %v) = %d, %v; want %d, covered %v",
				s.Step(), time.Duration(age), time.Duration(window), counts, got, err, want, covered)
		}
	})
}

func BenchmarkReplicas(b *testing.B) {
	s := ramp
	s.Received = origin
	for b.Loop() {
		if _, err := lead.Replicas(s, origin.Add(30*time.Second), 5*time.Minute); err != nil {
			b.Fatal(err)
		}
	}
}
