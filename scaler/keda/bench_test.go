package keda_test

import (
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	pb "github.com/kedacore/keda/v2/pkg/scalers/externalscaler"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/kedastral/kedastral/scaler/cache"
	"github.com/kedastral/kedastral/scaler/keda"
	"github.com/kedastral/kedastral/shared/forecast"
	"github.com/kedastral/kedastral/shared/ratelimit"
	"github.com/kedastral/kedastral/shared/tlsconfig/tlstest"
)

// warm is a server over a real cache that holds the workload.
func warm(b *testing.B, workload string) *keda.Server {
	b.Helper()
	source := forecast.ReaderFunc(func(_ context.Context, workload string) (forecast.Snapshot, error) {
		s := plan(workload, time.Now(), slices.Repeat([]int{3, 4, 5}, 20)...)
		s.Received = time.Now()
		return s, nil
	})
	reg := prometheus.NewRegistry()
	c, err := cache.New(source, cache.NewMetrics(reg), cache.Options{
		Size: 10_000, Interval: 15 * time.Second, Retry: 5 * time.Second, Wait: time.Second, Idle: 10 * time.Minute, Concurrency: 16,
		Usable: func(s forecast.Snapshot) bool { return keda.Usable(s, time.Now(), 10*time.Minute) },
	})
	if err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = c.Run(ctx) }()
	b.Cleanup(func() { stop(); <-done })
	if _, err := c.Latest(ctx, workload); err != nil {
		b.Fatal(err)
	}
	s, err := keda.New(c, reg, keda.Options{
		Namespace: "shop", LeadTime: 5 * time.Minute, StaleAfter: 10 * time.Minute, Size: 20_000,
		PushInterval: time.Second, Budget: 250 * time.Millisecond,
		Now: time.Now, Log: slog.New(slog.NewTextHandler(io.Discard, nil)), //nolint:sloglint // one that is on, as where it is deployed
	})
	if err != nil {
		b.Fatal(err)
	}
	return s
}

func request() *pb.GetMetricsRequest {
	return &pb.GetMetricsRequest{ScaledObjectRef: ref("web", "leadTime", "5m", "workload", "web"), MetricName: keda.MetricName}
}

// BenchmarkGetMetrics is the handler alone, over a real cache.
func BenchmarkGetMetrics(b *testing.B) {
	s, req := warm(b, "shop/web"), request()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.GetMetrics(b.Context(), req); err != nil {
			b.Fatal(err)
		}
	}
}

// echo answers the same message as a scaler would, and does nothing for it.
type echo struct {
	pb.UnimplementedExternalScalerServer
	answer *pb.GetMetricsResponse
}

func (e echo) GetMetrics(context.Context, *pb.GetMetricsRequest) (*pb.GetMetricsResponse, error) {
	return e.answer, nil
}

// BenchmarkAgainstEcho calls the scaler, with all its interceptors, its log, its
// metrics and its rate limit, and a bare gRPC server that answers a constant,
// over a loopback connection each, in turns so that both see the same machine:
// in plain text, and with both ends showing certificates. It reports the medians
// over the rounds of the ratios of their rates and of their 99th percentiles,
// and the scaler's own.
func BenchmarkAgainstEcho(b *testing.B) {
	b.Run("plain", func(b *testing.B) { against(b, nil, insecure.NewCredentials()) })
	ca := tlstest.NewAuthority(b, "bench", time.Hour)
	server := &tls.Config{
		Certificates: []tls.Certificate{ca.Certificate(b, tlstest.Server("localhost"))},
		ClientCAs:    ca.Pool(), ClientAuth: tls.RequireAndVerifyClientCert, NextProtos: []string{"h2"}, MinVersion: tls.VersionTLS13,
	}
	client := &tls.Config{
		Certificates: []tls.Certificate{ca.Certificate(b, tlstest.Client("keda"))},
		RootCAs:      ca.Pool(), ServerName: "localhost", MinVersion: tls.VersionTLS13,
	}
	b.Run("mtls", func(b *testing.B) { against(b, server, credentials.NewTLS(client)) })
}

func against(b *testing.B, secure *tls.Config, dial credentials.TransportCredentials) {
	const rounds, callers, perRound = 60, 16, 1600
	ours, bare := scalerAt(b, warm(b, "shop/web"), secure, dial), bareEcho(b, secure, dial)
	turn(b, ours, callers, perRound) // both connections are made and warm
	turn(b, bare, callers, perRound)
	var ratios, rates, tails, p99s []float64
	for b.Loop() {
		for round := range rounds {
			var a, e pace
			if round%2 == 0 { // neither is always first
				a, e = turn(b, ours, callers, perRound), turn(b, bare, callers, perRound)
			} else {
				e, a = turn(b, bare, callers, perRound), turn(b, ours, callers, perRound)
			}
			ratios, rates = append(ratios, a.rate/e.rate), append(rates, a.rate)
			tails, p99s = append(tails, a.p99/e.p99), append(p99s, a.p99)
		}
	}
	b.ReportMetric(median(ratios), "ratio-to-echo")
	b.ReportMetric(median(rates), "calls/s")
	b.ReportMetric(median(tails), "p99-ratio-to-echo")
	b.ReportMetric(1000*median(p99s), "p99-ms")
	b.ReportMetric(0, "ns/op") // of a whole comparison; says nothing
}

func median(all []float64) float64 {
	slices.Sort(all)
	return all[len(all)/2]
}

// pace is what a turn came to: calls a second, and seconds that one call in a
// hundred took longer than.
type pace struct{ rate, p99 float64 }

// turn makes calls calls from callers at a time.
func turn(b *testing.B, c pb.ExternalScalerClient, callers, calls int) pace {
	b.Helper()
	var all sync.WaitGroup
	took := make([]float64, calls/callers*callers)
	begin := time.Now()
	for caller := range callers {
		all.Go(func() {
			req := request()
			for i := caller; i < len(took); i += callers {
				sent := time.Now()
				if _, err := c.GetMetrics(context.Background(), req); err != nil {
					b.Error(err)
					return
				}
				took[i] = time.Since(sent).Seconds()
			}
		})
	}
	all.Wait()
	rate := float64(calls) / time.Since(begin).Seconds()
	slices.Sort(took)
	return pace{rate, took[len(took)*99/100]}
}

// scalerAt is a client of the scaler on a loopback connection.
func scalerAt(b *testing.B, s *keda.Server, secure *tls.Config, dial credentials.TransportCredentials) pb.ExternalScalerClient {
	b.Helper()
	pace, err := ratelimit.New(1e9) // counts every call and refuses none
	if err != nil {
		b.Fatal(err)
	}
	return connected(b, dial, func(ctx context.Context, l net.Listener) {
		_ = keda.Transport{Server: s, TLS: secure, MaxInFlight: 1024, Pace: pace, Grace: time.Second}.Serve(ctx, l)
	})
}

func bareEcho(b *testing.B, secure *tls.Config, dial credentials.TransportCredentials) pb.ExternalScalerClient {
	b.Helper()
	var options []grpc.ServerOption
	if secure != nil {
		options = append(options, grpc.Creds(credentials.NewTLS(secure)))
	}
	s := grpc.NewServer(options...)
	pb.RegisterExternalScalerServer(s, echo{answer: &pb.GetMetricsResponse{
		MetricValues: []*pb.MetricValue{{MetricName: keda.MetricName, MetricValue: 5, MetricValueFloat: 5}},
	}})
	return connected(b, dial, func(ctx context.Context, l net.Listener) {
		defer context.AfterFunc(ctx, s.Stop)()
		_ = s.Serve(l)
	})
}

// connected is a client of what serves until the benchmark ends.
func connected(b *testing.B, dial credentials.TransportCredentials, serve func(context.Context, net.Listener)) pb.ExternalScalerClient {
	b.Helper()
	l, err := (&net.ListenConfig{}).Listen(b.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan struct{})
	go func() { defer close(served); serve(ctx, l) }()
	conn, err := grpc.NewClient("passthrough:"+l.Addr().String(), grpc.WithTransportCredentials(dial))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = conn.Close(); stop(); <-served })
	return pb.NewExternalScalerClient(conn)
}
