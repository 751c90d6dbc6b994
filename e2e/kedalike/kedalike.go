// Package kedalike asks an external scaler what KEDA asks it, the way KEDA
// asks it: one connection for all ScaledObjects, spread over every address of
// the name, no deadline of its own, GetMetricSpec before GetMetrics before
// IsActive.
package kedalike

import (
	"context"
	"errors"
	"fmt"
	"io"

	pb "github.com/kedacore/keda/v2/pkg/scalers/externalscaler"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// Client is a connection to a scaler.
type Client struct {
	conn *grpc.ClientConn
	api  pb.ExternalScalerClient
}

// Answer is what KEDA learns from one round of questions.
type Answer struct {
	Metric string
	Target float64
	Value  float64
	Active bool
}

// Dial connects to a scaler without transport security; the connection is made
// when the first question is asked.
func Dial(address string, options ...grpc.DialOption) (*Client, error) {
	options = append([]grpc.DialOption{
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultServiceConfig(`{"loadBalancingConfig": [{"round_robin": {}}]}`),
	}, options...)
	conn, err := grpc.NewClient(address, options...)
	if err != nil {
		return nil, fmt.Errorf("dialling the scaler at %s: %w", address, err)
	}
	return &Client{conn, pb.NewExternalScalerClient(conn)}, nil
}

// Close ends the connection.
func (c *Client) Close() error { return c.conn.Close() }

// Ref is a ScaledObject's trigger as KEDA presents it.
func Ref(namespace, name string, metadata map[string]string) *pb.ScaledObjectRef {
	return &pb.ScaledObjectRef{Namespace: namespace, Name: name, ScalerMetadata: metadata}
}

// Ask asks one round. KEDA takes the float fields when they are positive and
// the integers otherwise; so does Ask.
func (c *Client) Ask(ctx context.Context, ref *pb.ScaledObjectRef) (Answer, error) {
	spec, err := c.api.GetMetricSpec(ctx, ref)
	if err != nil {
		return Answer{}, fmt.Errorf("GetMetricSpec: %w", err)
	}
	if len(spec.GetMetricSpecs()) != 1 {
		return Answer{}, fmt.Errorf("GetMetricSpec: %d metric specs; want 1", len(spec.GetMetricSpecs()))
	}
	only := spec.GetMetricSpecs()[0]
	a := Answer{Metric: only.GetMetricName(), Target: either(only.GetTargetSizeFloat(), only.GetTargetSize())}
	metrics, err := c.api.GetMetrics(ctx, &pb.GetMetricsRequest{ScaledObjectRef: ref, MetricName: a.Metric})
	if err != nil {
		return Answer{}, fmt.Errorf("GetMetrics: %w", err)
	}
	if len(metrics.GetMetricValues()) != 1 {
		return Answer{}, fmt.Errorf("GetMetrics: %d values; want 1", len(metrics.GetMetricValues()))
	}
	value := metrics.GetMetricValues()[0]
	a.Value = either(value.GetMetricValueFloat(), value.GetMetricValue())
	active, err := c.api.IsActive(ctx, ref)
	if err != nil {
		return Answer{}, fmt.Errorf("IsActive: %w", err)
	}
	a.Active = active.GetResult()
	return a, nil
}

func either(float float64, integer int64) float64 {
	if float > 0 {
		return float
	}
	return float64(integer)
}

// Watch opens StreamIsActive, as an external-push trigger does, and hands on
// each state until the scaler ends the stream, which is no error, or ctx ends.
func (c *Client) Watch(ctx context.Context, ref *pb.ScaledObjectRef, state func(active bool)) error {
	stream, err := c.api.StreamIsActive(ctx, ref)
	if err != nil {
		return fmt.Errorf("StreamIsActive: %w", err)
	}
	for {
		active, err := stream.Recv()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("StreamIsActive: %w", err)
		}
		state(active.GetResult())
	}
}
