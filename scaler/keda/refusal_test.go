package keda_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	pb "github.com/kedacore/keda/v2/pkg/scalers/externalscaler"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestRefusals(t *testing.T) {
	b := set(t, nil)
	b.book.write(plan("shop/web", origin, 3))
	b.book.write(plan("bank/vault", origin, 9))
	for _, tt := range []struct {
		name string
		ref  *pb.ScaledObjectRef
		code codes.Code
		says string
	}{
		{"no reference", nil, codes.InvalidArgument, "scaledObjectRef"},
		{"empty reference", &pb.ScaledObjectRef{}, codes.PermissionDenied, "another namespace"},
		{"no name", ref(""), codes.InvalidArgument, "malformed"},
		{"no name, a workload", ref("", "workload", "web"), codes.InvalidArgument, "malformed"},
		{"hostile name", ref("web\n\x1b[31m"), codes.InvalidArgument, "malformed"},
		{"foreign ScaledObject", &pb.ScaledObjectRef{Namespace: "bank", Name: "vault"}, codes.PermissionDenied, "another namespace"},
		{"foreign workload", ref("web", "workload", "bank/vault"), codes.PermissionDenied, "another namespace"},
		{"foreign by prefix", ref("web", "workload", "shopping/web"), codes.PermissionDenied, "another namespace"},
		{"path", ref("web", "workload", "shop/../bank/vault"), codes.InvalidArgument, "workload must be"},
		{"unknown", ref("nobody"), codes.NotFound, "WORKLOADS"},
		{"case", ref("web", "leadtime", "5m"), codes.InvalidArgument, "write leadTime"},
		{"separator", ref("web", "lead_time", "5m"), codes.InvalidArgument, "write leadTime"},
		{"both", ref("web", "FALLBACK-REPLICAS", "5"), codes.InvalidArgument, "write fallbackReplicas"},
		{"case and FromEnv", ref("web", "leadtimeFromEnv", "5m"), codes.InvalidArgument, "write leadTime"},
		{"capital", ref("web", "Workload", "x"), codes.InvalidArgument, "write workload"},
		{"activation", ref("web", "activation_replicas", "5"), codes.InvalidArgument, "write activationReplicas"},
		{"no duration", ref("web", "leadTime", "soon"), codes.InvalidArgument, "leadTime must be a duration"},
		{"no unit", ref("web", "leadTime", "5"), codes.InvalidArgument, "leadTime must be a duration"},
		{"negative", ref("web", "leadTime", "-5m"), codes.InvalidArgument, "not negative"},
		{"zero fallback", ref("web", "fallbackReplicas", "0"), codes.InvalidArgument, "at least 1"},
		{"fraction", ref("web", "fallbackReplicas", "1.5"), codes.InvalidArgument, "whole number"},
		{"huge", ref("web", "fallbackReplicas", "99999999999"), codes.InvalidArgument, "whole number"},
		{"negative activation", ref("web", "activationReplicas", "-1"), codes.InvalidArgument, "activationReplicas"},
		{"no most", ref("web", "maxReplicas", "0"), codes.InvalidArgument, "maxReplicas must be a whole number, at least 1"},
		{"most", ref("web", "max_replicas", "5"), codes.InvalidArgument, "write maxReplicas"},
		{"all at once", ref("web", "leadTime", "x", "fallbackReplicas", "y"), codes.InvalidArgument, "fallbackReplicas must"},
		{"twice", ref("web", "leadTime", "1m", "leadTimeFromEnv", "2m"), codes.InvalidArgument, "set twice"},
		{"long", ref("web", "workload", strings.Repeat("a", 5000)), codes.InvalidArgument, "longer than"},
		{"many", ref("web", many(10_000)...), codes.InvalidArgument, "more than 64 keys"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := b.ask(t, tt.ref)
			st := status.Convert(err)
			if st.Code() != tt.code || !strings.Contains(st.Message(), tt.says) {
				t.Errorf("GetMetrics() = %v %q; want %v %q", st.Code(), st.Message(), tt.code, tt.says)
			}
			if len(st.Message()) > 300 {
				t.Errorf("a message of %d bytes; want a short one", len(st.Message()))
			}
			_, err = b.IsActive(t.Context(), tt.ref)
			if got := status.Convert(err); got.Code() != tt.code {
				t.Errorf("IsActive() = %v; want the same as GetMetrics, %v", got.Code(), tt.code)
			}
		})
	}
	if _, err := b.GetMetrics(t.Context(), nil); status.Code(err) != codes.InvalidArgument {
		t.Errorf("GetMetrics(nil) = %v; want InvalidArgument", err)
	}
}

// many are n keys and values that are nobody's.
func many(n int) (pairs []string) {
	for i := range n {
		pairs = append(pairs, fmt.Sprintf("k%d", i), "v")
	}
	return pairs
}

func TestKeysOfKEDAAreTolerated(t *testing.T) {
	b := set(t, nil)
	b.book.write(plan("shop/web", origin, 3))
	r := ref("web", "enableTLS", "true", "unsafeSsl", "false", "caCert", "PEM", "tlsClientCert", "PEM",
		"tlsClientKey", "PEM", "metricName", "x", "comment", "leads the time", "lead", "not ours")
	if got, err := b.ask(t, r); err != nil || got != 3 {
		t.Errorf("GetMetrics(KEDA's own keys) = %d, %v; want 3", got, err)
	}
}

func TestNothingOfARequestIsRepeated(t *testing.T) {
	b := set(t, nil)
	const secret = "hunter2-secret"
	for _, r := range []*pb.ScaledObjectRef{
		ref("web", "leadTime", secret), ref("web", "fallbackReplicas", secret), ref("web", "workload", secret+"!"),
		ref("web", "passwordFromEnv", secret), ref(secret + "\n"),
		{Namespace: secret, Name: secret},
	} {
		if _, err := b.ask(t, r); err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("GetMetrics(%v) = %v; want an error without what was sent", r, err)
		}
	}
	if strings.Contains(b.log.String(), secret) {
		t.Errorf("what was sent is in the log:\n%s", b.log)
	}
}

// Whose trigger it is that cannot be understood is told, so that somebody can
// mend it; a name that no object can have is not.
func TestRefusalsNameTheScaledObject(t *testing.T) {
	b := set(t, nil)
	_, _ = b.ask(t, ref("web", "leadtime", "5m"))
	if !strings.Contains(b.log.String(), "scaled_object=web") {
		t.Errorf("the log does not say whose trigger is misspelt:\n%s", b.log)
	}
	b.log.Reset()
	_, _ = b.ask(t, ref("web\n", "lead-time", "5m"))
	_, _ = b.ask(t, &pb.ScaledObjectRef{Namespace: "bank", Name: "vault"})
	if strings.Contains(b.log.String(), "scaled_object") {
		t.Errorf("names that are not ours to tell:\n%s", b.log)
	}
}

func TestRefusalsAreLoggedNowAndThen(t *testing.T) {
	b := set(t, nil)
	for range 1000 {
		_, _ = b.ask(t, &pb.ScaledObjectRef{Namespace: "bank", Name: "vault"})
	}
	if n := strings.Count(b.log.String(), "request refused"); n != 1 {
		t.Errorf("%d lines for 1000 refused requests at once; want 1", n)
	}
	b.now = b.now.Add(time.Minute)
	_, _ = b.ask(t, &pb.ScaledObjectRef{Namespace: "bank", Name: "vault"})
	if n := strings.Count(b.log.String(), "request refused"); n != 2 {
		t.Errorf("%d lines a minute later; want 2", n)
	}
}
