// Package storetest is what every [storage.Store] must do.
package storetest

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kedastral/kedastral/forecaster/storage"
	"github.com/kedastral/kedastral/shared/forecast"
)

// Run holds the stores that open makes to the contract. Every call of open
// answers with an empty store.
func Run(t *testing.T, open func(t *testing.T) storage.Store) {
	t.Helper()
	for name, claim := range map[string]func(*testing.T, storage.Store){
		"an unknown workload is absent, not an error": absent,
		"what was put comes back":                     roundTrip,
		"the newest GeneratedAt stands":               newestStands,
		"one from the future gives way":               futureGivesWay,
		"the same instant put again replaces":         sameInstant,
		"workloads do not mix":                        apart,
		"an invalid snapshot is refused":              refusesInvalid,
		"what it holds is its own":                    ownsWhatItHolds,
		"many may write and read at once":             concurrent,
	} {
		t.Run(name, func(t *testing.T) { claim(t, open(t)) })
	}
}

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// Sample is a valid snapshot of a workload that says replicas for two steps.
func Sample(workload string, at time.Time, replicas int) forecast.Snapshot {
	load := 100 * float64(replicas)
	return forecast.Snapshot{
		Workload: workload, Metric: "requests", Model: "naive", Mode: forecast.Predictive,
		GeneratedAt: at, IntervalSeconds: 60, StepSeconds: 60, HorizonSeconds: 120,
		Values:          []float64{load, load},
		Quantiles:       []forecast.Quantile{{Level: 0.5, Values: []float64{load, load}}, {Level: 0.9, Values: []float64{load + 1, load + 2}}},
		DesiredReplicas: []int{replicas, replicas},
		ForecastPlan:    []int{replicas, replicas},
		Observed:        &forecast.Observation{Value: load, At: at},
		Skill: &forecast.Skill{
			Origins: 3, Overall: 0.25, MASE: 0.5,
			Blocks:   []forecast.SkillAt{{ToSeconds: 120, LastValue: 0.25, Seasonal: 0.5, MAE: 3}},
			Coverage: []forecast.Coverage{{Level: 0.9, Measured: 0.91}},
			Pinball:  []forecast.LevelLoss{{Level: 0.9, Loss: 0.1}},
		},
	}
}

func absent(t *testing.T, s storage.Store) {
	if got, ok, err := s.GetLatest(t.Context(), "shop/web"); ok || err != nil {
		t.Errorf("GetLatest on an empty store = %v, %t, %v; want nothing", got, ok, err)
	}
}

func roundTrip(t *testing.T, s storage.Store) {
	want := Sample("shop/web", noon, 3)
	put(t, s, want)
	wantLatest(t, s, want)
}

func newestStands(t *testing.T, s storage.Store) {
	older, newer := Sample("shop/web", noon, 3), Sample("shop/web", noon.Add(time.Minute), 4)
	put(t, s, older)
	put(t, s, newer)
	put(t, s, older)
	wantLatest(t, s, newer)
}

// futureGivesWay: the clock was an hour ahead and is set back, and with it the
// newcomer's.
func futureGivesWay(t *testing.T, s storage.Store) {
	ahead, right := Sample("shop/web", noon.Add(time.Hour), 3), Sample("shop/web", noon, 4)
	ahead.Received, right.Received = noon.Add(time.Hour), noon.Add(5*time.Second)
	put(t, s, ahead)
	put(t, s, right)
	got, _, err := s.GetLatest(t.Context(), "shop/web")
	if err != nil || !got.GeneratedAt.Equal(noon) {
		t.Errorf("GetLatest after the clock was set back = %v, %v; want the snapshot of %v", got.GeneratedAt, err, noon)
	}
}

func sameInstant(t *testing.T, s storage.Store) {
	put(t, s, Sample("shop/web", noon, 3))
	put(t, s, Sample("shop/web", noon, 4))
	wantLatest(t, s, Sample("shop/web", noon, 4))
}

func apart(t *testing.T, s storage.Store) {
	a, b := Sample("shop/web", noon, 3), Sample("bank/web", noon, 7)
	put(t, s, a)
	put(t, s, b)
	wantLatest(t, s, a)
	wantLatest(t, s, b)
}

func refusesInvalid(t *testing.T, s storage.Store) {
	good, bad := Sample("shop/web", noon, 3), Sample("shop/web", noon.Add(time.Minute), 4)
	bad.Values = nil
	put(t, s, good)
	if err := s.Put(t.Context(), bad); !errors.Is(err, forecast.ErrInvalid) {
		t.Errorf("Put of a snapshot without values = %v; want %v", err, forecast.ErrInvalid)
	}
	wantLatest(t, s, good)
}

func ownsWhatItHolds(t *testing.T, s storage.Store) {
	given := Sample("shop/web", noon, 3)
	put(t, s, given)
	spoil(given)
	got, _, err := s.GetLatest(t.Context(), "shop/web")
	if err != nil {
		t.Fatalf("GetLatest = %v", err)
	}
	spoil(got)
	wantLatest(t, s, Sample("shop/web", noon, 3))
}

func spoil(s forecast.Snapshot) {
	s.Values[0], s.DesiredReplicas[0], s.ForecastPlan[0], s.Quantiles[0].Values[0] = -1, -1, -1, -1
	s.Quantiles[1].Level, s.Observed.Value, s.Skill.Overall = -1, -1, -1
	s.Skill.Blocks[0].MAE, s.Skill.Coverage[0].Level, s.Skill.Pinball[0].Loss = -1, -1, -1
}

func concurrent(t *testing.T, s storage.Store) {
	const writers, writes = 8, 25
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for i := range writes {
				minute := i*writers + w
				snapshot := Sample(fmt.Sprintf("shop/web-%d", i%2), noon.Add(time.Duration(minute)*time.Minute), minute)
				if err := s.Put(t.Context(), snapshot); err != nil {
					t.Errorf("Put = %v", err)
				}
				if got, ok, err := s.GetLatest(t.Context(), snapshot.Workload); err != nil || !ok || got.GeneratedAt.Before(snapshot.GeneratedAt) {
					t.Errorf("GetLatest after Put of minute %d = %v, %t, %v; want that or newer", minute, got.GeneratedAt, ok, err)
				}
			}
		})
	}
	all.Wait()
	last := writers*writes - 1
	wantLatest(t, s, Sample("shop/web-0", noon.Add(time.Duration(last)*time.Minute), last))
}

func put(t *testing.T, s storage.Store, snapshot forecast.Snapshot) {
	t.Helper()
	if err := s.Put(t.Context(), snapshot); err != nil {
		t.Fatalf("Put(%s at %v) = %v", snapshot.Workload, snapshot.GeneratedAt, err)
	}
}

func wantLatest(t *testing.T, s storage.Store, want forecast.Snapshot) {
	t.Helper()
	got, ok, err := s.GetLatest(t.Context(), want.Workload)
	if err != nil || !ok {
		t.Fatalf("GetLatest(%q) = %t, %v; want a snapshot", want.Workload, ok, err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("GetLatest(%q) differs (-want +got):\n%s", want.Workload, diff)
	}
}
