package keda

import (
	"context"
	"time"

	pb "github.com/kedacore/keda/v2/pkg/scalers/externalscaler"
	"google.golang.org/grpc"
)

// maxStreams leaves at least half of a connection's streams to calls: KEDA puts
// everything it asks a scaler on one connection, and a stream stays open.
const maxStreams = maxConcurrent / 2

// StreamIsActive sends whether the workload is active, at once and then on each
// change: every message costs KEDA an API call. While that is not known nothing
// is sent, for false would be taken at its word. The stream ends without an
// error when the server drains and before the connection reaches its age limit,
// because after an error KEDA waits ever longer before it comes back.
func (s *Server) StreamIsActive(ref *pb.ScaledObjectRef, stream grpc.ServerStreamingServer[pb.IsActiveResponse]) error {
	defer s.streams.Add(-1)
	if s.streams.Add(1) > maxStreams {
		s.refuse(stream.Context(), crowded)
		return crowded
	}
	if _, why := s.target(ref); why != nil {
		s.refuse(stream.Context(), why, s.named(ref)...)
		return why
	}
	s.metrics.streams.Inc()
	defer s.metrics.streams.Dec()
	end := time.NewTimer(life(stream.Context(), s.Now()))
	defer end.Stop()
	look := time.NewTicker(s.PushInterval)
	defer look.Stop()
	for sent, known := false, false; ; {
		if active, ok := s.isActive(stream.Context(), ref); ok && (!known || active != sent) {
			if err := stream.Send(&pb.IsActiveResponse{Result: active}); err != nil {
				return err
			}
			sent, known = active, true
		}
		select {
		case <-look.C:
		case <-end.C:
			return nil
		case <-s.draining:
			return nil
		case <-stream.Context().Done():
			return nil
		}
	}
}

// isActive is IsActive within a call's budget, and whether it is known.
func (s *Server) isActive(ctx context.Context, ref *pb.ScaledObjectRef) (active, known bool) {
	ctx, cancel := context.WithTimeout(ctx, s.Budget)
	defer cancel()
	r, err := s.IsActive(ctx, ref)
	return r.GetResult(), err == nil
}
