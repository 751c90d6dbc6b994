// Command demo replays one real day through the real forecaster and the real
// scaler, faster than real time, and shows what KEDA would be told beside what
// a reactive HPA would do with the same load and the same pods.
//
// It needs no cluster and no network: the forecaster reads a recorded trace,
// the scaler is asked over gRPC what KEDA asks, and one imitation of the HPA
// and of pods that take their time to start serves both policies.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// The day that is replayed and the workload it stands for.
const (
	namespace    = "demo"
	workload     = "demo/web"
	zone         = "America/New_York"
	targetPerPod = 8.0 // requests a minute one pod serves
	minReplicas  = 2
	maxReplicas  = 60
	startup      = 3 * time.Minute
	lead         = 5 * time.Minute
	quantile     = 0.95
)

// options are what the command line sets.
type options struct {
	bin, trace string
	picture    string
	speed      float64
	keep       bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var o options
	flag.StringVar(&o.bin, "bin", "out", "folder with the built forecaster and scaler")
	flag.StringVar(&o.trace, "trace", "e2e/demo/nasa-http.csv", "recorded load, timestamp,value; its last day is replayed")
	flag.Float64Var(&o.speed, "speed", 600, "how much faster than real time to replay")
	flag.BoolVar(&o.keep, "keep", false, "leave the services running after the replay, the recording beginning again, until interrupted")
	flag.StringVar(&o.picture, "picture", "", "file to draw the replayed morning into, instead of running the services")
	flag.Parse()
	if err := run(ctx, o, os.Stdout); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// run starts the services, replays the day and prints what came of it.
func run(ctx context.Context, o options, out *os.File) error {
	if o.picture != "" {
		return paint(ctx, o.trace, o.picture)
	}
	if o.speed <= 0 {
		return fmt.Errorf("-speed=%v: must be positive", o.speed)
	}
	load, err := readTrace(o.trace)
	if err != nil {
		return err
	}
	day := load.lastDay()
	fmt.Fprintf(out, "Replaying %s as if %.0f requests a minute were one pod's worth and a pod took %v to start, %.0f× as fast.\n",
		day.Format("Monday 2 January 2006"), targetPerPod, startup, o.speed)
	s, err := startServices(ctx, o, day)
	if err != nil {
		return err
	}
	defer s.stop()
	r, err := newReplay(s, load, day)
	if err != nil {
		return err
	}
	if err := r.play(ctx, newScreen(out)); err != nil {
		return fmt.Errorf("%w\n%s", err, s.logs())
	}
	r.summary(out)
	if o.keep {
		fmt.Fprintf(out, "\nStill running, until interrupted; after its last day the recording goes on with its first:\n%s", s.urls())
		<-ctx.Done()
	}
	return nil
}
