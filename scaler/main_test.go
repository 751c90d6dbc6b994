package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	pb "github.com/kedacore/keda/v2/pkg/scalers/externalscaler"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/kedastral/kedastral/shared/env"
	"github.com/kedastral/kedastral/shared/forecast"
)

// forecaster is a fake one: it answers for shop/web what it is told to.
type forecaster struct {
	*httptest.Server
	down    atomic.Bool  // breaks every connection
	hung    atomic.Bool  // never answers
	replica atomic.Int64 // its plan, flat
	asked   atomic.Int64
}

func newForecaster(t *testing.T) *forecaster {
	t.Helper()
	f := &forecaster{}
	f.replica.Store(7)
	f.Server = httptest.NewServer(http.HandlerFunc(f.answer))
	t.Cleanup(f.Close)
	return f
}

func (f *forecaster) answer(w http.ResponseWriter, r *http.Request) {
	f.asked.Add(1)
	switch workload := r.FormValue("workload"); {
	case f.down.Load():
		panic(http.ErrAbortHandler)
	case f.hung.Load():
		<-r.Context().Done()
	case workload != "shop/web":
		forecast.ProblemOf(forecast.ErrNotFound).Write(w)
	default:
		counts := slices.Repeat([]int{int(f.replica.Load())}, 60)
		s := forecast.Snapshot{
			Workload: workload, Metric: "rps", Model: "naive", Mode: forecast.Predictive,
			GeneratedAt: time.Now().UTC().Truncate(time.Second), IntervalSeconds: 2, StepSeconds: 1, HorizonSeconds: 60,
			Values: make([]float64, 60), DesiredReplicas: counts,
		}
		body, err := forecast.Encode(s)
		if err != nil {
			panic(err)
		}
		w.Header().Set("ETag", forecast.ETag(body))
		w.Header().Set("Age", strconv.Itoa(0))
		_, _ = w.Write(body)
	}
}

// process is a scaler in this process.
type process struct {
	pb.ExternalScalerClient
	conn  *grpc.ClientConn
	http  string
	stop  context.CancelFunc
	ended chan error
}

// launch starts the scaler and waits until it listens.
func launch(t *testing.T, vars env.Vars) *process {
	t.Helper()
	defaults := env.Vars{
		"NAMESPACE": "shop", "GRPC_ADDR": "127.0.0.1:0", "HTTP_ADDR": "127.0.0.1:0",
		"LOG_FORMAT": "json", "REFRESH_INTERVAL": "1s", "FORECASTER_AUTH": "none",
	}
	maps.Copy(defaults, vars)
	ctx, stop := context.WithCancel(context.Background())
	read, write := io.Pipe()
	p := &process{stop: stop, ended: make(chan error, 1)}
	go func() {
		err := run(ctx, defaults, write)
		write.CloseWithError(io.EOF)
		p.ended <- err
		close(p.ended)
	}()
	lines := bufio.NewScanner(read)
	var first struct{ Msg, GRPC, HTTP string }
	if !lines.Scan() || json.Unmarshal(lines.Bytes(), &first) != nil || first.Msg != "listening" {
		stop()
		t.Fatalf("first line %q, ended with %v; want it to say where it listens", lines.Text(), <-p.ended)
	}
	go func() { _, _ = io.Copy(io.Discard, read) }()
	var err error
	if p.conn, err = grpc.NewClient("passthrough:"+first.GRPC, grpc.WithTransportCredentials(insecure.NewCredentials())); err != nil {
		t.Fatal(err)
	}
	p.http, p.ExternalScalerClient = "http://"+first.HTTP, pb.NewExternalScalerClient(p.conn)
	t.Cleanup(func() {
		_ = p.conn.Close()
		stop()
		if err := <-p.ended; err != nil {
			t.Errorf("run() = %v; want nil", err)
		}
	})
	return p
}

func ref(metadata ...string) *pb.ScaledObjectRef {
	r := &pb.ScaledObjectRef{Namespace: "shop", Name: "web", ScalerMetadata: map[string]string{"scalerAddress": "x:50051"}}
	for i := 0; i < len(metadata); i += 2 {
		r.ScalerMetadata[metadata[i]] = metadata[i+1]
	}
	return r
}

func (p *process) ask(t *testing.T, r *pb.ScaledObjectRef) (int64, error) {
	t.Helper()
	got, err := p.GetMetrics(t.Context(), &pb.GetMetricsRequest{ScaledObjectRef: r})
	if err != nil {
		return 0, err
	}
	return got.GetMetricValues()[0].GetMetricValue(), nil
}

// eventually waits for the answer to become what is wanted.
func (p *process) eventually(t *testing.T, want int64, code codes.Code) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		got, err := p.ask(t, ref("leadTime", "2s"))
		if got == want && status.Code(err) == code {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("GetMetrics() = %d, %v; want %d, %v within 10s", got, err, want, code)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func (p *process) get(t *testing.T, path string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.http+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// TestRun is a scaler's life: it answers, follows the plan, holds it while the
// forecaster is gone or hung, says so when that has lasted too long, and
// recovers when it is back.
func TestRun(t *testing.T) {
	f := newForecaster(t)
	p := launch(t, env.Vars{"FORECASTER_URL": f.URL, "STALE_AFTER": "7s", "FETCH_TIMEOUT": "500ms"})
	if got, err := p.ask(t, ref()); err != nil || got != 7 {
		t.Errorf("the first question: %d, %v; want 7", got, err)
	}
	f.replica.Store(4)
	p.eventually(t, 4, codes.OK)

	f.hung.Store(true)
	time.Sleep(5 * time.Second)
	began := time.Now()
	if got, err := p.ask(t, ref("leadTime", "2s")); err != nil || got != 4 || time.Since(began) > 250*time.Millisecond {
		t.Errorf("while the forecaster hangs: %d, %v after %v; want 4 at once", got, err, time.Since(began))
	}
	if _, body := p.get(t, "/status"); !strings.Contains(body, `"state":"held"`) {
		t.Errorf("/status = %s; want held", body)
	}
	p.eventually(t, 0, codes.Unavailable)
	if code, body := p.get(t, "/readyz"); code != http.StatusOK {
		t.Errorf("/readyz = %d %s; want ready, whatever the forecaster does", code, body)
	}
	if got, err := p.ask(t, ref("leadTime", "2s", "fallbackReplicas", "5")); err != nil || got != 5 {
		t.Errorf("stale with a fallback: %d, %v; want 5", got, err)
	}
	spec, err := p.GetMetricSpec(t.Context(), ref())
	if err != nil || spec.GetMetricSpecs()[0].GetTargetSize() != 1 {
		t.Errorf("GetMetricSpec() while stale = %v, %v; want the constant", spec, err)
	}

	f.hung.Store(false)
	f.replica.Store(3)
	p.eventually(t, 3, codes.OK)
}

func TestRunWithoutForecaster(t *testing.T) {
	f := newForecaster(t)
	f.down.Store(true)
	p := launch(t, env.Vars{"FORECASTER_URL": f.URL})
	if _, err := p.ask(t, ref()); status.Code(err) != codes.Unavailable {
		t.Errorf("GetMetrics() = %v; want Unavailable", err)
	}
	health, err := healthpb.NewHealthClient(p.conn).Check(t.Context(), &healthpb.HealthCheckRequest{})
	if err != nil || health.GetStatus() != healthpb.HealthCheckResponse_SERVING {
		t.Errorf("health = %v, %v; want SERVING", health, err)
	}
	f.down.Store(false)
	p.eventually(t, 7, codes.OK)
}

// TestRunFailsOver starts with two forecasters and takes the first away.
func TestRunFailsOver(t *testing.T) {
	first, second := newForecaster(t), newForecaster(t)
	p := launch(t, env.Vars{"FORECASTER_URL": first.URL + "," + second.URL})
	p.eventually(t, 7, codes.OK)
	first.Close()
	second.replica.Store(9)
	p.eventually(t, 9, codes.OK)
}

func TestRunPages(t *testing.T) {
	f := newForecaster(t)
	p := launch(t, env.Vars{"FORECASTER_URL": f.URL})
	p.eventually(t, 7, codes.OK)
	_, _ = p.ask(t, &pb.ScaledObjectRef{Namespace: "shop", Name: "nobody"})
	for path, want := range map[string]string{
		"/healthz": `"ok"`,
		"/readyz":  `"ok"`,
		"/status":  `"workload":"shop/web","state":"fresh"`,
		"/metrics": `kedastral_scaler_replicas{workload="shop/web"} 7`,
	} {
		if code, body := p.get(t, path); code != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("GET %s = %d %s; want %s", path, code, body, want)
		}
	}
	if _, body := p.get(t, "/metrics"); strings.Contains(body, `"shop/nobody"`) {
		t.Error("a workload that nobody forecasts has series of its own")
	}
	if code, _ := p.get(t, "/nothing"); code != http.StatusNotFound {
		t.Errorf("GET /nothing = %d; want 404", code)
	}
}

func TestRunEndsWithAnOpenStream(t *testing.T) {
	f := newForecaster(t)
	p := launch(t, env.Vars{"FORECASTER_URL": f.URL})
	stream, err := p.StreamIsActive(t.Context(), ref())
	if err != nil {
		t.Fatal(err)
	}
	if r, err := stream.Recv(); err != nil || !r.GetResult() {
		t.Errorf("Recv() = %v, %v; want true on open", r, err)
	}
	began := time.Now()
	p.stop()
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("the stream ended with %v; want EOF", err)
	}
	if err := <-p.ended; err != nil || time.Since(began) > 5*time.Second {
		t.Errorf("run() = %v after %v; want nil, soon", err, time.Since(began))
	}
}

func TestRunRefusesABusyPort(t *testing.T) {
	taken, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, name := range []string{"GRPC_ADDR", "HTTP_ADDR"} {
		vars := env.Vars{
			"NAMESPACE": "shop", "FORECASTER_URL": "http://f:8081", "FORECASTER_AUTH": "none",
			"GRPC_ADDR": "127.0.0.1:0", "HTTP_ADDR": "127.0.0.1:0",
		}
		vars[name] = taken.Addr().String()
		if err := run(t.Context(), vars, io.Discard); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("run(%s taken) = %v; want an error that names it", name, err)
		}
	}
}
