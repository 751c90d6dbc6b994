package keda_test

import (
	"math"
	"strings"
	"testing"
	"time"

	pb "github.com/kedacore/keda/v2/pkg/scalers/externalscaler"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// FuzzRequests: whatever bytes come as a request, nothing panics, GetMetricSpec
// answers its constant, GetMetrics answers one possible count or a refusal that
// repeats nothing of the request, and IsActive succeeds exactly when GetMetrics
// does.
func FuzzRequests(f *testing.F) {
	for _, r := range []*pb.ScaledObjectRef{
		nil,
		{},
		ref("web"), ref("web", "workload", "shop/web", "leadTime", "1h30m", "fallbackReplicas", "3", "activationReplicas", "2"),
		ref("api", "leadtime", "5m"), ref("web", "workload", "bank/vault"),
		{Namespace: "bank", Name: "vault"},
		ref("web", "leadTime", "9999w"), ref("we\x00b"), ref("web", "leadTimeFromEnv", "2d", "leadTime", ""),
		ref("web", many(100)...),
	} {
		raw, err := proto.Marshal(&pb.GetMetricsRequest{ScaledObjectRef: r, MetricName: "s0-x"})
		if err != nil {
			continue // a string that is not UTF-8 cannot be sent either
		}
		f.Add(raw)
	}
	f.Add([]byte("\x0a\xff\xff\xff\xff\x0f"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		req := &pb.GetMetricsRequest{}
		if proto.Unmarshal(raw, req) != nil {
			return
		}
		b := set(t, nil)
		b.book.write(plan("shop/web", origin, 3, 9, 27))
		b.now = origin.Add(time.Minute)
		r := req.GetScaledObjectRef()
		if spec, err := b.GetMetricSpec(t.Context(), r); err != nil || len(spec.GetMetricSpecs()) != 1 {
			t.Errorf("GetMetricSpec(%v) = %v, %v; want the constant", r, spec, err)
		}
		got, err := b.GetMetrics(t.Context(), req)
		_, errActive := b.IsActive(t.Context(), r)
		if (err == nil) != (errActive == nil) {
			t.Errorf("GetMetrics(%v) = %v, IsActive = %v; want both or neither to fail", req, err, errActive)
		}
		if err != nil {
			harmless(t, r, err)
			return
		}
		v := got.GetMetricValues()
		if len(v) != 1 || v[0].GetMetricValue() < 0 || v[0].GetMetricValue() > math.MaxInt32 ||
			float64(v[0].GetMetricValue()) != v[0].GetMetricValueFloat() {
			t.Errorf("GetMetrics(%v) = %v; want one count in both fields", req, got)
		}
	})
}

// harmless checks that a refusal is one of ours and repeats no value.
func harmless(t *testing.T, r *pb.ScaledObjectRef, err error) {
	t.Helper()
	st := status.Convert(err)
	switch st.Code() {
	case codes.InvalidArgument, codes.PermissionDenied, codes.NotFound:
	default:
		t.Errorf("%v: %v; want a refusal", r, err)
	}
	for _, value := range r.GetScalerMetadata() {
		if len(value) > 40 && strings.Contains(st.Message(), value) {
			t.Errorf("%q repeats %q", st.Message(), value)
		}
	}
}
