package faults_test

import (
	"slices"
	"sync"
	"time"
)

// phase is what happened between two moments of a row.
type phase struct {
	finding *finding
	silent  bool // the scaler is down: calls may break off

	mu      sync.Mutex
	began   time.Time
	took    []time.Duration
	answers int
	errors  int
	broken  int           // calls that reached nobody
	lag     time.Duration // that the machine itself was late by, at worst
}

func (p *phase) note(took time.Duration, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.took = append(p.took, took)
	p.answers++
	if err != nil {
		p.errors++
	}
}

func (p *phase) lost() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.broken++
}

// quantile of how long calls took.
func (p *phase) quantile(q float64) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.took) == 0 {
		return 0
	}
	sorted := slices.Clone(p.took)
	slices.Sort(sorted)
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

func (p *phase) rate(now time.Time) float64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return float64(p.answers) / now.Sub(p.began).Seconds()
}
