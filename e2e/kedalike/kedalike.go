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
func (c *Client) Ask(ctx context.Context, ref *pb.ScaledObjectRef) (a Answer, err error) {
	if a.Metric, a.Target, err = c.Spec(ctx, ref); err != nil {
		return Answer{}, err
	}
	if a.Value, err = c.Value(ctx, ref, a.Metric); err != nil {
		return Answer{}, err
	}
	if a.Active, err = c.Active(ctx, ref); err != nil {
		return Answer{}, err
	}
	return a, nil
}

// Spec asks GetMetricSpec, of which KEDA needs exactly one.
func (c *Client) Spec(ctx context.Context, ref *pb.ScaledObjectRef) (metric string, target float64, err error) {
	spec, err := c.api.GetMetricSpec(ctx, ref)
	if err != nil {
		return "", 0, fmt.Errorf("GetMetricSpec: %w", err)
	}
	if len(spec.GetMetricSpecs()) != 1 {
		return "", 0, fmt.Errorf("GetMetricSpec: %d metric specs; want 1", len(spec.GetMetricSpecs()))
	}
	only := spec.GetMetricSpecs()[0]
	return only.GetMetricName(), either(only.GetTargetSizeFloat(), only.GetTargetSize()), nil
}

// Value asks GetMetrics, of whose values KEDA would add up more than one.
func (c *Client) Value(ctx context.Context, ref *pb.ScaledObjectRef, metric string) (float64, error) {
	metrics, err := c.api.GetMetrics(ctx, &pb.GetMetricsRequest{ScaledObjectRef: ref, MetricName: metric})
	if err != nil {
		return 0, fmt.Errorf("GetMetrics: %w", err)
	}
	if len(metrics.GetMetricValues()) != 1 {
		return 0, fmt.Errorf("GetMetrics: %d values; want 1", len(metrics.GetMetricValues()))
	}
	value := metrics.GetMetricValues()[0]
	return either(value.GetMetricValueFloat(), value.GetMetricValue()), nil
}

// Active asks IsActive.
func (c *Client) Active(ctx context.Context, ref *pb.ScaledObjectRef) (bool, error) {
	active, err := c.api.IsActive(ctx, ref)
	if err != nil {
		return false, fmt.Errorf("IsActive: %w", err)
	}
	return active.GetResult(), nil
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
