package keda_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	pb "github.com/kedacore/keda/v2/pkg/scalers/externalscaler"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/kedastral/kedastral/scaler/keda"
	"github.com/kedastral/kedastral/shared/forecast"
)

// wire is a bench behind a real connection.
type wire struct {
	*bench
	pb.ExternalScalerClient
	conn  *grpc.ClientConn
	stop  func()
	ended chan error
}

// reading has a bench ask the given reader in place of its book.
type reading struct{ forecast.ReaderFunc }

func (r reading) Peek(string) (forecast.Snapshot, error) {
	return r.ReaderFunc(context.Background(), "")
}

// serve puts a server on a loopback connection.
func serve(t testing.TB, s *keda.Server, inFlight int) *wire {
	t.Helper()
	return transport(t, keda.Transport{Server: s, MaxInFlight: inFlight, Grace: time.Second})
}

func transport(t testing.TB, how keda.Transport) *wire {
	t.Helper()
	var bind net.ListenConfig
	l, err := bind.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	w := &wire{stop: stop, ended: make(chan error, 1)}
	go func() {
		w.ended <- how.Serve(ctx, l)
		close(w.ended)
	}()
	w.conn, err = grpc.NewClient("passthrough:"+l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	w.ExternalScalerClient = pb.NewExternalScalerClient(w.conn)
	t.Cleanup(func() {
		_ = w.conn.Close()
		stop()
		if err := <-w.ended; err != nil {
			t.Errorf("Serve() = %v; want nil", err)
		}
	})
	return w
}

func wired(t testing.TB, reader forecast.ReaderFunc, inFlight int) (*wire, *prometheus.Registry) {
	t.Helper()
	s, reg := newServer(t, reader)
	return serve(t, s, inFlight), reg
}

func newServer(t testing.TB, reader forecast.ReaderFunc) (*keda.Server, *prometheus.Registry) {
	t.Helper()
	reg := prometheus.NewRegistry()
	s, err := keda.New(reading{reader}, reg, keda.Options{
		Namespace: "shop", LeadTime: 5 * time.Minute, StaleAfter: 10 * time.Minute, Size: 100,
		PushInterval: 20 * time.Millisecond, Budget: 250 * time.Millisecond,
		Now: time.Now, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return s, reg
}

func good(_ context.Context, workload string) (forecast.Snapshot, error) {
	return plan(workload, time.Now(), 3, 4, 5), nil
}

func TestOverTheWire(t *testing.T) {
	w, _ := wired(t, good, 10)
	ctx := t.Context()
	spec, err := w.GetMetricSpec(ctx, ref("web"))
	if err != nil || spec.GetMetricSpecs()[0].GetMetricName() != keda.MetricName {
		t.Errorf("GetMetricSpec() = %v, %v", spec, err)
	}
	got, err := w.GetMetrics(ctx, &pb.GetMetricsRequest{ScaledObjectRef: ref("web"), MetricName: keda.MetricName})
	if err != nil || got.GetMetricValues()[0].GetMetricValue() != 5 {
		t.Errorf("GetMetrics() = %v, %v; want 5", got, err)
	}
	active, err := w.IsActive(ctx, ref("web"))
	if err != nil || !active.GetResult() {
		t.Errorf("IsActive() = %v, %v; want true", active, err)
	}
	if _, err := w.GetMetrics(ctx, &pb.GetMetricsRequest{}); status.Code(err) != codes.InvalidArgument {
		t.Errorf("GetMetrics({}) = %v; want InvalidArgument", err)
	}
	health, err := healthpb.NewHealthClient(w.conn).Check(ctx, &healthpb.HealthCheckRequest{})
	if err != nil || health.GetStatus() != healthpb.HealthCheckResponse_SERVING {
		t.Errorf("health = %v, %v; want SERVING", health, err)
	}
	specs, err := w.StreamMetricSpec(ctx, ref("web"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := specs.Recv(); status.Code(err) != codes.Unimplemented {
		t.Errorf("StreamMetricSpec() = %v; want Unimplemented, the clean way not to push", err)
	}
	reflection := "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
	if err := w.conn.Invoke(ctx, reflection, &pb.ScaledObjectRef{}, &pb.ScaledObjectRef{}); status.Code(err) != codes.Unimplemented {
		t.Errorf("reflection answers %v; want Unimplemented", err)
	}
}

func TestDrainWithAnOpenStream(t *testing.T) {
	w, _ := wired(t, good, 10)
	stream, err := w.StreamIsActive(t.Context(), ref("web"))
	if err != nil {
		t.Fatal(err)
	}
	if r, err := stream.Recv(); err != nil || !r.GetResult() {
		t.Fatalf("Recv() = %v, %v; want the state on open", r, err)
	}
	began := time.Now()
	w.stop()
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("the stream ended with %v; want EOF, after which KEDA comes back at once", err)
	}
	if err := <-w.ended; err != nil || time.Since(began) > 900*time.Millisecond {
		t.Errorf("Serve() = %v after %v; want nil before the grace is over", err, time.Since(began))
	}
}

// TestDrainCutsOffWhatDoesNotEnd holds a call past the grace.
func TestDrainCutsOffWhatDoesNotEnd(t *testing.T) {
	release := make(chan struct{})
	w, _ := wired(t, func(ctx context.Context, workload string) (forecast.Snapshot, error) {
		<-release // deaf to its context
		return good(ctx, workload)
	}, 10)
	go func() { _, _ = w.IsActive(context.Background(), ref("web")) }()
	time.Sleep(50 * time.Millisecond)
	began := time.Now()
	w.stop()
	time.AfterFunc(1500*time.Millisecond, func() { close(release) })
	if err := <-w.ended; err != nil || time.Since(began) < 900*time.Millisecond {
		t.Errorf("Serve() = %v after %v; want nil after the grace", err, time.Since(began))
	}
}

func TestCallsKeepTheirBudget(t *testing.T) {
	w, _ := wired(t, func(ctx context.Context, _ string) (forecast.Snapshot, error) {
		<-ctx.Done() // everything behind is hung
		return forecast.Snapshot{}, ctx.Err()
	}, 10)
	began := time.Now()
	_, err := w.GetMetrics(t.Context(), &pb.GetMetricsRequest{ScaledObjectRef: ref("web")}) // no deadline, as KEDA
	if took := time.Since(began); status.Code(err) != codes.Unavailable || took > 600*time.Millisecond {
		t.Errorf("GetMetrics() = %v after %v; want Unavailable after 250ms", err, took)
	}
}

func TestPanicsStayInTheirCall(t *testing.T) {
	w, reg := wired(t, func(ctx context.Context, workload string) (forecast.Snapshot, error) {
		if workload == "shop/bad" {
			panic("secret detail")
		}
		return good(ctx, workload)
	}, 10)
	_, err := w.IsActive(t.Context(), ref("bad"))
	if status.Code(err) != codes.Internal || strings.Contains(err.Error(), "secret") {
		t.Errorf("IsActive(bad) = %v; want Internal without the detail", err)
	}
	if _, err := w.IsActive(t.Context(), ref("web")); err != nil {
		t.Errorf("IsActive(web) = %v; want an answer", err)
	}
	stream, err := w.StreamIsActive(t.Context(), ref("bad"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); status.Code(err) != codes.Internal {
		t.Errorf("StreamIsActive(bad) = %v; want Internal", err)
	}
	if n := counted(t, reg, "kedastral_scaler_panics_total"); n != 2 {
		t.Errorf("%v panics counted; want 2", n)
	}
}

func TestCallsInFlightAreBounded(t *testing.T) {
	w, _ := wired(t, func(ctx context.Context, _ string) (forecast.Snapshot, error) {
		<-ctx.Done()
		return forecast.Snapshot{}, ctx.Err()
	}, 2)
	var mu sync.Mutex
	codesSeen := map[codes.Code]int{}
	var callers sync.WaitGroup
	for range 20 {
		callers.Go(func() {
			_, err := w.IsActive(t.Context(), ref("web"))
			mu.Lock()
			defer mu.Unlock()
			codesSeen[status.Code(err)]++
		})
	}
	time.Sleep(50 * time.Millisecond)
	if _, err := w.GetMetricSpec(t.Context(), ref("web")); err != nil {
		t.Errorf("GetMetricSpec() under overload = %v; want the constant", err)
	}
	callers.Wait()
	if codesSeen[codes.Unavailable] != 2 || codesSeen[codes.ResourceExhausted] != 18 {
		t.Errorf("answers by code: %v; want 2 Unavailable and 18 ResourceExhausted", codesSeen)
	}
}

func TestHostileRequests(t *testing.T) {
	w, _ := wired(t, good, 10)
	huge := ref("web", "comment", strings.Repeat("x", 4<<20))
	if _, err := w.IsActive(t.Context(), huge); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("IsActive(4 MB field) = %v; want ResourceExhausted", status.Code(err))
	}
	crowd := ref("web", many(10_000)...)
	if _, err := w.IsActive(t.Context(), crowd); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("IsActive(10,000 keys) = %v; want ResourceExhausted", status.Code(err))
	}
	raw, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(w.conn.Target(), "passthrough:"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = raw.Close() }()
	_, _ = raw.Write([]byte("GET / HTTP/1.1\r\n\r\n"))
	if _, err := w.IsActive(t.Context(), ref("web")); err != nil {
		t.Errorf("IsActive(web) after all that = %v; want an answer", err)
	}
}

func TestCallsAreMeasuredByMethodAndCode(t *testing.T) {
	w, reg := wired(t, good, 10)
	_, _ = w.IsActive(t.Context(), ref("web"))
	_, _ = w.IsActive(t.Context(), &pb.ScaledObjectRef{Namespace: "bank"})
	_, _ = w.GetMetricSpec(t.Context(), nil)
	_ = w.conn.Invoke(t.Context(), "/made.Up/Method", &pb.ScaledObjectRef{}, &pb.ScaledObjectRef{})
	want := map[string]uint64{
		"GetMetricSpec/OK": 1, "GetMetrics/OK": 0, "IsActive/OK": 1, "IsActive/PermissionDenied": 1,
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != "kedastral_scaler_grpc_request_duration_seconds" {
			continue
		}
		for _, m := range f.GetMetric() {
			key := m.GetLabel()[1].GetValue() + "/" + m.GetLabel()[0].GetValue()
			n, known := want[key]
			if !known || m.GetHistogram().GetSampleCount() != n {
				t.Errorf("%s measured %d times; want %d", key, m.GetHistogram().GetSampleCount(), n)
			}
			delete(want, key)
		}
	}
	if len(want) > 0 {
		t.Errorf("not measured: %v", want)
	}
	if problems, err := testutil.GatherAndLint(reg); err != nil || len(problems) > 0 {
		t.Errorf("lint: %v, %v", problems, err)
	}
}

func counted(t *testing.T, reg *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetCounter().GetValue()
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}
