package keda

import (
	"context"
	"runtime/debug"
	"time"

	pb "github.com/kedacore/keda/v2/pkg/scalers/externalscaler"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
)

// timed are the calls that are measured, by full name.
func timed() map[string]string {
	return map[string]string{
		pb.ExternalScaler_GetMetricSpec_FullMethodName: "GetMetricSpec",
		pb.ExternalScaler_GetMetrics_FullMethodName:    "GetMetrics",
		pb.ExternalScaler_IsActive_FullMethodName:      "IsActive",
	}
}

// measure times every call by method and code.
func (s *Server) measure(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	begin := time.Now()
	answer, err := next(ctx, req)
	s.metrics.observe(info.FullMethod, status.Code(err), time.Since(begin))
	return answer, err
}

// recoverCall makes an error of a panic, so that one request's fault is not
// every workload's.
func (s *Server) recoverCall(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (answer any, err error) {
	defer func() {
		if v := recover(); v != nil {
			answer, err = nil, s.panicked(ctx, info.FullMethod, v)
		}
	}()
	return next(ctx, req)
}

// recoverStream is recoverCall for streams.
func (s *Server) recoverStream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = s.panicked(stream.Context(), info.FullMethod, v)
		}
	}()
	return next(srv, stream)
}

func (s *Server) panicked(ctx context.Context, full string, v any) error {
	s.metrics.panics.Inc()
	if s.complain.allows(panicked.reason, s.Now()) {
		s.Log.ErrorContext(ctx, "call panicked", "method", full, "panic", v, "stack", string(debug.Stack()))
	}
	return panicked
}

// atMost refuses calls beyond n at a time rather than let them pile up: what
// cannot be answered within the budget is better asked again. The constant
// specification is never refused, nor is the question whether we are alive.
func atMost(n int, s *Server) grpc.UnaryServerInterceptor {
	slots := make(chan struct{}, n)
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		switch info.FullMethod {
		case pb.ExternalScaler_GetMetrics_FullMethodName, pb.ExternalScaler_IsActive_FullMethodName:
		default:
			return next(ctx, req)
		}
		select {
		case slots <- struct{}{}:
			defer func() { <-slots }()
			return next(ctx, req)
		default:
			s.refuse(ctx, overloaded)
			return nil, overloaded
		}
	}
}

// within gives every call a deadline. KEDA sets none, and one call that hangs
// holds up a reconcile worker for good.
func within(budget time.Duration) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		ctx, cancel := context.WithTimeout(ctx, budget)
		defer cancel()
		return next(ctx, req)
	}
}
