//go:build e2e

package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/kedastral/kedastral/e2e/cluster/plane"
)

var errExists = errors.New("still there")

var lastAddress atomic.Int32 // of 127.0.1.0/24, given out in turn

// address is a loopback address that nobody else was given.
func address() string { return fmt.Sprintf("127.0.1.%d", lastAddress.Add(1)) }

// publish serves handler, here in the test's process, as the Service
// NAME.NAMESPACE of the cluster, and returns the address on this machine.
func (h *home) publish(ctx context.Context, service string, port int, handler http.Handler) (string, error) {
	listener, err := h.expose(ctx, service, port)
	if err != nil {
		return "", err
	}
	go func() { _ = (&http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second}).Serve(listener) }()
	if h.local != nil {
		return listener.Addr().String(), nil
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(listener.Addr().(*net.TCPAddr).Port)), nil
}

// expose listens on this machine for what the cluster knows as the Service
// NAME.NAMESPACE.
func (h *home) expose(ctx context.Context, service string, port int) (net.Listener, error) {
	at := net.JoinHostPort("0.0.0.0", "0")
	if h.local != nil {
		ip := address()
		at = net.JoinHostPort(ip, strconv.Itoa(port))
		if err := h.hosts.Set(service, ip); err != nil {
			return nil, err
		}
	}
	listener, err := net.Listen("tcp", at)
	if err != nil {
		return nil, fmt.Errorf("exposing %s: %w", service, err)
	}
	if h.local == nil {
		err = h.point(ctx, service, port, listener.Addr().(*net.TCPAddr).Port)
	}
	return listener, err
}

// point makes a Service of the cluster lead to a port of this machine.
func (h *home) point(ctx context.Context, service string, port, to int) error {
	ip := os.Getenv("E2E_HOST_IP")
	if ip == "" {
		return errors.New("E2E_HOST_IP is not set: the address at which pods reach this machine; run scripts/e2e kind")
	}
	name, namespace, _ := strings.Cut(service, ".")
	objects, err := plane.Decode(fmt.Appendf(nil, `
apiVersion: v1
kind: Service
metadata: {name: %[1]s, namespace: %[2]s}
spec: {ports: [{name: http, port: %[3]d}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: %[1]s-outside, namespace: %[2]s, labels: {kubernetes.io/service-name: %[1]s}}
addressType: IPv4
ports: [{name: http, port: %[4]d}]
endpoints: [{addresses: ["%[5]s"]}]
`, name, namespace, port, to, ip))
	if err != nil {
		return err
	}
	return plane.Apply(ctx, h.Client, objects)
}
