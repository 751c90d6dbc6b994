package faults_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	pb "github.com/kedacore/keda/v2/pkg/scalers/externalscaler"
	"google.golang.org/grpc"

	"github.com/kedastral/kedastral/e2e/kedalike"
)

// The variables that have this binary be a witness, for calls and for pages.
const (
	witnessCalls = "FAULTS_WITNESS_CALLS"
	witnessPages = "FAULTS_WITNESS_PAGES"
)

// echo is a witness. It answers what a scaler is asked without knowing anything,
// in a process of its own beside the scaler's and at the same moments. What it is
// late by is the machine's doing and that of those who ask; what a scaler takes
// longer is the scaler's own.
type echo struct {
	pb.UnimplementedExternalScalerServer
}

// GetMetrics answers 1.
func (echo) GetMetrics(context.Context, *pb.GetMetricsRequest) (*pb.GetMetricsResponse, error) {
	return &pb.GetMetricsResponse{MetricValues: []*pb.MetricValue{{MetricName: "witness", MetricValue: 1, MetricValueFloat: 1}}}, nil
}

// testify is the witness's process.
func testify() error {
	pages := &http.Server{Addr: os.Getenv(witnessPages), Handler: http.NotFoundHandler(), ReadHeaderTimeout: time.Minute}
	go func() { fmt.Fprintln(os.Stderr, pages.ListenAndServe()) }()
	l, err := net.Listen("tcp", os.Getenv(witnessCalls))
	if err != nil {
		return fmt.Errorf("%s: %w", witnessCalls, err)
	}
	server := grpc.NewServer()
	pb.RegisterExternalScalerServer(server, echo{})
	return server.Serve(l)
}

// witness is how to ask one.
type witness struct {
	*kedalike.Client
	page    string
	process *process
}

func newWitness(t *testing.T) *witness {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	calls, pages := freePort(t), freePort(t)
	p := start(t, map[string]string{witnessCalls: calls, witnessPages: pages}, self)
	t.Cleanup(p.kill)
	client, err := kedalike.Dial(calls)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	w := &witness{client, "http://" + pages, p}
	eventually(t, 15*time.Second, "the witness answers", func() error {
		_, _, err := get(t.Context(), w.page)
		if err == nil {
			_, err = client.Value(t.Context(), kedalike.Ref("demo", "w0", nil), "witness")
		}
		return err
	})
	return w
}

// visited asks a forecaster and the witness for a page, over and over and at the
// same moments, while something is done to the forecaster.
func (w *world) visited(f *finding, s *service, siege func()) {
	visitor := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}, Timeout: 10 * time.Second}
	defer visitor.CloseIdleConnections()
	ended := make(chan struct{})
	go func() { siege(); close(ended) }()
	visits := newPhase(f, false)
	ctx, stop := context.WithCancel(w.t.Context())
	var watched sync.WaitGroup
	watched.Go(func() { s.starved(ctx, visits.starve) })
	see := func(url string, want int, note func(span)) {
		from := time.Now()
		response, err := visitor.Get(url)
		if err != nil {
			f.broke(expected, "a visitor: %v", err)
			return
		}
		_, _ = io.Copy(io.Discard, response.Body) // the status says it
		response.Body.Close()
		if note(span{from, time.Now()}); response.StatusCode != want {
			f.broke(expected, "a visitor: GET %s: %d; want %d", url, response.StatusCode, want)
		}
	}
	page := "http://" + s.http + "/forecast/current?workload=" + w.workloads[0]
	var all sync.WaitGroup
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for open := true; open; {
		select {
		case <-ended:
			open = false
		case <-ticker.C:
			all.Go(func() { see(page, http.StatusOK, func(s span) { visits.answered(0, s, nil) }) })
			all.Go(func() { see(w.load.witness.page, http.StatusNotFound, visits.witness) })
		}
	}
	all.Wait()
	stop()
	watched.Wait()
	visits.tally(time.Now(), fault{}).judge(f, fault{})
}
