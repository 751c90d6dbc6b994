package ets_test

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/kedastral/kedastral/forecaster/features"
	"github.com/kedastral/kedastral/forecaster/models/ets"
	"github.com/kedastral/kedastral/forecaster/models/internal/seasonal"
)

var monday = time.Date(2024, 3, 4, 0, 0, 0, 0, time.UTC)

func level(alpha float64) ets.Model {
	return ets.Model{
		Spec:       ets.Spec{Error: ets.Additive, Trend: ets.None, Season: ets.None},
		Parameters: ets.Parameters{Alpha: alpha, Phi: 1}, Start: ets.State{Level: 100}, Sigma2: 1,
	}
}

func ahead(t *testing.T, k ets.Track, values ...float64) float64 {
	t.Helper()
	path := make([]float64, 1)
	f := features.Frame{Start: monday, Step: time.Hour, Observed: values, Horizon: 1}
	if err := k.Path(f, path); err != nil {
		t.Fatal(err)
	}
	return path[0]
}

// An error beyond ten standard deviations needs two more after it.
func TestSpikesAreNotBelievedAndNewLevelsAre(t *testing.T) {
	k := ets.NewTrack(level(0.5), monday, time.Hour)
	nan := math.NaN()
	for _, tt := range []struct {
		values []float64
		want   float64
	}{
		{[]float64{100, 108}, 104},              // within reach
		{[]float64{100, 9000}, 100},             // a spike
		{[]float64{100, 9000, 100}, 100},        // that passed
		{[]float64{100, 9000, 9000}, 100},       // not yet
		{[]float64{100, 500, 500, 500}, 300},    // a new level
		{[]float64{100, nan, 108, nan}, 104},    // gaps teach nothing
		{[]float64{nan, nan, math.Inf(1)}, 100}, // nor does what is not a number
	} {
		if got := ahead(t, k, tt.values...); got != tt.want {
			t.Errorf("after %v the forecast is %v, want %v", tt.values, got, tt.want)
		}
	}
}

// Slots belong to the hours of the day, whenever a history starts.
func TestSeasonKeepsToTheClock(t *testing.T) {
	m := ets.Model{
		Spec:       ets.Spec{Error: ets.Additive, Trend: ets.None, Season: ets.Additive},
		Parameters: ets.Parameters{Alpha: 0.5, Gamma: 0, Phi: 1},
		Slots:      seasonal.Daily(features.Frame{Start: monday, Step: time.Hour}.Clock(), time.Hour), Start: ets.State{Level: 100, Season: make([]float64, 24)},
	}
	for hour := range m.Start.Season {
		m.Start.Season[hour] = float64(hour)
	}
	k := ets.NewTrack(m, monday, time.Hour)
	for _, start := range []int{-30, 0, 5, 24} {
		f := features.Frame{Start: monday.Add(time.Duration(start) * time.Hour), Step: time.Hour, Horizon: 24}
		for i := range 60 {
			f.Observed = append(f.Observed, 100+float64(((start+i)%24+24)%24))
		}
		path := make([]float64, f.Horizon)
		if err := k.Path(f, path); err != nil {
			t.Fatal(err)
		}
		for h, got := range path {
			if want := 100 + float64(((start+60+h)%24+24)%24); math.Abs(got-want) > 1e-9 {
				t.Errorf("a history from hour %d, step %d: %v, want %v", start, h, got, want)
			}
		}
	}
}

func TestRollIsPathFromEveryOrigin(t *testing.T) {
	k := ets.NewTrack(level(0.3), monday.Add(3*time.Hour), time.Hour)
	f := features.Frame{Start: monday, Step: time.Hour, Horizon: 3}
	for i := range 50 {
		f.Observed = append(f.Observed, 100+3*math.Sin(float64(i)))
	}
	f.Observed[20] = math.NaN()
	origins := []int{1, 3, 4, 21, 21, 50}
	rolled := make([][]float64, len(origins))
	for i := range rolled {
		rolled[i] = make([]float64, f.Horizon)
	}
	if err := k.Roll(t.Context(), f, origins, rolled); err != nil {
		t.Fatal(err)
	}
	for i, origin := range origins {
		want := make([]float64, f.Horizon)
		if err := k.Path(f.Before(origin), want); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, rolled[i], cmpopts.EquateApprox(1e-12, 0)); diff != "" {
			t.Errorf("from origin %d (-path +roll):\n%s", origin, diff)
		}
	}
}
