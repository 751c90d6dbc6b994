package prom

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/api/prometheus/v1"

	"github.com/kedastral/kedastral/forecaster/adapters"
	"github.com/kedastral/kedastral/forecaster/series"
)

// Query is one workload's metric.
type Query struct {
	Metric string        // the name that stands for the query in errors
	PromQL string        // must give one series, unless Aggregate says how to make one of many
	Step   time.Duration // of the frames
	Settle time.Duration // how long after its end a step is complete: the scrape interval

	// Aggregate is "", or sum, max or min over all series. The source computes
	// it. It is a choice and not a default: a series that is missing at one
	// step is a dip in the sum.
	Aggregate string

	// MaxSkew is how far the source's clock may be from ours before a read
	// fails: what we would take for the present then is none. Zero only warns.
	MaxSkew time.Duration

	Now func() time.Time // the clock; nil is the real one
}

// Adapter reads one workload's metric and remembers what it has read. It is an
// [adapters.Adapter] and an [adapters.Warner].
type Adapter struct {
	server  *Server
	query   Query
	private string // the query in lower case
	api     v1.API
	now     func() time.Time
	turn    chan struct{} // held by the one who reads

	// Of the one whose turn it is:
	known known
	skew  time.Duration // of the source's clock at its last answer
	ahead time.Duration // how far its newest value was in our future

	warnings atomic.Pointer[[]adapters.Warning] // so that asking for them waits for no read
}

// Adapter makes an adapter of one of the server's metrics.
func (s *Server) Adapter(q Query) (*Adapter, error) {
	if q.Now == nil {
		q.Now = time.Now
	}
	if err := q.check(); err != nil {
		return nil, fmt.Errorf("metric %q: %w", q.Metric, err)
	}
	a := &Adapter{server: s, query: q, private: strings.ToLower(q.PromQL), now: q.Now, turn: make(chan struct{}, 1)}
	a.api = v1.NewAPI(client{Client: s.client, a: a})
	return a, nil
}

func (q Query) check() error {
	switch {
	case q.Metric == "":
		return errors.New("no name: must have one to be named in errors")
	case strings.TrimSpace(q.PromQL) == "":
		return errors.New("no query: must be PromQL that gives one series")
	case q.Settle < 0:
		return fmt.Errorf("settle %v: must not be negative", q.Settle)
	case q.MaxSkew < 0:
		return fmt.Errorf("max skew %v: must not be negative", q.MaxSkew)
	case !slices.Contains([]string{"", "sum", "max", "min"}, q.Aggregate):
		return fmt.Errorf("aggregate %q: must be empty, sum, max or min", q.Aggregate)
	}
	return series.CheckStep(q.Step)
}

// text is the query as it is asked. What is aggregated stands on lines of its
// own, so that a comment at its end does not swallow the bracket.
func (q Query) text() string {
	if q.Aggregate == "" {
		return q.PromQL
	}
	return q.Aggregate + "(\n" + q.PromQL + "\n)"
}

// Name is prometheus.
func (a *Adapter) Name() string { return "prometheus" }

// Collect reads what is new and returns the window. See [adapters.Adapter].
func (a *Adapter) Collect(ctx context.Context, windowSeconds int) (series.DataFrame, error) {
	select {
	case a.turn <- struct{}{}:
		defer func() { <-a.turn }()
	case <-ctx.Done():
		return series.DataFrame{}, a.broken(ctx, ctx.Err())
	}
	if err := ctx.Err(); err != nil {
		return series.DataFrame{}, a.broken(ctx, err)
	}
	from, to, err := adapters.Span(a.now(), a.query.Settle, a.query.Step, windowSeconds)
	if err != nil {
		return series.DataFrame{}, a.fault(adapters.ErrConfig, adapters.ReasonConfig, err.Error())
	}
	frame, err := a.update(ctx, from, to)
	if err != nil {
		return series.DataFrame{}, err
	}
	if skew := max(a.skew, -a.skew); a.query.MaxSkew > 0 && skew > a.query.MaxSkew {
		return series.DataFrame{}, a.fault(adapters.ErrConfig, adapters.ReasonClockSkew,
			fmt.Sprintf("its clock and this forecaster's are %v apart, more than the %v that data may be old: synchronise them", skew.Round(time.Second), a.query.MaxSkew))
	}
	warnings := a.inspect(&frame)
	a.warnings.Store(&warnings)
	return frame, nil
}

// Warnings are what looks wrong with the metric. See [adapters.Warner].
func (a *Adapter) Warnings() []adapters.Warning {
	if all := a.warnings.Load(); all != nil {
		return slices.Clone(*all)
	}
	return nil
}
