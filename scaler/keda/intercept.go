package keda

import (
	"context"
	"net/netip"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	pb "github.com/kedacore/keda/v2/pkg/scalers/externalscaler"
	"google.golang.org/grpc"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/kedastral/kedastral/shared/ratelimit"
)

// timed are the calls that are measured, by full name.
func timed() map[string]string {
	return map[string]string{
		pb.ExternalScaler_GetMetricSpec_FullMethodName: "GetMetricSpec",
		pb.ExternalScaler_GetMetrics_FullMethodName:    "GetMetrics",
		pb.ExternalScaler_IsActive_FullMethodName:      "IsActive",
	}
}

// guard stands around every call. It is one interceptor and not a chain of
// four, and makes no timer for an answer from memory, because next to such an
// answer their cost would be seen.
type guard struct {
	server *Server
	most   int64        // calls at a time
	busy   atomic.Int64 // calls now
	pace   *ratelimit.Peers
}

// paced is whether the caller has not asked too often, and counts that it asked.
func (g *guard) paced(ctx context.Context, now time.Time) bool {
	var address netip.Addr
	if caller, ok := peer.FromContext(ctx); ok {
		remote := caller.Addr
		if known, ok := remote.(bornAddr); ok {
			remote = known.Addr
		}
		address = ratelimit.PeerOf(remote)
	}
	if _, ok := g.pace.Allow(address, now); !ok {
		g.server.refuse(ctx, hasty)
		return false
	}
	return true
}

// call times the call, turns its panic into an error so that one request's
// fault is not every workload's, and bounds what reads a forecast: in number,
// rather than let calls pile up that would be better asked again, and in time,
// for KEDA sets no deadline and one call that hangs holds up its reconciles.
// The constant specification and the question whether we are alive are never
// refused.
func (g *guard) call(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (answer any, err error) {
	begin := time.Now()
	defer func() {
		if v := recover(); v != nil {
			answer, err = nil, g.server.panicked(ctx, info.FullMethod, v)
		}
		g.server.metrics.observe(info.FullMethod, status.Code(err), time.Since(begin))
	}()
	switch info.FullMethod {
	case pb.ExternalScaler_GetMetrics_FullMethodName, pb.ExternalScaler_IsActive_FullMethodName:
	default:
		return next(ctx, req)
	}
	if !g.paced(ctx, begin) {
		return nil, hasty
	}
	defer g.busy.Add(-1)
	if g.busy.Add(1) > g.most {
		g.server.refuse(ctx, overloaded)
		return nil, overloaded
	}
	within := &budget{Context: ctx, until: begin.Add(g.server.Budget)}
	defer within.end()
	return next(within, req) //nolint:contextcheck // a budget is made of ctx
}

// stream turns a stream's panic into an error, and counts its opening as a call.
func (g *guard) stream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = g.server.panicked(stream.Context(), info.FullMethod, v)
		}
	}()
	if info.FullMethod == pb.ExternalScaler_StreamIsActive_FullMethodName && !g.paced(stream.Context(), time.Now()) {
		return hasty
	}
	return next(srv, stream)
}

func (s *Server) panicked(ctx context.Context, full string, v any) error {
	s.metrics.panics.Inc()
	if s.complain.allows(panicked.reason, s.Now()) {
		s.Log.ErrorContext(ctx, "call panicked", "method", full, "panic", v, "stack", string(debug.Stack()))
	}
	return panicked
}

// budget is a context with a deadline that costs a timer only once somebody
// waits for it.
type budget struct {
	context.Context
	until time.Time

	once  sync.Once
	timer context.Context
	stop  context.CancelFunc
}

func (b *budget) start() {
	b.once.Do(func() { b.timer, b.stop = context.WithDeadline(b.Context, b.until) })
}

// Deadline is when the budget is spent, or the caller's own if sooner.
func (b *budget) Deadline() (time.Time, bool) {
	if own, ok := b.Context.Deadline(); ok && own.Before(b.until) {
		return own, true
	}
	return b.until, true
}

// Done is closed when the budget is spent, the caller has gone or the call has
// ended.
func (b *budget) Done() <-chan struct{} {
	b.start()
	if b.timer == nil {
		over := make(chan struct{})
		close(over)
		return over
	}
	return b.timer.Done()
}

// Err is why Done is closed.
func (b *budget) Err() error {
	b.start()
	if b.timer == nil {
		return context.Canceled
	}
	return b.timer.Err()
}

// end frees the timer; without one, none is made any more.
func (b *budget) end() {
	b.once.Do(func() {})
	if b.stop != nil {
		b.stop()
	}
}
