// The forecaster reads the history of every workload, forecasts it, plans
// replicas and publishes both over HTTP. It needs nothing but its environment
// variables and a source of history, and keeps nothing that a restart loses.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"time"
	_ "time/tzdata" // images without time zones still know them

	"github.com/prometheus/client_golang/prometheus"

	"github.com/kedastral/kedastral/forecaster/access"
	"github.com/kedastral/kedastral/forecaster/api"
	"github.com/kedastral/kedastral/forecaster/command"
	"github.com/kedastral/kedastral/forecaster/dashboard"
	"github.com/kedastral/kedastral/forecaster/engine"
	"github.com/kedastral/kedastral/forecaster/history"
	"github.com/kedastral/kedastral/shared/env"
	"github.com/kedastral/kedastral/shared/lifecycle"
	"github.com/kedastral/kedastral/shared/ratelimit"
	"github.com/kedastral/kedastral/shared/telemetry"
	"github.com/kedastral/kedastral/shared/tlsconfig"
)

const (
	drain            = 10 * time.Second // for requests under way when the end is asked for
	adminConnections = 64               // open at once at ADMIN_ADDR

	tickTimeout = 5 * time.Minute // for one workload's tick; the source's own timeouts are far below
)

func main() {
	os.Exit(lifecycle.Main(os.Stderr, func(ctx context.Context) error {
		return dispatch(ctx, os.Args[1:], env.FromOS(), os.Stdout, os.Stderr)
	}))
}

// dispatch does what the first word asks. Without a word it is serve.
func dispatch(ctx context.Context, args []string, vars env.Vars, stdout, stderr io.Writer) error {
	if len(args) == 0 {
		return run(ctx, vars, stdout)
	}
	commands := command.Command{Stdout: stdout, Stderr: stderr, Workload: func(ctx context.Context, name string) (engine.Workload, error) {
		return configured(ctx, vars, name)
	}}
	switch word, rest := args[0], args[1:]; {
	case word == "serve" && len(rest) == 0:
		return run(ctx, vars, stdout)
	case word == "forecast":
		return coded(commands.Forecast(ctx, rest))
	case word == "backtest":
		return coded(commands.Backtest(ctx, rest))
	case word == "explain":
		return coded(commands.Explain(ctx, rest))
	case word == "help" || word == "-h" || word == "-help" || word == "--help":
		return help(stdout) //nolint:contextcheck // it waits for nothing
	case word == "version" || word == "-version" || word == "--version":
		_, err := fmt.Fprintln(stdout, "forecaster", telemetry.Version())
		return err
	}
	return coded(fmt.Errorf("%w: forecaster %s: must be one of serve, explain, forecast, backtest, help, version", command.ErrUsage, strings.Join(args, " ")))
}

func help(w io.Writer) error {
	fmt.Fprint(w, `forecaster serve      read, forecast, plan and publish every workload (the default)
forecaster explain    ask a running forecaster why a workload's count is what it is (-help)
forecaster forecast   forecast a recorded metric once (-help)
forecaster backtest   replay a metric's past next to a reactive HPA (-help)
forecaster help       this text
forecaster version    which build this is

Variables of serve:

`)
	if err := env.WriteHelp(w, "", config{}); err != nil {
		return err
	}
	fmt.Fprint(w, "\nOf every workload, as DEFAULT_… for all and WORKLOAD_NAMESPACE_NAME_… for one:\n\n")
	return env.WriteHelp(w, "…_", workload{})
}

// exitError is an error that ends the process with a code of its own.
type exitError struct {
	error
	code int
}

func (e exitError) ExitCode() int { return e.code }
func (e exitError) Unwrap() error { return e.error }

// coded gives a command's error its exit code: 2 for a call that was not
// understood, as for a wrong configuration, and 3 for a threshold missed.
func coded(err error) error {
	switch {
	case errors.Is(err, command.ErrUsage):
		return exitError{err, 2}
	case errors.Is(err, command.ErrThreshold):
		return exitError{err, 3}
	}
	return err
}

// configured is one workload of the configuration, its source included.
func configured(ctx context.Context, vars env.Vars, name string) (engine.Workload, error) {
	cfg, err := load(ctx, vars)
	if err != nil {
		return engine.Workload{}, err
	}
	_, workloads, err := open(cfg, prometheus.NewRegistry(), slog.New(slog.DiscardHandler))
	if err != nil {
		return engine.Workload{}, err
	}
	for _, w := range workloads {
		if w.Name == name {
			return w, nil
		}
	}
	return engine.Workload{}, coded(fmt.Errorf("%w: workload %q: must be one of WORKLOADS=%s", command.ErrUsage, name, strings.Join(cfg.Workloads, ",")))
}

// run is the whole process: it returns when ctx ends and everything has.
func run(ctx context.Context, vars env.Vars, stdout io.Writer) error {
	cfg, err := load(ctx, vars)
	if err = env.Join(err, cfg.checkAccess(), cfg.checkLease()); err != nil {
		return err
	}
	log, err := telemetry.NewLogger(stdout, cfg.LogFormat, cfg.LogLevel)
	if err != nil {
		return err
	}
	elsewhere, err := cfg.sharded()
	if err != nil {
		return err
	}
	reg := telemetry.NewRegistry()
	now, workloads, err := open(cfg, reg, log)
	if err != nil {
		return err
	}
	store, keep, err := openStore(cfg, now, reg, log)
	if err != nil {
		return err
	}
	var forecasts *engine.Engine
	leader, err := newLease(cfg.config, func() bool { return forecasts.Reading() }, reg, log)
	if err != nil {
		return err
	}
	past := history.New(cfg.History, len(workloads))
	options := engine.Options{
		Store: past.Through(store), Clock: now, Log: log, Metrics: engine.NewMetrics(reg),
		Concurrency: cfg.Concurrency, Settle: cfg.settle(), MaxDataAge: cfg.MaxDataAge, TickTimeout: tickTimeout,
		Elsewhere: elsewhere, Taken: past.Record,
	}
	if leader != nil {
		options.Following = leader.Following
	}
	if forecasts, err = engine.New(workloads, options); err != nil {
		return fmt.Errorf("making the engine: %w", err)
	}
	if err := reg.Register(forecasts.Collector(cfg.sampling())); err != nil {
		return fmt.Errorf("registering the forecasts as metrics: %w", err)
	}
	alive := func(context.Context) error { return forecasts.Healthy() }
	ready := func(context.Context) error { return forecasts.Ready() } //nolint:contextcheck // it reads memory and waits for nobody
	pages, err := dashboard.New(dashboard.Options{Engine: forecasts, Past: past, Now: now.Now, Log: log})
	if err != nil {
		return err
	}
	guard, err := newGuard(cfg.config, reg, log)
	if err != nil {
		return err
	}
	pace, err := ratelimit.New(cfg.RateLimit)
	if err != nil {
		return err
	}
	handler := api.New(api.Options{
		Engine: forecasts, Past: history.Reporter{Recorder: past, Loads: forecasts}, Now: now.Now, Log: log, Metrics: reg,
		Probes: telemetry.Handler(reg, alive, ready), Pages: pages, Guard: guard, Pace: pace,
	})
	secure, err := tlsconfig.ServerOrNone(cfg.serverFiles(), log)
	if err != nil {
		return fmt.Errorf("TLS for the API: %w", err)
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", cfg.HTTPAddr)
	if err != nil {
		return fmt.Errorf("HTTP_ADDR: %w", err)
	}
	admin, err := listenAdmin(ctx, cfg.config)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	log.InfoContext(ctx, "listening", "version", telemetry.Version(), "http", listener.Addr().String(), "workloads", len(workloads), "source", cfg.Source, "tls", secure != nil, "auth", cfg.ForecasterAuth)

	web := lifecycle.NewServer(handler, log)
	web.TLSConfig = secure
	web.RegisterOnShutdown(pages.Close) // its streams end only when they are told
	var parts lifecycle.Group
	parts.Go("engine", func(ctx context.Context) error {
		if leader != nil {
			leader.Wait(ctx) // before the whole window is read for nothing
		}
		return forecasts.Run(ctx)
	})
	if leader != nil {
		parts.Go("lease", leader.Run)
	}
	if keep != nil {
		parts.Go("store", keep)
	}
	parts.Go("http", func(ctx context.Context) error {
		return lifecycle.ServeHTTP(ctx, web, lifecycle.Limit(listener, cfg.MaxConnections), drain)
	})
	if admin != nil {
		log.InfoContext(ctx, "listening for admins, whom nobody asks who they are", "admin", admin.Addr().String())
		parts.Go("admin", func(ctx context.Context) error {
			open := lifecycle.NewServer(access.Trusted(handler), log)
			open.RegisterOnShutdown(pages.Close)
			return lifecycle.ServeHTTP(ctx, open, lifecycle.Limit(admin, adminConnections), drain)
		})
	}
	err = parts.Run(ctx)
	log.InfoContext(ctx, "ended")
	return err
}

// listenAdmin binds the address for those who may see everything, nil where
// everybody may.
func listenAdmin(ctx context.Context, cfg config) (net.Listener, error) {
	if cfg.ForecasterAuth == byNothing {
		return nil, nil //nolint:nilnil // nil is no such address
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", cfg.AdminAddr)
	if err != nil {
		return nil, fmt.Errorf("ADMIN_ADDR: %w", err)
	}
	return listener, nil
}
