package storage

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/kedastral/kedastral/shared/forecast"
)

// Memory is a [Store] in the process's own memory: nothing to run beside it,
// nothing to wait for, and empty after a restart.
type Memory struct {
	mu     sync.RWMutex
	latest map[string]forecast.Snapshot
}

// NewMemory makes an empty store.
func NewMemory() *Memory {
	return &Memory{latest: make(map[string]forecast.Snapshot)}
}

// Put implements [Store].
func (m *Memory) Put(_ context.Context, s forecast.Snapshot) error {
	if err := s.Validate(); err != nil {
		return fmt.Errorf("storing the snapshot of %q: %w", s.Workload, err)
	}
	s = clone(s)
	m.mu.Lock()
	defer m.mu.Unlock()
	if held, ok := m.latest[s.Workload]; ok && !s.Replaces(held) {
		return nil
	}
	m.latest[s.Workload] = s
	return nil
}

// GetLatest implements [Store].
func (m *Memory) GetLatest(_ context.Context, workload string) (forecast.Snapshot, bool, error) {
	m.mu.RLock()
	s, ok := m.latest[workload]
	m.mu.RUnlock()
	if !ok {
		return forecast.Snapshot{}, false, nil
	}
	return clone(s), true, nil
}

// Dates is when the workload's snapshot was generated and when the next one is
// due; both are zero where there is none.
func (m *Memory) Dates(workload string) (generated, next time.Time) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	s, ok := m.latest[workload]
	if !ok {
		return time.Time{}, time.Time{}
	}
	return s.GeneratedAt, s.GeneratedAt.Add(s.Interval() + s.Delay())
}

// clone copies all that a snapshot points to. A snapshot is some hundred
// numbers; sharing them would let one careless reader change every answer.
func clone(s forecast.Snapshot) forecast.Snapshot {
	s.Values = slices.Clone(s.Values)
	s.DesiredReplicas = slices.Clone(s.DesiredReplicas)
	s.ForecastPlan = slices.Clone(s.ForecastPlan)
	s.Quantiles = slices.Clone(s.Quantiles)
	for i := range s.Quantiles {
		s.Quantiles[i].Values = slices.Clone(s.Quantiles[i].Values)
	}
	if s.Observed != nil {
		observed := *s.Observed
		s.Observed = &observed
	}
	if s.Skill != nil {
		skill := *s.Skill
		skill.Blocks = slices.Clone(skill.Blocks)
		skill.Coverage = slices.Clone(skill.Coverage)
		skill.Pinball = slices.Clone(skill.Pinball)
		s.Skill = &skill
	}
	return s
}
