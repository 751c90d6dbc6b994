package faults_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	pb "github.com/kedacore/keda/v2/pkg/scalers/externalscaler"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/kedastral/kedastral/e2e/kedalike"
)

// rude is a client of the scaler's from the other address.
func rude(address string) (pb.ExternalScalerClient, func()) {
	conn, err := grpc.NewClient("passthrough:"+address, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(_ context.Context, a string) (net.Conn, error) { return stranger(a) }))
	if err != nil {
		return nil, func() {}
	}
	return pb.NewExternalScalerClient(conn), func() { _ = conn.Close() }
}

// hoard opens six hundred streams over ten connections and never closes one.
func hoard(f *finding, address string) {
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Second)
	defer cancel()
	var hoarders sync.WaitGroup
	var open, refused atomic.Int64
	for range 10 {
		api, done := rude(address)
		defer done()
		for range 60 {
			hoarders.Go(func() {
				stream, err := api.StreamIsActive(ctx, kedalike.Ref("demo", "w0", nil))
				if err == nil {
					_, err = stream.Recv()
				}
				switch {
				case err == nil:
					open.Add(1)
					<-ctx.Done()
				case status.Code(err) == codes.ResourceExhausted:
					refused.Add(1)
				}
			})
		}
	}
	hoarders.Wait()
	f.remark("%d streams were open, %d refused", open.Load(), refused.Load())
	if open.Load() == 0 || refused.Load() == 0 {
		f.broke(expected, "of 600 streams %d were open and %d refused", open.Load(), refused.Load())
	}
}

// oversized asks with more than any question of KEDA's holds, and is refused.
func oversized(f *finding, address string) {
	api, done := rude(address)
	defer done()
	many := map[string]string{}
	for i := range 10_000 {
		many[fmt.Sprint("key", i)] = "metadataS3cret"
	}
	asked := 0
	refused := func(what string, want codes.Code, ask func(ctx context.Context) error) {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := ask(ctx); status.Code(err) != want {
			f.broke(expected, "asked with %s: %v; want %v", what, err, want)
		}
		asked++
	}
	for until := time.Now().Add(4 * time.Second); time.Now().Before(until); {
		refused("metadata of ten thousand keys", codes.ResourceExhausted, func(ctx context.Context) error {
			_, err := api.GetMetrics(ctx, &pb.GetMetricsRequest{ScaledObjectRef: kedalike.Ref("demo", "w0", many)})
			return err
		})
		refused("a name of 4 MB", codes.ResourceExhausted, func(ctx context.Context) error {
			_, err := api.GetMetrics(ctx, &pb.GetMetricsRequest{ScaledObjectRef: kedalike.Ref("demo", strings.Repeat("w", 4<<20), nil)})
			return err
		})
		refused("nothing", codes.PermissionDenied, func(ctx context.Context) error { _, err := api.IsActive(ctx, nil); return err })
	}
	f.remark("%d questions", asked)
}
