package main

import (
	"context"
	"fmt"
	"math"
	"os"
	"slices"
	"time"

	"github.com/kedastral/kedastral/forecaster/backtest"
	"github.com/kedastral/kedastral/forecaster/backtest/cluster"
	"github.com/kedastral/kedastral/forecaster/capacity"
	"github.com/kedastral/kedastral/forecaster/engine"
	"github.com/kedastral/kedastral/forecaster/features"
	"github.com/kedastral/kedastral/forecaster/models"
	"github.com/kedastral/kedastral/forecaster/models/catalog"
	"github.com/kedastral/kedastral/forecaster/series"
	"github.com/kedastral/kedastral/shared/forecast"
)

// The part of the day that the picture shows: the morning, while load rises.
const (
	shownFrom = 6 * time.Hour
	shownFor  = 5 * time.Hour
)

// picture is the replayed day without processes and without waiting: the same
// pipeline, policy, HPA and pods, so that it is drawn the same every time.
type picture struct {
	from, to   time.Time // what is shown of it
	load       trace
	origins    []backtest.Origin
	predictive track
	reactive   track // with the same target per pod
	tuned      track // with the target that costs the same pod-hours over the day
	target     float64
}

// track is what became of a policy: its pods at every sync that is shown.
type track struct {
	asked, ready []int
	short        time.Duration // with fewer pods ready than the load needs
}

// paint replays the day and draws the picture into a file.
func paint(ctx context.Context, tracePath, path string) error {
	p, err := newPicture(ctx, tracePath)
	if err != nil {
		return err
	}
	return os.WriteFile(path, []byte(p.svg()), 0o644) //nolint:gosec // a document, for everybody to read
}

func newPicture(ctx context.Context, tracePath string) (*picture, error) {
	load, err := readTrace(tracePath)
	if err != nil {
		return nil, err
	}
	day := load.lastDay()
	end := day.AddDate(0, 0, 1)
	known := load.minutes.Window(load.minutes.Start, end)
	r, err := backtest.Run(ctx, replayed(day.Location()), known, end.Sub(day)+ahead, nil)
	if err != nil {
		return nil, fmt.Errorf("replaying the day: %w", err)
	}
	p := &picture{load: load, from: day.Add(shownFrom), to: day.Add(shownFrom + shownFor), origins: r.Origins}
	var spent, same cluster.Account
	spent, p.predictive = p.follow(day, 0, 1, p.told)
	_, p.reactive = p.follow(day, cluster.DefaultHPA(1, 1).Tolerance, targetPerPod, load.measured)
	same, p.target = cluster.Tune(spent.PodHours, targetPerPod/4, targetPerPod*2, func(target float64) (a cluster.Account) {
		a, p.tuned = p.follow(day, cluster.DefaultHPA(1, 1).Tolerance, target, load.measured)
		return a
	})
	if math.Abs(same.PodHours/spent.PodHours-1) > 0.01 {
		return nil, fmt.Errorf("no reactive target costs %.1f pod-hours: the nearest costs %.1f", spent.PodHours, same.PodHours)
	}
	return p, nil
}

// replayed is the demo's workload, as its variables say it to the forecaster.
func replayed(place *time.Location) engine.Workload {
	return engine.Workload{
		Name: workload, Metric: "requests per minute",
		Step: time.Minute, Interval: time.Minute, TrainInterval: 5 * time.Minute, Window: 14 * 24 * time.Hour, Horizon: time.Hour,
		Calendar: features.Calendar{Location: place},
		NewModel: func() (models.Model, error) {
			return catalog.New("auto", models.Options{Levels: levels()})
		},
		Rules: capacity.Rules{Policy: capacity.Policy{
			TargetPerPod: targetPerPod, MinReplicas: minReplicas, MaxReplicas: maxReplicas, Quantile: quantile, DownMaxPercentPerStep: 10,
		}},
	}
}

// levels are the forecaster's default QUANTILES.
func levels() []float64 { return []float64{0.1, 0.5, 0.75, 0.9, quantile, 0.99} }

// newest is the forecast that a scaler holds at an instant: the last one whose
// data had settled.
func (p *picture) newest(now time.Time) (forecast.Snapshot, bool) {
	var s forecast.Snapshot
	at := series.Align(now.Add(-15*time.Second), time.Minute)
	i := int(at.Sub(p.origins[0].Snapshot.GeneratedAt) / time.Minute)
	for i = min(i, len(p.origins)-1); i >= 0; i-- {
		if s = p.origins[i].Snapshot; !s.GeneratedAt.After(at) {
			return s, true
		}
	}
	return s, false
}

// told is what KEDA is told at an instant; NaN while there is nothing to tell.
func (p *picture) told(now time.Time) float64 {
	s, ok := p.newest(now)
	if !ok {
		return math.NaN()
	}
	n, ok := s.Highest(now.Sub(s.GeneratedAt), lead)
	if !ok {
		return math.NaN()
	}
	return float64(n)
}

// follow lets an HPA live through the day on a metric.
func (p *picture) follow(day time.Time, tolerance, target float64, metric func(time.Time) float64) (cluster.Account, track) {
	loop := newLoop(p.load, day)
	loop.HPA.Tolerance = tolerance
	var t track
	for now := day; now.Before(day.AddDate(0, 0, 1)); now = now.Add(cluster.Sync) {
		load := p.load.at(now)
		loop.Step(now, cluster.Sync, load, targetPerPod, metric(now), target)
		if now.Before(p.from) || !now.Before(p.to) {
			continue
		}
		ready := loop.Pods.Ready(now)
		t.asked, t.ready = append(t.asked, loop.Pods.Replicas()), append(t.ready, ready)
		if load > float64(ready)*targetPerPod {
			t.short += cluster.Sync
		}
	}
	return loop.Account, t
}

// foretold are the median and the upper quantile that had been forecast for a
// minute by the lead time before it.
func (p *picture) foretold(minute time.Time) (middle, upper float64, ok bool) {
	s, ok := p.newest(minute.Add(-lead))
	if !ok {
		return 0, 0, false
	}
	i := int(minute.Sub(s.GeneratedAt) / time.Minute)
	return s.Values[i], s.Quantiles[slices.Index(levels(), quantile)].Values[i], true
}
