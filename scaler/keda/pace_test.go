package keda_test

import (
	"context"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	pb "github.com/kedacore/keda/v2/pkg/scalers/externalscaler"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/kedastral/kedastral/scaler/keda"
	"github.com/kedastral/kedastral/shared/forecast"
	"github.com/kedastral/kedastral/shared/ratelimit"
)

// An address that asks without end is refused, but for the specification and
// for whether we live; another address is answered as before.
func TestAFloodSlowsNobodyElse(t *testing.T) {
	reg := prometheus.NewRegistry()
	s, err := keda.New(reading{forecast.ReaderFunc(good)}, reg, keda.Options{
		Namespace: "shop", LeadTime: time.Minute, StaleAfter: time.Minute, Size: 10, PushInterval: time.Second, Budget: time.Second,
		Now: time.Now, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	pace, err := ratelimit.New(1)
	if err != nil {
		t.Fatal(err)
	}
	w := transport(t, keda.Transport{Server: s, MaxInFlight: 100, Grace: time.Second, Pace: pace})
	answered := 0
	for range 200 {
		_, err := w.IsActive(t.Context(), ref("web"))
		switch {
		case err == nil:
			answered++
		case status.Code(err) != codes.ResourceExhausted || !strings.Contains(err.Error(), "RATE_LIMIT"):
			t.Fatalf("IsActive() = %v; want that this client asks too often", err)
		}
	}
	if answered < 10 || answered > 15 { // ten at once, and what seconds the loop takes
		t.Errorf("%d of 200 were answered; want ten seconds' worth", answered)
	}
	if _, err := w.GetMetrics(t.Context(), &pb.GetMetricsRequest{ScaledObjectRef: ref("web")}); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("GetMetrics() = %v; want ResourceExhausted", err)
	}
	stream, err := w.StreamIsActive(t.Context(), ref("web"))
	if err == nil {
		_, err = stream.Recv()
	}
	if status.Code(err) != codes.ResourceExhausted {
		t.Errorf("StreamIsActive() = %v; want ResourceExhausted", err)
	}
	if _, err := w.GetMetricSpec(t.Context(), ref("web")); err != nil {
		t.Errorf("GetMetricSpec() = %v; want it answered always", err)
	}
	if _, err := healthpb.NewHealthClient(w.conn).Check(t.Context(), &healthpb.HealthCheckRequest{}); err != nil {
		t.Errorf("health = %v; want it answered always", err)
	}
	other := elsewhere(t, strings.TrimPrefix(w.conn.Target(), "passthrough:"))
	for range 10 {
		if _, err := other.IsActive(t.Context(), ref("web")); err != nil {
			t.Errorf("IsActive() from another address = %v", err)
		}
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "kedastral_scaler_refusals_total" {
			if n := f.GetMetric()[0].GetCounter().GetValue(); n < 185 || f.GetMetric()[0].GetLabel()[0].GetValue() != "rate" {
				t.Errorf("%v; want every refusal for the rate counted", f)
			}
		}
	}
}

// elsewhere asks from another address of the loopback.
func elsewhere(t *testing.T, address string) pb.ExternalScalerClient {
	t.Helper()
	from := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
	conn, err := grpc.NewClient("passthrough:"+address, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, to string) (net.Conn, error) { return from.DialContext(ctx, "tcp", to) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return pb.NewExternalScalerClient(conn)
}
