// Package telemetry is how a process is watched: its log, its metrics, and
// whether it is alive and ready.
//
// Alive asks whether the process still does its work, so that a restart would
// help; ready asks whether it has something to serve. A part that is down
// outside the process must never make it look dead: a restart mends nothing
// there.
package telemetry

import (
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"runtime/debug"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// NewLogger writes to w in the format "text" or "json" what is at or above
// the level "debug", "info", "warn" or "error".
func NewLogger(w io.Writer, format, level string) (*slog.Logger, error) {
	levels := map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}
	least, ok := levels[level]
	if !ok {
		return nil, fmt.Errorf("log level %q: must be debug, info, warn or error", level)
	}
	options := &slog.HandlerOptions{Level: least}
	switch format {
	case "text":
		return slog.New(slog.NewTextHandler(w, options)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, options)), nil
	default:
		return nil, fmt.Errorf("log format %q: must be text or json", format)
	}
}

// NewRegistry holds what is measured of every Go process, and which build it
// is (kedastral_build_info).
func NewRegistry() *prometheus.Registry {
	reg := prometheus.NewRegistry()
	version, revision := build()
	reg.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name:        "kedastral_build_info",
			Help:        "Always 1; the labels tell which build is running.",
			ConstLabels: prometheus.Labels{"version": version, "revision": revision, "goversion": runtime.Version()},
		}, func() float64 { return 1 }),
	)
	return reg
}

// Version names the build in a line, for people.
func Version() string {
	version, revision := build()
	return fmt.Sprintf("%s (%s, %s)", version, revision, runtime.Version())
}

// linked is the version that scripts/build has the linker write here, for a
// build in a container has no repository to read it from. Nothing else writes it.
var linked string

// build is the version and the revision this binary was built from.
func build() (version, revision string) {
	version, revision = "unknown", "unknown"
	info, ok := debug.ReadBuildInfo()
	if ok && info.Main.Version != "" {
		version = info.Main.Version
	}
	if linked != "" {
		version = linked
	}
	if !ok {
		return version, revision
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			revision = s.Value
		}
	}
	return version, revision
}
