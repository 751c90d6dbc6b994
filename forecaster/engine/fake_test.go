package engine_test

import (
	"context"
	"encoding/json"
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kedastral/kedastral/forecaster/capacity"
	"github.com/kedastral/kedastral/forecaster/engine"
	"github.com/kedastral/kedastral/forecaster/features"
	"github.com/kedastral/kedastral/forecaster/models"
	"github.com/kedastral/kedastral/forecaster/series"
	"github.com/kedastral/kedastral/forecaster/storage"
	"github.com/kedastral/kedastral/shared/clock"
	"github.com/kedastral/kedastral/shared/forecast"
)

// source answers with load(t) for every step that has ended, or with err.
type source struct {
	mu   sync.Mutex
	load func(time.Time) float64
	step time.Duration
	err  error
	wait time.Duration    // before it answers
	now  func() time.Time // nil is the machine's clock
	n    int              // reads
}

func (s *source) Name() string { return "fake" }

func (s *source) Collect(ctx context.Context, windowSeconds int) (series.DataFrame, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n++
	if s.wait > 0 {
		select {
		case <-time.After(s.wait):
		case <-ctx.Done():
			return series.DataFrame{}, ctx.Err()
		}
	}
	if s.err != nil {
		return series.DataFrame{}, s.err
	}
	if s.now == nil {
		s.now = time.Now
	}
	end := s.now().UTC().Truncate(s.step)
	frame := series.DataFrame{Step: s.step, Values: make([]float64, time.Duration(windowSeconds)*time.Second/s.step)}
	frame.Start = end.Add(-time.Duration(len(frame.Values)) * s.step)
	for i := range frame.Values {
		frame.Values[i] = s.load(frame.Start.Add(time.Duration(i) * s.step))
	}
	return frame, nil
}

func (s *source) asked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.n
}

func (s *source) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

func (s *source) delay(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wait = d
}

// model is a fake whose parts are functions; it has skill unless told.
type model struct {
	train   func(context.Context, features.Frame) error
	predict func(features.Frame) []float64
	noSkill bool
}

func (m *model) Name() string { return "fake" }

func (m *model) Train(ctx context.Context, f features.Frame) error {
	if m.train == nil {
		return nil
	}
	return m.train(ctx, f)
}

func (m *model) Predict(_ context.Context, f features.Frame) (models.Forecast, error) {
	values := m.predict(f)
	return models.Forecast{Values: values, Quantiles: []forecast.Quantile{{Level: 0.9, Values: values}}}, nil
}

func (m *model) Score() models.Score {
	if m.noSkill {
		return models.Score{Origins: 5, Blocks: []models.BlockScore{{From: 0, To: 1, MAE: 2, LastValueMAE: 1, SeasonalMAE: 1}}}
	}
	return models.Score{Origins: 5, Blocks: []models.BlockScore{{From: 0, To: 1, MAE: 1, LastValueMAE: 2, SeasonalMAE: 2}}}
}

// repeat forecasts the last value of the frame, gaps counting as none.
func repeat(f features.Frame) []float64 {
	out := make([]float64, f.Horizon)
	last := 0.0
	for _, v := range f.Observed {
		if !math.IsNaN(v) {
			last = v
		}
	}
	for i := range out {
		out[i] = last
	}
	return out
}

func flat(v float64) func(time.Time) float64 { return func(time.Time) float64 { return v } }

// workload is one of sensible settings: a load of 400, 100 a replica.
func workload(name string) engine.Workload {
	return engine.Workload{
		Name: name, Metric: "requests", Source: &source{load: flat(400), step: time.Minute},
		NewModel: func() (models.Model, error) { return &model{predict: repeat}, nil },
		Step:     time.Minute, Interval: time.Minute, TrainInterval: 5 * time.Minute,
		Window: time.Hour, Horizon: 10 * time.Minute,
		Rules: capacity.Rules{Policy: capacity.Policy{TargetPerPod: 100, MinReplicas: 1, MaxReplicas: 50, Quantile: 0.9}},
	}
}

func using(w engine.Workload, m *model) engine.Workload {
	w.NewModel = func() (models.Model, error) { return m, nil }
	return w
}

func options() engine.Options {
	return engine.Options{
		Store: storage.NewMemory(), Clock: clock.Real(), Concurrency: 8,
		Settle: 5 * time.Second, MaxDataAge: 10 * time.Minute, TickTimeout: time.Minute,
	}
}

// begin runs an engine in the bubble until the test ends.
func begin(t *testing.T, o engine.Options, workloads ...engine.Workload) *engine.Engine {
	t.Helper()
	e, err := engine.New(workloads, o)
	if err != nil {
		t.Fatalf("New = %v", err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("Run = %v", err)
		}
	})
	return e
}

// pass lets time pass until everything waits for more of it.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func latest(t *testing.T, e *engine.Engine, name string) forecast.Snapshot {
	t.Helper()
	s, err := e.Latest(t.Context(), name)
	if err != nil {
		t.Fatalf("Latest(%q) at %v = %v", name, time.Now().UTC(), err)
	}
	return s
}

func bytesOf(t *testing.T, s forecast.Snapshot) string {
	t.Helper()
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func statusOf(t *testing.T, e *engine.Engine, name string) engine.Status {
	t.Helper()
	for _, s := range e.Workloads() {
		if s.Workload == name {
			return s
		}
	}
	t.Fatalf("Workloads() has no %q", name)
	return engine.Status{}
}

type sourceFunc func(context.Context, int) (series.DataFrame, error)

func (f sourceFunc) Collect(ctx context.Context, window int) (series.DataFrame, error) {
	return f(ctx, window)
}
func (sourceFunc) Name() string { return "fake" }

var nan, inf = math.NaN(), math.Inf(1)
