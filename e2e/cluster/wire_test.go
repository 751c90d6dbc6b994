//go:build e2e

package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	pb "github.com/kedacore/keda/v2/pkg/scalers/externalscaler"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// wireHost is the Service that a ScaledObject names to be answered by the wire.
const wireHost = "wire.kedastral.svc"

// wire is an external scaler in this process that writes down what KEDA asked,
// when, and what it was told: a busy machine makes KEDA ask late, so what is
// right is computed from when it asked. It passes a question on to the scaler of
// the asking namespace, or answers as the ScaledObject's part says.
type wire struct {
	pb.UnimplementedExternalScalerServer

	mu     sync.Mutex
	parts  map[string]part // by NAMESPACE/NAME of the ScaledObject
	calls  map[string][]call
	behind map[string]pb.ExternalScalerClient // our scalers, by namespace

	open atomic.Int32 // questions for a spec that are not answered yet
}

// part is how the wire plays a scaler towards KEDA. What is nil is answered as
// by a sound scaler that says 1.
type part struct {
	spec    func(context.Context) (*pb.GetMetricSpecResponse, error)
	metrics func(context.Context) (*pb.GetMetricsResponse, error)
	active  func(context.Context) (*pb.IsActiveResponse, error)
}

// call is one question and its answer. A pushed state is a call too.
type call struct {
	method          string
	asked, answered time.Time
	value           float64 // the metric's, or 1 for active
	err             error
}

// openWire serves the wire as a Service of the cluster.
func openWire(ctx context.Context, h *home) (*wire, error) {
	w := &wire{parts: map[string]part{}, calls: map[string][]call{}, behind: map[string]pb.ExternalScalerClient{}}
	listener, err := h.expose(ctx, "wire.kedastral", 50051)
	if err != nil {
		return nil, err
	}
	server := grpc.NewServer()
	pb.RegisterExternalScalerServer(server, w)
	go func() { _ = server.Serve(listener) }()
	return w, nil
}

// between puts the wire between KEDA and the workload's scaler, where this
// process reaches it: not on a cluster, whose pods are out of reach from here.
func (w workload) between() workload {
	if here.local != nil {
		w.Scaler = wireHost
	}
	return w
}

// plays makes the wire answer for the ScaledObject.
func (w *wire) plays(of workload, p part) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.parts[of.oracle()] = p
}

// waiting is how many questions for a spec are not answered yet.
func (w *wire) waiting() int { return int(w.open.Load()) }

// heard are the calls of that method for the ScaledObject, so far.
func (w *wire) heard(of workload, method string) []call {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(w.calls[of.oracle()]), func(c call) bool { return c.method != method })
}

func (w *wire) note(ref *pb.ScaledObjectRef, c call) {
	c.answered = time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	key := ref.GetNamespace() + "/" + ref.GetName()
	w.calls[key] = append(w.calls[key], c)
}

// scaler is who answers: the part, or our scaler of the namespace.
func (w *wire) scaler(ref *pb.ScaledObjectRef) (part, pb.ExternalScalerClient, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if p, ok := w.parts[ref.GetNamespace()+"/"+ref.GetName()]; ok {
		return p, nil, nil
	}
	ours, ok := w.behind[ref.GetNamespace()]
	if !ok {
		conn, err := grpc.NewClient("dns:///kedastral-scaler."+ref.GetNamespace()+".svc:50051",
			grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			return part{}, nil, fmt.Errorf("dialling the scaler of %s: %w", ref.GetNamespace(), err)
		}
		ours = pb.NewExternalScalerClient(conn)
		w.behind[ref.GetNamespace()] = ours
	}
	return part{}, ours, nil
}

func (w *wire) GetMetricSpec(ctx context.Context, ref *pb.ScaledObjectRef) (answer *pb.GetMetricSpecResponse, err error) {
	asked := time.Now()
	p, ours, err := w.scaler(ref)
	switch {
	case err != nil:
	case ours != nil:
		answer, err = ours.GetMetricSpec(ctx, ref)
	case p.spec != nil:
		w.open.Add(1)
		answer, err = p.spec(ctx)
		w.open.Add(-1)
	default:
		answer = target(1)
	}
	w.note(ref, call{method: "GetMetricSpec", asked: asked, err: err})
	return answer, err
}

func (w *wire) GetMetrics(ctx context.Context, request *pb.GetMetricsRequest) (answer *pb.GetMetricsResponse, err error) {
	asked, value := time.Now(), 0.0
	p, ours, err := w.scaler(request.GetScaledObjectRef())
	switch {
	case err != nil:
	case ours != nil:
		answer, err = ours.GetMetrics(ctx, request)
	case p.metrics != nil:
		answer, err = p.metrics(ctx)
	default:
		answer = count(1)
	}
	for _, v := range answer.GetMetricValues() {
		value += v.GetMetricValueFloat()
	}
	w.note(request.GetScaledObjectRef(), call{method: "GetMetrics", asked: asked, value: value, err: err})
	return answer, err
}

func (w *wire) IsActive(ctx context.Context, ref *pb.ScaledObjectRef) (answer *pb.IsActiveResponse, err error) {
	asked := time.Now()
	p, ours, err := w.scaler(ref)
	switch {
	case err != nil:
	case ours != nil:
		answer, err = ours.IsActive(ctx, ref)
	case p.active != nil:
		answer, err = p.active(ctx)
	default:
		answer = &pb.IsActiveResponse{Result: true}
	}
	w.note(ref, call{method: "IsActive", asked: asked, value: truth(answer), err: err})
	return answer, err
}

// StreamIsActive passes what our scaler pushes on; a part pushes nothing.
func (w *wire) StreamIsActive(ref *pb.ScaledObjectRef, to pb.ExternalScaler_StreamIsActiveServer) error {
	_, ours, err := w.scaler(ref)
	if err != nil {
		return err
	}
	if ours == nil {
		<-to.Context().Done()
		return nil
	}
	from, err := ours.StreamIsActive(to.Context(), ref)
	for err == nil {
		var answer *pb.IsActiveResponse
		if answer, err = from.Recv(); err == nil {
			w.note(ref, call{method: "StreamIsActive", asked: time.Now(), value: truth(answer)})
			err = to.Send(answer)
		}
	}
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

func truth(answer *pb.IsActiveResponse) float64 {
	if answer.GetResult() {
		return 1
	}
	return 0
}

// target is a metric's spec, count its value, as our scaler would say them.
func target(n float64) *pb.GetMetricSpecResponse {
	return &pb.GetMetricSpecResponse{MetricSpecs: []*pb.MetricSpec{{MetricName: "played", TargetSize: int64(n), TargetSizeFloat: n}}}
}

func count(n float64) *pb.GetMetricsResponse {
	return &pb.GetMetricsResponse{MetricValues: []*pb.MetricValue{{MetricName: "played", MetricValue: int64(n), MetricValueFloat: n}}}
}

// told is an answer that is the same every time.
func told[T any](answer T) func(context.Context) (T, error) {
	return func(context.Context) (T, error) { return answer, nil }
}

// refused is an error every time.
func refused[T any](why error) func(context.Context) (T, error) {
	return func(context.Context) (none T, err error) { return none, why }
}

// asks waits until KEDA has asked that many more times.
func (w workload) asks(t *testing.T, method string, times int) []call {
	t.Helper()
	before := len(here.wire.heard(w, method))
	var since []call
	await(t, func(context.Context) error {
		if since = here.wire.heard(w, method)[before:]; len(since) < times {
			return fmt.Errorf("%s: KEDA asked %s %d times; want %d", w.Name, method, len(since), times)
		}
		return nil
	})
	return since
}
