package keda_test

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	pb "github.com/kedacore/keda/v2/pkg/scalers/externalscaler"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/kedastral/kedastral/scaler/keda"
	"github.com/kedastral/kedastral/shared/forecast"
)

var origin = time.Date(2026, 3, 29, 0, 0, 0, 0, time.UTC)

// book is a reader of what is written in it.
type book struct {
	mu        sync.Mutex
	snapshots map[string]forecast.Snapshot
	err       error // of workloads without a snapshot
}

func (b *book) Latest(_ context.Context, workload string) (forecast.Snapshot, error) {
	return b.Peek(workload)
}

func (b *book) Peek(workload string) (forecast.Snapshot, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s, ok := b.snapshots[workload]
	if !ok {
		return s, fmt.Errorf("workload %q: %w", workload, b.err)
	}
	return s, nil
}

func (b *book) write(s forecast.Snapshot) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.snapshots[s.Workload] = s
}

// plan is a snapshot of one-minute steps, renewed each minute.
func plan(workload string, at time.Time, counts ...int) forecast.Snapshot {
	return forecast.Snapshot{
		Workload: workload, GeneratedAt: at, IntervalSeconds: 60, StepSeconds: 60,
		HorizonSeconds: 60 * len(counts), DesiredReplicas: counts, Mode: forecast.Predictive,
	}
}

// bench is a server with everything around it in a test's hands.
type bench struct {
	*keda.Server
	book *book
	reg  *prometheus.Registry
	log  *bytes.Buffer
	now  time.Time
}

func set(t testing.TB, change func(*keda.Options)) *bench {
	t.Helper()
	b := &bench{
		book: &book{snapshots: map[string]forecast.Snapshot{}, err: forecast.ErrNotFound},
		reg:  prometheus.NewPedanticRegistry(), log: &bytes.Buffer{}, now: origin,
	}
	o := keda.Options{
		Namespace: "shop", LeadTime: 5 * time.Minute, StaleAfter: 10 * time.Minute, Size: 100,
		PushInterval: time.Second, Budget: 250 * time.Millisecond,
		Now: func() time.Time { return b.now }, Log: slog.New(slog.NewTextHandler(b.log, nil)),
	}
	if change != nil {
		change(&o)
	}
	var err error
	if b.Server, err = keda.New(b.book, b.reg, o); err != nil {
		t.Fatal(err)
	}
	return b
}

func ref(name string, metadata ...string) *pb.ScaledObjectRef {
	r := &pb.ScaledObjectRef{Namespace: "shop", Name: name, ScalerMetadata: map[string]string{"scalerAddress": "scaler.shop:50051"}}
	for i := 0; i < len(metadata); i += 2 {
		r.ScalerMetadata[metadata[i]] = metadata[i+1]
	}
	return r
}

// ask is GetMetrics' one value, checked to be told in both fields.
func (b *bench) ask(t testing.TB, r *pb.ScaledObjectRef) (int, error) {
	t.Helper()
	got, err := b.GetMetrics(t.Context(), &pb.GetMetricsRequest{ScaledObjectRef: r, MetricName: keda.MetricName})
	if err != nil {
		return 0, err
	}
	v := got.GetMetricValues()
	if len(v) != 1 || v[0].GetMetricName() != keda.MetricName || float64(v[0].GetMetricValue()) != v[0].GetMetricValueFloat() {
		t.Fatalf("GetMetrics() = %v; want one value, the same as integer and as float", v)
	}
	return int(v[0].GetMetricValue()), nil
}

func TestGetMetricsIsTheLeadTimeMaximum(t *testing.T) {
	b := set(t, nil)
	b.book.write(plan("shop/web", origin, 10, 12, 15, 20, 18, 16))
	b.book.write(plan("shop/api", origin, 0, 0, 0, 7))
	for _, tt := range []struct {
		ref  *pb.ScaledObjectRef
		want int
	}{
		{ref("web"), 20},
		{ref("web", "leadTime", "1m"), 10},
		{ref("web", "leadTime", "0s"), 10},
		{ref("web", "leadTime", "1d"), 20},
		{ref("web", "leadTime", ""), 20}, // blank is unset
		{ref("web", "leadTimeFromEnv", "2m"), 12},
		{ref("other", "workload", "api"), 7},
		{ref("other", "workload", "shop/api"), 7},
		{ref("api", "leadTime", "1m"), 0},
	} {
		if got, err := b.ask(t, tt.ref); err != nil || got != tt.want {
			t.Errorf("GetMetrics(%v) = %d, %v; want %d", tt.ref, got, err, tt.want)
		}
	}
}

func TestGetMetricSpecIsConstant(t *testing.T) {
	b := set(t, nil)
	want, err := b.GetMetricSpec(t.Context(), ref("web"))
	if err != nil || len(want.GetMetricSpecs()) != 1 {
		t.Fatalf("GetMetricSpec() = %v, %v; want one", want, err)
	}
	spec := want.GetMetricSpecs()[0]
	if spec.GetMetricName() != "kedastral-desired-replicas" || spec.GetTargetSize() != 1 || spec.GetTargetSizeFloat() != 1 {
		t.Errorf("GetMetricSpec() = %v; want a target of 1 in both fields", spec)
	}
	for _, r := range []*pb.ScaledObjectRef{
		nil, {}, {Namespace: "other", Name: "x"}, ref("unknown"), ref("web", "leadtime", "x"), ref("\x00", "leadTime", "never"),
	} {
		got, err := b.GetMetricSpec(t.Context(), r)
		if err != nil || got.String() != want.String() {
			t.Errorf("GetMetricSpec(%v) = %v, %v; want %v", r, got, err, want)
		}
	}
}

// TestStates is one workload's life while its forecaster is gone: the count may
// rise, never fall, until it is an error; and once the forecaster is back the
// plan is followed again.
func TestStates(t *testing.T) {
	b := set(t, nil)
	b.book.write(plan("shop/web", origin, 8, 6, 4, 2, 2, 2, 2, 9, 2, 2, 2, 2, 2, 2, 2))
	for _, tt := range []struct {
		at   time.Duration
		want int
		code codes.Code
	}{
		{0, 8, codes.OK},
		{1 * time.Minute, 6, codes.OK},             // fresh falls with the plan
		{119 * time.Second, 6, codes.OK},           // to the end
		{2 * time.Minute, 6, codes.OK},             // held no longer does
		{6 * time.Minute, 6, codes.OK},             //
		{7 * time.Minute, 9, codes.OK},             // but rises
		{8 * time.Minute, 9, codes.OK},             // and stays
		{10 * time.Minute, 9, codes.OK},            // to the last instant
		{10*time.Minute + 1, 0, codes.Unavailable}, // stale
		{20 * time.Minute, 0, codes.Unavailable},   // expired
	} {
		b.now = origin.Add(tt.at)
		got, err := b.ask(t, ref("web", "leadTime", "1m"))
		if got != tt.want || status.Code(err) != tt.code {
			t.Errorf("at %v: GetMetrics() = %d, %v; want %d, %v", tt.at, got, err, tt.want, tt.code)
		}
	}
	b.book.write(plan("shop/web", b.now, 1, 1, 1))
	if got, err := b.ask(t, ref("web", "leadTime", "1m")); err != nil || got != 1 {
		t.Errorf("after the forecaster's return: GetMetrics() = %d, %v; want 1", got, err)
	}
}

func TestFallback(t *testing.T) {
	for _, tt := range []struct {
		name     string
		process  int
		metadata []string
		want     int
		code     codes.Code
	}{
		{"none", 0, nil, 0, codes.NotFound},
		{"of the process", 4, nil, 4, codes.OK},
		{"of the trigger", 0, []string{"fallbackReplicas", "6"}, 6, codes.OK},
		{"of the trigger first", 4, []string{"fallbackReplicas", "6"}, 6, codes.OK},
	} {
		b := set(t, func(o *keda.Options) { o.FallbackReplicas = tt.process })
		got, err := b.ask(t, ref("web", tt.metadata...))
		if got != tt.want || status.Code(err) != tt.code {
			t.Errorf("%s: GetMetrics() = %d, %v; want %d, %v", tt.name, got, err, tt.want, tt.code)
		}
		active, err := b.IsActive(t.Context(), ref("web", tt.metadata...))
		if active.GetResult() != (tt.code == codes.OK) || status.Code(err) != tt.code {
			t.Errorf("%s: IsActive() = %v, %v; want true or the same error", tt.name, active, err)
		}
	}
}

func TestIsActive(t *testing.T) {
	b := set(t, nil)
	b.book.write(plan("shop/web", origin, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0))
	for _, tt := range []struct {
		at         time.Duration
		lead, over string
		want       bool
	}{
		{0, "1m", "", false},
		{0, "3m", "", true},
		{0, "3m", "2", true},
		{0, "3m", "3", false}, // more than, not as many as
		{time.Minute, "1m", "", false},
		{119 * time.Second, "1m", "", true}, // the window reaches the third minute
		{3 * time.Minute, "1m", "", true},   // held: as last, though the plan says 0 again
		{9 * time.Minute, "1m", "", true},   //
		{9 * time.Minute, "3m", "3", false}, // as last, too
	} {
		b.now = origin.Add(tt.at)
		r := ref("web", "leadTime", tt.lead, "activationReplicas", tt.over)
		if got, err := b.IsActive(t.Context(), r); err != nil || got.GetResult() != tt.want {
			t.Errorf("at %v, lead %s, over %s: IsActive() = %v, %v; want %v", tt.at, tt.lead, tt.over, got, err, tt.want)
		}
	}
}

// A count that the HPA will cut is told to KEDA as it is, and /status says so.
func TestClampedIsShown(t *testing.T) {
	for most, want := range map[string]bool{"": false, "7": true, "8": false, "100": false} {
		b := set(t, nil)
		b.book.write(plan("shop/web", origin, 8, 8, 8))
		b.now = origin
		if got, err := b.ask(t, ref("web", "maxReplicas", most)); err != nil || got != 8 {
			t.Errorf("maxReplicas %q: %v, %v; want 8 whatever it says", most, got, err)
		}
		if st := b.Status()[0]; st.Clamped != want || strconv.Itoa(st.Most) != cmp.Or(most, "0") {
			t.Errorf("maxReplicas %q: /status says %d, clamped %t; want %t", most, st.Most, st.Clamped, want)
		}
	}
}

func TestStatesAreLoggedOnce(t *testing.T) {
	b := set(t, nil)
	b.book.write(plan("shop/web", origin, 8, 6, 4, 2, 1, 1, 1, 1, 1, 1))
	for at := range 20 * 60 {
		b.now = origin.Add(time.Duration(at) * time.Second)
		_, _ = b.ask(t, ref("web"))
	}
	if n := strings.Count(b.log.String(), "workload changed state"); n != 3 {
		t.Errorf("%d changes logged in twenty minutes; want fresh, held and stale:\n%s", n, b.log)
	}
}

func TestNewReportsEverythingWrong(t *testing.T) {
	_, err := keda.New(&book{}, prometheus.NewRegistry(), keda.Options{LeadTime: -1, FallbackReplicas: -1})
	for _, name := range []string{"namespace", "lead time", "stale after", "fallback replicas", "size", "push interval", "budget", "clock"} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("New(nothing set) = %v; want %s named", err, name)
		}
	}
}

// TestHitPathAllocations is a gate: an answer from memory allocates its own
// message and next to nothing else.
func TestHitPathAllocations(t *testing.T) {
	b := set(t, func(o *keda.Options) { o.Log = slog.New(slog.DiscardHandler) })
	b.book.write(plan("shop/web", origin, 10, 12, 15, 20, 18, 16))
	req := &pb.GetMetricsRequest{ScaledObjectRef: ref("web", "leadTime", "5m", "fallbackReplicas", "3"), MetricName: keda.MetricName}
	n := testing.AllocsPerRun(1000, func() {
		if _, err := b.GetMetrics(t.Context(), req); err != nil {
			t.Fatal(err)
		}
	})
	if n > 4 {
		t.Errorf("%v allocations for an answer from memory; want at most 4", n)
	}
}

// A lead time that no plan reaches is told once: the peak it was set for comes
// into sight later than asked.
func TestLeadTimeBeyondTheHorizonIsTold(t *testing.T) {
	b := set(t, nil) // of five minutes
	b.book.write(plan("shop/long", origin, 1, 2, 3, 4, 5))
	b.book.write(plan("shop/short", origin, 1, 2, 3, 4))
	for range 3 {
		for _, name := range []string{"long", "short"} {
			if _, err := b.ask(t, ref(name)); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := b.ask(t, ref("long", "leadTime", "301s")); err != nil {
			t.Fatal(err)
		}
	}
	var told []string
	for line := range strings.Lines(b.log.String()) {
		if strings.Contains(line, "lead time reaches beyond the plan") {
			told = append(told, line)
		}
	}
	if len(told) != 2 || !strings.Contains(told[0], "scaled_object=short lead_time=5m0s horizon=4m0s") || !strings.Contains(told[1], "scaled_object=long lead_time=5m1s horizon=5m0s") {
		t.Errorf("told %q; want short's and the longer one of long's, once each", told)
	}
}
