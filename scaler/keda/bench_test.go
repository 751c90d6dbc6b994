package keda_test

import (
	"context"
	"log/slog"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	pb "github.com/kedacore/keda/v2/pkg/scalers/externalscaler"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/kedastral/kedastral/scaler/cache"
	"github.com/kedastral/kedastral/scaler/keda"
	"github.com/kedastral/kedastral/shared/forecast"
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
		Now: time.Now, Log: slog.New(slog.DiscardHandler),
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

// BenchmarkAgainstEcho calls the scaler, with all its interceptors, and a bare
// gRPC server that answers a constant, over a loopback connection each, in
// turns so that both see the same machine. It reports the median over the
// rounds of the ratio of their rates, and the scaler's calls per second.
func BenchmarkAgainstEcho(b *testing.B) {
	const rounds, callers, perRound = 60, 16, 1600
	ours := serve(b, warm(b, "shop/web"), 1024)
	bare := bareEcho(b)
	turn(b, ours, callers, perRound) // both connections are made and warm
	turn(b, bare, callers, perRound)
	var ratios, rates []float64
	for b.Loop() {
		for round := range rounds {
			var a, e float64
			if round%2 == 0 { // neither is always first
				a, e = turn(b, ours, callers, perRound), turn(b, bare, callers, perRound)
			} else {
				e, a = turn(b, bare, callers, perRound), turn(b, ours, callers, perRound)
			}
			ratios, rates = append(ratios, a/e), append(rates, a)
		}
	}
	slices.Sort(ratios)
	slices.Sort(rates)
	b.ReportMetric(ratios[len(ratios)/2], "ratio-to-echo")
	b.ReportMetric(rates[len(rates)/2], "calls/s")
	b.ReportMetric(0, "ns/op") // of a whole comparison; says nothing
}

// turn makes calls calls from callers at a time and is the calls per second.
func turn(b *testing.B, c pb.ExternalScalerClient, callers, calls int) float64 {
	b.Helper()
	var all sync.WaitGroup
	begin := time.Now()
	for range callers {
		all.Go(func() {
			req := request()
			for range calls / callers {
				if _, err := c.GetMetrics(context.Background(), req); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	return float64(calls) / time.Since(begin).Seconds()
}

func bareEcho(b *testing.B) pb.ExternalScalerClient {
	b.Helper()
	l, err := (&net.ListenConfig{}).Listen(b.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	s := grpc.NewServer()
	pb.RegisterExternalScalerServer(s, echo{answer: &pb.GetMetricsResponse{
		MetricValues: []*pb.MetricValue{{MetricName: keda.MetricName, MetricValue: 5, MetricValueFloat: 5}},
	}})
	go func() { _ = s.Serve(l) }()
	conn, err := grpc.NewClient("passthrough:"+l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = conn.Close(); s.Stop() })
	return pb.NewExternalScalerClient(conn)
}
