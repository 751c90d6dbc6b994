package keda

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	pb "github.com/kedacore/keda/v2/pkg/scalers/externalscaler"

	"github.com/kedastral/kedastral/shared/forecast"
)

// target is one trigger of one ScaledObject and what it was last told. What was
// told outlives the snapshot it came from: a held answer is never below it.
type target struct {
	scaledObject string
	trigger
	told  atomic.Int64 // replicas last answered, by GetMetrics or behind IsActive
	state atomic.Int32 // the State of the last answer
	asked atomic.Int64 // when, in nanoseconds since 1970
	short atomic.Bool  // it was said that no plan reaches as far as its lead time
}

// question is what to decide for the target at now.
func (t *target) question(now time.Time, staleAfter time.Duration) question {
	return question{now: now, staleAfter: staleAfter, lead: t.lead, fallback: t.fallback, last: int(t.told.Load())}
}

// target finds the trigger that a request is about, parsing its metadata only
// when it is new or has changed.
func (s *Server) target(ref *pb.ScaledObjectRef) (*target, *refusal) {
	if ref == nil {
		return nil, nameless
	}
	if ref.GetNamespace() != s.Namespace {
		return nil, foreign
	}
	set, why := read(ref)
	if why != nil {
		return nil, why
	}
	if t, ok := s.targets.Get(set); ok {
		return t, nil
	}
	if _, _, err := forecast.ParseWorkload(s.Namespace + "/" + ref.GetName()); err != nil {
		return nil, nameless
	}
	parsed, why := set.parse(s.Namespace, trigger{lead: s.LeadTime, fallback: s.FallbackReplicas})
	if why != nil {
		return nil, why
	}
	t := &target{scaledObject: set.scaledObject, trigger: parsed}
	before, found, evicted := s.targets.PeekOrAdd(set, t)
	if found {
		return before, nil // another request was first
	}
	if evicted {
		s.metrics.forgotten.Inc()
	}
	return t, nil
}

// note remembers an answer and logs when it is of another state than the last.
func (s *Server) note(ctx context.Context, t *target, v verdict, now time.Time) {
	t.asked.Store(now.UnixNano())
	if v.answered {
		t.told.Store(int64(v.replicas))
	}
	before := State(t.state.Load())
	if before == v.state || !t.state.CompareAndSwap(int32(before), int32(v.state)) {
		return
	}
	level, attrs := slog.LevelInfo, []slog.Attr{
		slog.String("workload", t.workload), slog.String("scaled_object", t.scaledObject),
		slog.String("from", before.String()), slog.String("to", v.state.String()),
	}
	if v.state != Fresh {
		level = slog.LevelWarn
	}
	if v.answered {
		attrs = append(attrs, slog.Int("replicas", v.replicas))
	}
	if v.why != nil {
		attrs = append(attrs, slog.String("reason", v.why.reason))
	}
	s.Log.LogAttrs(ctx, level, "workload changed state", attrs...)
}

// reach says once that a plan ends before the target's lead time does: what lies
// beyond is answered later than its user asked for.
func (s *Server) reach(ctx context.Context, t *target, plan forecast.Snapshot) {
	horizon := time.Duration(plan.HorizonSeconds) * time.Second
	if t.lead <= horizon || t.short.Swap(true) {
		return
	}
	s.Log.LogAttrs(ctx, slog.LevelWarn, "lead time reaches beyond the plan, raise the forecaster's HORIZON", slog.String("workload", t.workload),
		slog.String("scaled_object", t.scaledObject), slog.Duration("lead_time", t.lead), slog.Duration("horizon", horizon))
}

// Status is one trigger as of now, for people.
type Status struct {
	ScaledObject string    `json:"scaledObject"`
	Workload     string    `json:"workload"`
	State        string    `json:"state"`
	Reason       string    `json:"reason,omitempty"` // why stale
	Replicas     *int      `json:"replicas"`         // what GetMetrics would answer; null when an error
	LastTold     int       `json:"lastTold"`         // what was last answered
	Lead         string    `json:"leadTime"`
	Fallback     int       `json:"fallbackReplicas,omitempty"`
	Activation   int       `json:"activationReplicas,omitempty"`
	Most         int       `json:"maxReplicas,omitempty"`
	Clamped      bool      `json:"clamped,omitempty"` // the HPA allows fewer than Replicas
	GeneratedAt  time.Time `json:"generatedAt,omitzero"`
	AgeSeconds   int       `json:"ageSeconds,omitempty"`
	Mode         string    `json:"mode,omitempty"`
}

// idle is after how long without a question a trigger is no longer shown: its
// ScaledObject is paused or gone.
const idle = 10 * time.Minute

// Status lists the triggers that were asked for lately, in order of name.
func (s *Server) Status() []Status {
	now := s.Now()
	list := []Status{}
	for _, t := range s.targets.Values() {
		if now.UnixNano()-t.asked.Load() <= int64(idle) {
			list = append(list, s.status(t, now))
		}
	}
	slices.SortFunc(list, func(a, b Status) int {
		return strings.Compare(a.ScaledObject+"\x00"+a.Workload+"\x00"+a.Lead, b.ScaledObject+"\x00"+b.Workload+"\x00"+b.Lead)
	})
	return list
}

func (s *Server) status(t *target, now time.Time) Status {
	snapshot, err := s.forecasts.Peek(t.workload)
	v := decide(t.question(now, s.StaleAfter), snapshot, err)
	st := Status{
		ScaledObject: t.scaledObject, Workload: t.workload, State: v.state.String(),
		LastTold: int(t.told.Load()), Lead: t.lead.String(), Fallback: t.fallback, Activation: t.activation, Most: t.most,
	}
	if v.answered {
		st.Replicas, st.Clamped = &v.replicas, t.most > 0 && v.replicas > t.most
	}
	if v.why != nil {
		st.Reason = v.why.reason
	}
	if err == nil {
		st.GeneratedAt, st.AgeSeconds, st.Mode = snapshot.GeneratedAt, int(snapshot.Age(now)/time.Second), string(snapshot.Mode)
	}
	return st
}
