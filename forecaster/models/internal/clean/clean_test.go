package clean_test

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kedastral/kedastral/forecaster/models/internal/clean"
)

func TestPrepareFillsByStraightLines(t *testing.T) {
	nan := math.NaN()
	observed := []float64{nan, 2, nan, 4, nan, nan}
	got := clean.Prepare(observed)
	want := clean.History{
		Values: []float64{2, 3, 4, 4, 4}, Gaps: []bool{false, true, false, true, true}, First: 1, Seen: 2,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Prepare(%v) (-want +got):\n%s", observed, diff)
	}
	if !math.IsNaN(observed[2]) {
		t.Error("Prepare changed its input")
	}
}

func TestPrepareBringsSpikesInAndLeavesTheRest(t *testing.T) {
	observed := make([]float64, 1000)
	for i := range observed {
		observed[i] = 100 + 20*math.Sin(float64(i))
	}
	if diff := cmp.Diff(observed, clean.Prepare(observed).Values); diff != "" {
		t.Errorf("a regular history changed:\n%s", diff)
	}
	observed[300], observed[700] = 1e5, 1e6
	got := clean.Prepare(observed).Values
	if got[300] > 400 || got[700] > 400 {
		t.Errorf("spikes of 100,000 and 1,000,000 over 100 became %v and %v, want below 400", got[300], got[700])
	}
	if got[301] != observed[301] {
		t.Errorf("the value beside a spike changed from %v to %v", observed[301], got[301])
	}
}

func TestPrepareOfNothing(t *testing.T) {
	for _, observed := range [][]float64{nil, {math.NaN()}} {
		if got := clean.Prepare(observed); got.Seen != 0 || len(got.Values) != 0 {
			t.Errorf("Prepare(%v) = %+v, want nothing", observed, got)
		}
	}
}
