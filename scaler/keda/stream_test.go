package keda_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	pb "github.com/kedacore/keda/v2/pkg/scalers/externalscaler"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/kedastral/kedastral/scaler/keda"
)

// stream collects what is sent, with when.
type stream struct {
	grpc.ServerStreamingServer[pb.IsActiveResponse]
	ctx  context.Context
	sent []bool
}

func (s *stream) Context() context.Context { return s.ctx }

func (s *stream) Send(r *pb.IsActiveResponse) error {
	s.sent = append(s.sent, r.GetResult())
	return nil
}

// live is a bench whose clock is the bubble's.
func live(t *testing.T) *bench {
	return set(t, func(o *keda.Options) { o.Now = time.Now })
}

// open runs a stream until it ends; the channel tells how.
func (b *bench) open(ctx context.Context, r *pb.ScaledObjectRef) (*stream, chan error) {
	s, ended := &stream{ctx: ctx}, make(chan error, 1)
	go func() { ended <- b.StreamIsActive(r, s) }() //nolint:contextcheck // the stream carries it
	return s, ended
}

func TestStreamSendsTheStateAndThenChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := live(t)
		ctx, leave := context.WithCancel(t.Context())
		s, ended := b.open(ctx, ref("web", "leadTime", "1s"))
		time.Sleep(3 * time.Second)
		if synctest.Wait(); len(s.sent) != 0 {
			t.Errorf("sent %v while nothing is known; want nothing, least of all false", s.sent)
		}
		for i, tt := range []struct {
			count int
			want  []bool
		}{{0, []bool{false}}, {0, []bool{false}}, {4, []bool{false, true}}, {5, []bool{false, true}}, {0, []bool{false, true, false}}} {
			b.book.write(plan("shop/web", time.Now(), tt.count, tt.count, tt.count))
			time.Sleep(5 * time.Second)
			if synctest.Wait(); len(s.sent) != len(tt.want) || s.sent[len(s.sent)-1] != tt.want[len(tt.want)-1] {
				t.Errorf("step %d, count %d: sent %v; want %v", i, tt.count, s.sent, tt.want)
			}
		}
		leave()
		if err := <-ended; err != nil {
			t.Errorf("the stream ended with %v; want nil", err)
		}
	})
}

func TestStreamKeepsSilentWhenTheForecastGoesStale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := live(t)
		b.book.write(plan("shop/web", time.Now(), 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4))
		ctx, leave := context.WithCancel(t.Context())
		s, ended := b.open(ctx, ref("web"))
		time.Sleep(20 * time.Second)
		b.book.mu.Lock()
		clear(b.book.snapshots)
		b.book.mu.Unlock()
		time.Sleep(4 * time.Second)
		leave()
		if err := <-ended; err != nil || len(s.sent) != 1 || !s.sent[0] {
			t.Errorf("sent %v, ended with %v; want true once and nil", s.sent, err)
		}
	})
}

func TestStreamsEndCleanlyWhenTheServerDrains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := live(t)
		_, ended := b.open(t.Context(), ref("web"))
		time.Sleep(time.Second)
		began := time.Now()
		b.Drain()
		b.Drain() // twice is once
		if err := <-ended; err != nil || time.Since(began) > 0 {
			t.Errorf("the stream ended with %v after %v; want nil at once", err, time.Since(began))
		}
	})
}

func TestStreamsEndBeforeTheConnectionDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := live(t)
		began := time.Now()
		_, ended := b.open(t.Context(), ref("web"))
		if err := <-ended; err != nil || time.Since(began) != 25*time.Second {
			t.Errorf("a stream on a connection of unknown age ended with %v after %v; want nil after 25s", err, time.Since(began))
		}
	})
}

func TestStreamRefusals(t *testing.T) {
	b := set(t, nil)
	for _, tt := range []struct {
		ref  *pb.ScaledObjectRef
		want codes.Code
	}{
		{nil, codes.InvalidArgument},
		{ref("web", "leadtime", "1m"), codes.InvalidArgument},
		{&pb.ScaledObjectRef{Namespace: "bank", Name: "vault"}, codes.PermissionDenied},
	} {
		if err := b.StreamIsActive(tt.ref, &stream{ctx: t.Context()}); status.Code(err) != tt.want {
			t.Errorf("StreamIsActive(%v) = %v; want %v", tt.ref, err, tt.want)
		}
	}
}

// TestStreamsAreFew opens more streams than leave room for calls.
func TestStreamsAreFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := live(t)
		ctx, leave := context.WithCancel(t.Context())
		var all []chan error
		for range 300 {
			_, ended := b.open(ctx, ref("web"))
			all = append(all, ended)
		}
		time.Sleep(time.Second)
		leave()
		refused := 0
		for _, ended := range all {
			if err := <-ended; status.Code(err) == codes.ResourceExhausted {
				refused++
			} else if err != nil {
				t.Errorf("a stream ended with %v; want nil or ResourceExhausted", err)
			}
		}
		if refused != 300-128 {
			t.Errorf("%d of 300 streams refused; want all but 128", refused)
		}
	})
}
