// Package keda answers KEDA's external-scaler calls from forecasts held in
// memory.
//
// The one metric is the replica count itself with a target of 1, so that the
// HPA's division leaves it as it is. GetMetricSpec is a constant in every state
// and for every caller: KEDA consults a ScaledObject's fallback only while the
// specification can still be had, and fails its other triggers when it cannot.
//
// What is not known is an error, never a small number: on an error the HPA
// refuses to scale down and lets other triggers scale up. Between knowing and
// not knowing lies the held state, in which a count may rise but not fall; see
// [Fresh], [Held] and [Stale]. What was planned since the snapshot was last
// fresh counts there, whether it was told or not, so that a scaler that starts
// then answers no less than the one before it.
//
// IsActive follows the count that GetMetrics would answer. In the held state
// that count is at least the last one, so what was active stays active, and
// what was not becomes active when the plan says so.
//
// A trigger's metadata is written by a tenant, the namespace is filled in by
// KEDA: so the namespace is what isolates, and no text that came with a request
// is logged or sent back.
package keda

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	pb "github.com/kedacore/keda/v2/pkg/scalers/externalscaler"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/kedastral/kedastral/shared/forecast"
)

// MetricName is the name of the one metric, for every ScaledObject.
const MetricName = "kedastral-desired-replicas"

// Forecasts answer with the latest snapshot; Peek does so without counting as
// a question.
type Forecasts interface {
	forecast.Reader
	Peek(workload string) (forecast.Snapshot, error)
}

// Options are what a trigger's metadata does not say.
type Options struct {
	Namespace        string        // whose ScaledObjects are answered
	LeadTime         time.Duration // of triggers without leadTime
	StaleAfter       time.Duration // a forecast older than this is not used
	FallbackReplicas int           // answered when stale by triggers without fallbackReplicas; 0 for an error
	Size             int           // triggers remembered
	PushInterval     time.Duration // how often StreamIsActive looks for a change
	Budget           time.Duration // how long a call may take
	Now              func() time.Time
	Log              *slog.Logger
}

// Server is the external-scaler service.
type Server struct {
	pb.UnimplementedExternalScalerServer // StreamMetricSpec: the specification never changes
	Options

	forecasts Forecasts
	metrics   *metrics
	targets   *lru.Cache[settings, *target]
	streams   atomic.Int64
	draining  chan struct{}
	drain     sync.Once
	complain  limiter
}

// New makes the service and registers its metrics.
func New(forecasts Forecasts, reg prometheus.Registerer, o Options) (*Server, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	targets, err := lru.New[settings, *target](o.Size)
	if err != nil {
		return nil, fmt.Errorf("making the table of triggers: %w", err)
	}
	s := &Server{Options: o, forecasts: forecasts, targets: targets, draining: make(chan struct{})}
	s.metrics = newMetrics(reg)
	return s, reg.Register(workloads{s})
}

// Drain ends the open streams. KEDA takes a stream that ends without an error
// for a restart and comes back at once.
func (s *Server) Drain() { s.drain.Do(func() { close(s.draining) }) }

// GetMetricSpec answers the constant specification, whatever is asked.
func (s *Server) GetMetricSpec(context.Context, *pb.ScaledObjectRef) (*pb.GetMetricSpecResponse, error) {
	return &pb.GetMetricSpecResponse{MetricSpecs: []*pb.MetricSpec{
		{MetricName: MetricName, TargetSize: 1, TargetSizeFloat: 1},
	}}, nil
}

// GetMetrics answers the replicas wanted now.
func (s *Server) GetMetrics(ctx context.Context, r *pb.GetMetricsRequest) (*pb.GetMetricsResponse, error) {
	_, v, why := s.verdict(ctx, r.GetScaledObjectRef())
	if why != nil {
		return nil, why
	}
	return reply(v.replicas), nil
}

// IsActive answers whether more replicas than activationReplicas are wanted.
func (s *Server) IsActive(ctx context.Context, ref *pb.ScaledObjectRef) (*pb.IsActiveResponse, error) {
	t, v, why := s.verdict(ctx, ref)
	if why != nil {
		return nil, why
	}
	return &pb.IsActiveResponse{Result: t.active(v)}, nil
}

// verdict decides about the request's trigger; the refusal is why it has no
// number.
func (s *Server) verdict(ctx context.Context, ref *pb.ScaledObjectRef) (*target, verdict, *refusal) {
	t, why := s.target(ref)
	if why != nil {
		s.refuse(ctx, why, s.named(ref)...)
		return nil, verdict{}, why
	}
	snapshot, err := s.forecasts.Latest(ctx, t.workload)
	now := s.Now()
	v := decide(t.question(now, s.StaleAfter), snapshot, err)
	s.note(ctx, t, v, now)
	if v.why != nil {
		s.metrics.refused(v.why)
		if !v.answered {
			return t, v, v.why
		}
		return t, v, nil
	}
	s.reach(ctx, t, snapshot)
	return t, v, nil
}

// active is whether the verdict wants the workload to run at all. A fallback
// always does.
func (t *target) active(v verdict) bool {
	return v.state == Stale || v.replicas > t.activation
}

// refuse counts and, now and then, logs a request that asks for what it may
// not or in a way that cannot be understood.
func (s *Server) refuse(ctx context.Context, why *refusal, whose ...slog.Attr) {
	s.metrics.refused(why)
	if s.complain.allows(why.reason, s.Now()) {
		whose = append(whose, slog.String("reason", why.reason), slog.String("answer", why.text))
		s.Log.LogAttrs(ctx, slog.LevelWarn, "request refused", whose...)
	}
}

// named is the ScaledObject of a request, where it is one of our namespace and
// has a name that an object can have: what a tenant wrote is not logged.
func (s *Server) named(ref *pb.ScaledObjectRef) []slog.Attr {
	if ref.GetNamespace() != s.Namespace {
		return nil
	}
	if _, _, err := forecast.ParseWorkload(s.Namespace + "/" + ref.GetName()); err != nil {
		return nil
	}
	return []slog.Attr{slog.String("scaled_object", ref.GetName())}
}

// reply is one value in one allocation, in both the integer field that every
// KEDA reads and the float that newer ones prefer.
func reply(replicas int) *pb.GetMetricsResponse {
	r := &struct {
		response pb.GetMetricsResponse
		value    pb.MetricValue
		list     [1]*pb.MetricValue
	}{}
	r.value.MetricName = MetricName
	r.value.MetricValue = int64(replicas)
	r.value.MetricValueFloat = float64(replicas)
	r.list[0] = &r.value
	r.response.MetricValues = r.list[:]
	return &r.response
}

// validate reports every option that cannot work.
func (o Options) validate() error {
	var errs []error
	must := func(ok bool, name string, value any, rule string) {
		if !ok {
			errs = append(errs, fmt.Errorf("%s=%v: %s", name, value, rule))
		}
	}
	_, _, err := forecast.ParseWorkload(o.Namespace + "/x")
	must(err == nil, "namespace", o.Namespace, "must be a Kubernetes namespace")
	must(o.LeadTime >= 0, "lead time", o.LeadTime, "must not be negative")
	must(o.StaleAfter > 0, "stale after", o.StaleAfter, "must be positive")
	must(o.FallbackReplicas >= 0, "fallback replicas", o.FallbackReplicas, "must not be negative")
	must(o.Size > 0, "size", o.Size, "must be positive")
	must(o.PushInterval > 0, "push interval", o.PushInterval, "must be positive")
	must(o.Budget > 0, "budget", o.Budget, "must be positive")
	must(o.Now != nil && o.Log != nil, "clock and log", "nil", "must be set")
	return errors.Join(errs...)
}
