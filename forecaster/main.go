// The forecaster reads the history of every workload, forecasts it, plans
// replicas and publishes both over HTTP. It needs nothing but its environment
// variables and a source of history, and keeps nothing that a restart loses.
package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"time"
	_ "time/tzdata" // images without time zones still know them

	"github.com/kedastral/kedastral/forecaster/api"
	"github.com/kedastral/kedastral/forecaster/dashboard"
	"github.com/kedastral/kedastral/forecaster/engine"
	"github.com/kedastral/kedastral/forecaster/history"
	"github.com/kedastral/kedastral/forecaster/storage"
	"github.com/kedastral/kedastral/shared/env"
	"github.com/kedastral/kedastral/shared/lifecycle"
	"github.com/kedastral/kedastral/shared/telemetry"
	"github.com/kedastral/kedastral/shared/tlsconfig"
)

const (
	drain       = 10 * time.Second // for requests under way when the end is asked for
	tickTimeout = 5 * time.Minute  // for one workload's tick; the source's own timeouts are far below
)

func main() {
	os.Exit(lifecycle.Main(os.Stderr, func(ctx context.Context) error {
		return command(ctx, os.Args[1:], env.FromOS(), os.Stdout)
	}))
}

// command chooses what to do. Without a word it is serve.
func command(ctx context.Context, args []string, vars env.Vars, stdout io.Writer) error {
	if len(args) == 0 || len(args) == 1 && args[0] == "serve" {
		return run(ctx, vars, stdout)
	}
	return usage(strings.Join(args, " "))
}

// usage is the fault of a process that was started wrongly.
type usage string

func (u usage) Error() string {
	return fmt.Sprintf("forecaster %s: must be: forecaster [serve]", string(u))
}

// ExitCode is 2, as for a wrong configuration.
func (usage) ExitCode() int { return 2 }

// run is the whole process: it returns when ctx ends and everything has.
func run(ctx context.Context, vars env.Vars, stdout io.Writer) error {
	cfg, err := load(ctx, vars)
	if err != nil {
		return err
	}
	log, err := telemetry.NewLogger(stdout, cfg.LogFormat, cfg.LogLevel)
	if err != nil {
		return err
	}
	reg := telemetry.NewRegistry()
	now, workloads, err := open(cfg, reg, log)
	if err != nil {
		return err
	}
	past := history.New(cfg.History, len(workloads))
	forecasts, err := engine.New(workloads, engine.Options{
		Store: past.Through(storage.NewMemory()), Clock: now, Log: log, Metrics: engine.NewMetrics(reg),
		Concurrency: cfg.Concurrency, Settle: cfg.settle(), MaxDataAge: cfg.MaxDataAge, TickTimeout: tickTimeout,
	})
	if err != nil {
		return fmt.Errorf("making the engine: %w", err)
	}
	alive := func(context.Context) error { return forecasts.Healthy() }
	ready := func(context.Context) error { return forecasts.Ready() }
	pages, err := dashboard.New(dashboard.Options{Engine: forecasts, Past: past, Now: now.Now, Log: log})
	if err != nil {
		return err
	}
	handler := api.New(api.Options{
		Engine: forecasts, Past: history.Reporter{Recorder: past, Loads: forecasts}, Now: now.Now, Log: log, Metrics: reg,
		Probes: telemetry.Handler(reg, alive, ready), Pages: pages,
	})
	secure, err := serverTLS(cfg, log)
	if err != nil {
		return err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", cfg.HTTPAddr)
	if err != nil {
		return fmt.Errorf("HTTP_ADDR: %w", err)
	}
	log.InfoContext(ctx, "listening", "http", listener.Addr().String(), "workloads", len(workloads), "source", cfg.Source, "tls", secure != nil)

	web := lifecycle.NewServer(handler, log)
	web.TLSConfig = secure
	web.RegisterOnShutdown(pages.Close) // its streams end only when they are told
	var parts lifecycle.Group
	parts.Go("engine", forecasts.Run)
	parts.Go("http", func(ctx context.Context) error {
		return lifecycle.ServeHTTP(ctx, web, lifecycle.Limit(listener, cfg.MaxConnections), drain)
	})
	err = parts.Run(ctx)
	log.InfoContext(ctx, "ended", "err", err)
	return err
}

func serverTLS(cfg settings, log *slog.Logger) (*tls.Config, error) {
	files := cfg.serverFiles()
	if !files.Set() {
		return nil, nil //nolint:nilnil // no TLS is what was asked for
	}
	secure, err := tlsconfig.Server(files, broken(log))
	if err != nil {
		return nil, fmt.Errorf("TLS for the API: %w", err)
	}
	return secure, nil
}

// broken logs that new TLS files cannot be used.
func broken(log *slog.Logger) func(error) {
	return func(err error) { log.Error("new TLS files are broken, the old ones stay in force", "err", err) }
}
