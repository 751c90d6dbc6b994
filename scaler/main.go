// The scaler answers KEDA from forecasts: it pulls them from a forecaster,
// keeps them in memory and tells KEDA how many replicas a workload will need
// within its lead time. One runs in each namespace, beside its ScaledObjects.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/kedastral/kedastral/scaler/cache"
	"github.com/kedastral/kedastral/scaler/client"
	"github.com/kedastral/kedastral/scaler/keda"
	"github.com/kedastral/kedastral/shared/clock"
	"github.com/kedastral/kedastral/shared/env"
	"github.com/kedastral/kedastral/shared/forecast"
	"github.com/kedastral/kedastral/shared/lifecycle"
	"github.com/kedastral/kedastral/shared/ratelimit"
	"github.com/kedastral/kedastral/shared/telemetry"
	"github.com/kedastral/kedastral/shared/tlsconfig"
)

const (
	budget    = 250 * time.Millisecond // of a gRPC call
	patience  = 200 * time.Millisecond // of that, for a workload's first fetch
	drain     = 10 * time.Second       // for calls and streams to end
	lifeSigns = 10 * time.Second       // between two beats of a loop that is alive

	fetches     = 64   // at a time: ten thousand forecasts are there in seconds though each takes milliseconds
	connections = 1024 // open at once at each address; KEDA needs one, a person few
)

func main() {
	os.Exit(lifecycle.Main(os.Stderr, func(ctx context.Context) error {
		return dispatch(ctx, os.Args[1:], env.FromOS(), os.Stdout)
	}))
}

// dispatch does what the first word asks. Without a word it is serve.
func dispatch(ctx context.Context, args []string, vars env.Vars, stdout io.Writer) error {
	switch word := strings.Join(args, " "); word {
	case "", "serve":
		return run(ctx, vars, stdout)
	case "help", "-h", "-help", "--help":
		fmt.Fprint(stdout, "scaler serve     answer KEDA from forecasts (the default)\nscaler help      this text\nscaler version   which build this is\n\nVariables of serve:\n\n")
		return env.WriteHelp(stdout, "", config{}) //nolint:contextcheck // it waits for nothing
	case "version", "-version", "--version":
		_, err := fmt.Fprintln(stdout, "scaler", telemetry.Version())
		return err
	default:
		return usage(word)
	}
}

// usage is the fault of a process that was started wrongly.
type usage string

func (u usage) Error() string { return "scaler " + string(u) + ": must be one of serve, help, version" }

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
	pulse := telemetry.NewHeartbeat("refreshing forecasts", lifeSigns, time.Now)
	now, err := cfg.clock()
	if err != nil {
		return err
	}
	forecasts, err := newForecasts(cfg, now, reg, log, pulse)
	if err != nil {
		return err
	}
	service, err := keda.New(forecasts, reg, keda.Options{
		Namespace: cfg.Namespace, LeadTime: cfg.LeadTime, StaleAfter: cfg.StaleAfter,
		FallbackReplicas: cfg.fallback(), Size: 2 * cfg.CacheSize,
		PushInterval: time.Second, Budget: budget, Now: now.Now, Log: log,
	})
	if err != nil {
		return fmt.Errorf("making the gRPC service: %w", err)
	}
	secure, err := tlsconfig.ServerOrNone(cfg.serverTLS(), log)
	if err != nil {
		return fmt.Errorf("TLS for KEDA: %w", err)
	}
	pace, err := ratelimit.New(cfg.RateLimit)
	if err != nil {
		return err
	}
	calls, pages, err := listen(ctx, cfg)
	if err != nil {
		return err
	}
	log.InfoContext(ctx, "listening", "version", telemetry.Version(), "grpc", calls.Addr().String(), "http", pages.Addr().String(), "namespace", cfg.Namespace, "tls", secure != nil)

	web := lifecycle.NewServer(handler(ctx, cfg.Namespace, service, reg, pulse), log)
	transport := keda.Transport{Server: service, TLS: secure, MaxInFlight: cfg.MaxInFlight, Grace: drain, Pace: pace}
	var parts lifecycle.Group
	parts.Go("cache", forecasts.Run)
	parts.Go("grpc", func(ctx context.Context) error { return transport.Serve(ctx, calls) })
	parts.Go("http", func(ctx context.Context) error { return lifecycle.ServeHTTP(ctx, web, pages, drain) })
	err = parts.Run(ctx)
	log.InfoContext(ctx, "ended")
	return err
}

// newForecasts is the cache over the client.
func newForecasts(cfg config, now clock.Clock, reg prometheus.Registerer, log *slog.Logger, pulse *telemetry.Heartbeat) (*cache.Cache, error) {
	urls, err := cfg.forecasters()
	if err != nil {
		return nil, err
	}
	secure, err := tlsconfig.ClientOrNone(cfg.forecasterTLS(), log)
	if err != nil {
		return nil, fmt.Errorf("TLS to the forecasters: %w", err)
	}
	source, err := client.New(client.NewMetrics(reg), client.Options{
		URLs: urls, Sharded: cfg.ShardCount > 0, Timeout: cfg.FetchTimeout, Size: cfg.CacheSize,
		TLS: secure, TokenFile: cfg.ForecasterTokenFile, Now: now.Now, Log: log,
	})
	if err != nil {
		return nil, fmt.Errorf("making the forecaster's client: %w", err)
	}
	interval := time.Duration(float64(cfg.RefreshInterval) / cfg.ClockSpeed)
	return cache.New(source, cache.NewMetrics(reg), cache.Options{
		Size: cfg.CacheSize, Interval: interval, Retry: min(interval, 5*time.Second),
		Wait: patience, Idle: 10 * time.Minute, Concurrency: fetches, Log: log, Beat: pulse.Beat,
		Usable: func(s forecast.Snapshot) bool { return keda.Usable(s, now.Now(), cfg.StaleAfter) },
	})
}

// listen binds both addresses before anything starts, so that a busy port is an
// error and not a race.
func listen(ctx context.Context, cfg config) (calls, pages net.Listener, err error) {
	var bind net.ListenConfig
	if calls, err = bind.Listen(ctx, "tcp", cfg.GRPCAddr); err != nil {
		return nil, nil, fmt.Errorf("GRPC_ADDR: %w", err)
	}
	if pages, err = bind.Listen(ctx, "tcp", cfg.HTTPAddr); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("HTTP_ADDR: %w", err), calls.Close())
	}
	return lifecycle.Limit(calls, connections), lifecycle.Limit(pages, connections), nil
}

// handler serves what people and Prometheus look at. Ready means able to
// answer: an unreachable forecaster is a reason to answer with held forecasts
// or errors, not to be taken out of KEDA's sight.
func handler(ctx context.Context, namespace string, service *keda.Server, reg prometheus.Gatherer, pulse *telemetry.Heartbeat) http.Handler {
	serving := func(context.Context) error {
		if ctx.Err() != nil {
			return errors.New("ending")
		}
		return nil
	}
	mux := http.NewServeMux()
	mux.Handle("/", telemetry.Handler(reg, pulse.Check, telemetry.All(pulse.Check, serving)))
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		//nolint:errcheck,errchkjson // the client has gone; nobody is left to be told
		json.NewEncoder(w).Encode(map[string]any{"namespace": namespace, "triggers": service.Status()})
	})
	return mux
}
