package keda

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"time"

	pb "github.com/kedacore/keda/v2/pkg/scalers/externalscaler"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"

	"github.com/kedastral/kedastral/shared/ratelimit"
)

// What a peer may cost. KEDA's requests are some hundred bytes and its streams
// one per push trigger.
const (
	maxMessage    = 64 << 10
	maxHeaders    = 16 << 10
	maxConcurrent = 256
	maxAge        = 5 * time.Minute // so that KEDA's one connection finds new replicas
	ageGrace      = 30 * time.Second
)

// Transport is how the service meets the network.
type Transport struct {
	Server      *Server
	TLS         *tls.Config      // nil for plain text
	MaxInFlight int              // calls at a time; more are refused
	Pace        *ratelimit.Peers // how often an address may ask for a number; nil is without limit
	Grace       time.Duration    // how long calls and streams may take to end
}

// Serve answers calls on l until ctx ends, then lets calls and streams end for
// up to Grace before it cuts them off. It returns when nothing runs any more.
func (t Transport) Serve(ctx context.Context, l net.Listener) error {
	alive := health.NewServer()
	server := grpc.NewServer(t.options()...)
	pb.RegisterExternalScalerServer(server, t.Server)
	healthpb.RegisterHealthServer(server, alive)

	served := make(chan error, 1)
	go func() { served <- server.Serve(born{l}) }()
	select {
	case err := <-served:
		return fmt.Errorf("serving gRPC on %s: %w", l.Addr(), err)
	case <-ctx.Done():
	}
	alive.Shutdown()
	cut := time.AfterFunc(t.Grace, server.Stop)
	defer cut.Stop()
	t.Server.Drain() // or GracefulStop would wait for the open streams for ever
	server.GracefulStop()
	return <-served
}

// options are the limits and the interceptors.
func (t Transport) options() []grpc.ServerOption {
	g := &guard{server: t.Server, most: int64(t.MaxInFlight), pace: t.Pace}
	o := []grpc.ServerOption{
		grpc.MaxRecvMsgSize(maxMessage),
		grpc.MaxHeaderListSize(maxHeaders),
		grpc.MaxConcurrentStreams(maxConcurrent),
		grpc.ConnectionTimeout(10 * time.Second),
		grpc.KeepaliveParams(keepalive.ServerParameters{
			Time: 30 * time.Second, Timeout: 10 * time.Second,
			MaxConnectionAge: maxAge, MaxConnectionAgeGrace: ageGrace,
		}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{
			MinTime: 10 * time.Second, PermitWithoutStream: true,
		}),
		grpc.UnaryInterceptor(g.call),
		grpc.StreamInterceptor(g.stream),
	}
	secure := insecure.NewCredentials()
	if t.TLS != nil {
		secure = credentials.NewTLS(t.TLS)
	}
	return append(o, grpc.Creds(watchful{secure}))
}
