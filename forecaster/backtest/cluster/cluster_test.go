package cluster_test

import (
	"math"
	"testing"
	"time"

	"github.com/kedastral/kedastral/forecaster/backtest/cluster"
)

var start = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)

// The smallest changes a default HPA makes were read off a real one.
func TestHPATolerance(t *testing.T) {
	for _, tt := range []struct{ current, asked, want int }{
		{9, 10, 10},  // below ten pods one pod is more than a tenth
		{10, 11, 10}, // at ten it is not
		{10, 12, 12},
		{20, 22, 20},
		{20, 23, 23},
		{100, 110, 100},
		{100, 111, 111},
	} {
		h := cluster.DefaultHPA(1, 1000)
		if got := h.Desired(start, tt.current, float64(tt.asked), 1); got != tt.want {
			t.Errorf("an HPA at %d asked for %d goes to %d; want %d", tt.current, tt.asked, got, tt.want)
		}
		h = cluster.DefaultHPA(1, 1000)
		h.Tolerance = 0
		if got := h.Desired(start, tt.current, float64(tt.asked), 1); got != tt.asked {
			t.Errorf("without tolerance, an HPA at %d asked for %d goes to %d", tt.current, tt.asked, got)
		}
	}
}

func TestHPALimits(t *testing.T) {
	h := cluster.DefaultHPA(2, 50)
	for _, tt := range []struct {
		current int
		total   float64
		want    int
	}{
		{1, 30, 5},   // one and four more
		{10, 90, 20}, // twice ten
		{40, 90, 50}, // the maximum
		{3, math.NaN(), 3},
		{3, math.Inf(1), 3},
	} {
		if got := h.Desired(start, tt.current, tt.total, 1); got != tt.want {
			t.Errorf("Desired(%d, %v) = %d; want %d", tt.current, tt.total, got, tt.want)
		}
	}
}

func TestHPAHoldsAFallForItsWindow(t *testing.T) {
	h := cluster.DefaultHPA(2, 50)
	n := h.Desired(start, 10, 20, 1)
	for at := cluster.Sync; at < 5*time.Minute; at += cluster.Sync {
		if n = h.Desired(start.Add(at), n, 1, 1); n != 20 {
			t.Fatalf("after %v the HPA went to %d; want 20 for five minutes", at, n)
		}
	}
	if n = h.Desired(start.Add(5*time.Minute), n, 1, 1); n != 2 {
		t.Errorf("after five minutes the HPA is at %d; want the minimum, 2", n)
	}
}

func TestPodsServeOnceReady(t *testing.T) {
	d := cluster.NewDeployment(time.Minute, 2)
	d.Scale(start, 5)
	for _, tt := range []struct {
		after time.Duration
		want  int
	}{{0, 2}, {59 * time.Second, 2}, {time.Minute, 5}} {
		if got := d.Ready(start.Add(tt.after)); got != tt.want {
			t.Errorf("%v after scaling 2 → 5, %d are ready; want %d", tt.after, got, tt.want)
		}
	}
	d.Scale(start, 3)
	if ready, all := d.Ready(start), d.Replicas(); ready != 2 || all != 3 {
		t.Errorf("scaled to 3 with 2 ready: %d of %d are ready; pods not ready must go first", ready, all)
	}
}

func TestAccount(t *testing.T) {
	var a cluster.Account
	a.Add(time.Minute, 250, 100, 2, 4) // 50 short for a minute
	a.Add(time.Minute, 200, 100, 2, 2) // exactly enough
	a.Add(time.Minute, math.NaN(), 100, 2, 2)
	if a.UnderProvisioned != time.Minute || a.Unserved != 50*60 || a.Demand != 450*60 || a.Time != 3*time.Minute {
		t.Errorf("account %+v", a)
	}
	if got, want := a.PodHours, 8.0/60; math.Abs(got-want) > 1e-12 {
		t.Errorf("pod-hours %v; want %v", got, want)
	}
	if got, want := a.UnservedShare(), 50.0/450; math.Abs(got-want) > 1e-12 {
		t.Errorf("unserved share %v; want %v", got, want)
	}
	var none cluster.Account
	if got := none.UnservedShare(); got != 0 {
		t.Errorf("an empty account leaves %v unserved; want 0", got)
	}
}

// Told the load as it is, an HPA is late by the start-up of its pods.
func TestLoopIsLateByTheStartup(t *testing.T) {
	l := cluster.Loop{HPA: cluster.DefaultHPA(1, 100), Pods: cluster.NewDeployment(3*time.Minute, 2)}
	for i := range 40 {
		now := start.Add(time.Duration(i) * cluster.Sync)
		l.Step(now, cluster.Sync, 400, 100, 400, 100)
	}
	if got := l.Account.UnderProvisioned; got != 3*time.Minute {
		t.Errorf("under-provisioned for %v; want the three minutes of start-up", got)
	}
	if l.Account.ScaleEvents != 1 || l.Pods.Replicas() != 4 {
		t.Errorf("%d scale events to %d pods; want one, to 4", l.Account.ScaleEvents, l.Pods.Replicas())
	}
}
