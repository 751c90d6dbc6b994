package main

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/kedastral/kedastral/forecaster/features"
	"github.com/kedastral/kedastral/forecaster/models"
	"github.com/kedastral/kedastral/forecaster/models/byom"
	"github.com/kedastral/kedastral/forecaster/models/modeltest"
)

// start runs the service for a test and returns its address.
func start(t *testing.T) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- serve(ctx, listener) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return "http://" + listener.Addr().String()
}

func ask(t *testing.T, url string, o models.Options) *byom.Model {
	t.Helper()
	o.Service = models.Service{URL: url, Timeout: time.Minute}
	m, err := byom.New(o, models.NewNaive(o))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// The example is a model like any other.
func TestExampleKeepsTheContract(t *testing.T) {
	url := start(t)
	modeltest.Run(t, func(o models.Options) models.Model { return ask(t, url, o) })
}

// The service answers, and its answer is the one it was written to give.
func TestExampleForecastsTheDayBefore(t *testing.T) {
	values := make([]float64, 3*24)
	for i := range values {
		values[i] = float64(10*(i%24) + 5*(i/24)) // each day 5 above the one before
	}
	f := features.Frame{
		Start: time.Date(2024, 3, 4, 0, 0, 0, 0, time.UTC), Step: time.Hour, Observed: values, Horizon: 6,
	}
	m := ask(t, start(t), models.Options{Levels: []float64{0.9}})
	if err := m.Train(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	got, err := m.Predict(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	for h, v := range got.Values {
		if want := float64(10*h + 15); v != want {
			t.Errorf("step %d = %v, want %v", h, v, want)
		}
	}
	if who, cause := m.Answered(); who != byom.Service {
		t.Errorf("answered by %q because of %v, want the service", who, cause)
	}
	if skill := m.Score().Skill(f.Step); skill == nil || skill.Overall <= 0 {
		t.Errorf("skill = %+v, want some: days resemble each other", skill)
	}
}
