package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/kedastral/kedastral/forecaster/adapters"
	"github.com/kedastral/kedastral/forecaster/adapters/prom"
	"github.com/kedastral/kedastral/forecaster/adapters/recorded"
	"github.com/kedastral/kedastral/forecaster/engine"
	"github.com/kedastral/kedastral/forecaster/series"
	"github.com/kedastral/kedastral/shared/clock"
	"github.com/kedastral/kedastral/shared/env"
	"github.com/kedastral/kedastral/shared/tlsconfig"
)

// open makes the clock to live by and every workload with its source.
func open(cfg settings, reg prometheus.Registerer, log *slog.Logger) (clock.Clock, []engine.Workload, error) {
	now := clock.Real()
	var source func(workload) (adapters.Adapter, error)
	switch cfg.Source {
	case fromRecording:
		tapes, err := readTapes(cfg)
		if err != nil {
			return now, nil, err
		}
		if now, err = cfg.replay(tapes); err != nil {
			return now, nil, err
		}
		source = func(w workload) (adapters.Adapter, error) {
			return recorded.New(recorded.Options{Samples: tapes[cfg.tape(w)], Step: w.Step, Now: now.Now, Loop: cfg.RecordedLoop})
		}
	default:
		server, err := dial(cfg, reg, log)
		if err != nil {
			return now, nil, err
		}
		source = func(w workload) (adapters.Adapter, error) {
			return server.Adapter(prom.Query{
				Metric: w.Metric, PromQL: w.Query, Step: w.Step, Settle: cfg.settle(), Aggregate: w.Aggregate,
				MaxSkew: cfg.MaxDataAge, Now: now.Now,
			})
		}
	}
	workloads, err := attach(cfg.workloads, source)
	return now, workloads, err
}

func attach(all []workload, source func(workload) (adapters.Adapter, error)) ([]engine.Workload, error) {
	var workloads []engine.Workload
	var faults []error
	for _, w := range all {
		adapter, err := source(w)
		if err != nil {
			faults = append(faults, fmt.Errorf("workload %s: %w", w.name, err))
			continue
		}
		one, err := w.plain(adapter)
		workloads, faults = append(workloads, one), append(faults, err)
	}
	return workloads, errors.Join(faults...)
}

// dial makes the client of Prometheus; it does not connect.
func dial(cfg settings, reg prometheus.Registerer, log *slog.Logger) (*prom.Server, error) {
	secure, err := tlsconfig.ClientOrNone(cfg.prometheusFiles(), log)
	if err != nil {
		return nil, fmt.Errorf("TLS to Prometheus: %w", err)
	}
	return prom.NewServer(prom.Options{
		URL:      cfg.PrometheusURL,
		Token:    prom.Secret{Value: cfg.PrometheusBearerToken, File: cfg.PrometheusBearerTokenFile},
		Username: cfg.PrometheusUsername,
		Password: prom.Secret{Value: cfg.PrometheusPassword, File: cfg.PrometheusPasswordFile},
		Headers:  cfg.PrometheusHeaders, Timeout: cfg.PrometheusTimeout, Metrics: prom.NewMetrics(reg), TLS: secure,
	})
}

// readTapes reads every recording once.
func readTapes(cfg settings) (map[string][]series.Sample, error) {
	tapes := make(map[string][]series.Sample)
	for _, w := range cfg.workloads {
		name := cfg.tape(w)
		if _, read := tapes[name]; read {
			continue
		}
		file, err := os.Open(name)
		if err != nil {
			return nil, env.Fault{Name: "RECORDED_FILE", Value: name, Rule: err.Error()}
		}
		samples, err := series.ReadCSV(file)
		if err = errors.Join(err, file.Close()); err != nil {
			return nil, fmt.Errorf("RECORDED_FILE=%s: %w", name, err)
		}
		if len(samples) == 0 {
			return nil, env.Fault{Name: "RECORDED_FILE", Value: name, Rule: "must hold samples, a line of timestamp,value each"}
		}
		tapes[name] = samples
	}
	return tapes, nil
}

// tape is the file a workload is replayed from.
func (c config) tape(w workload) string {
	if w.RecordedFile != "" {
		return w.RecordedFile
	}
	return c.RecordedFile
}

// replay is the clock that a recording is replayed by: it shows recorded time,
// from RECORDED_FROM or from where every workload has its window behind it.
func (s settings) replay(tapes map[string][]series.Sample) (clock.Clock, error) {
	from := s.RecordedFrom
	if from.IsZero() {
		for _, w := range s.workloads {
			first := tapes[s.tape(w)][0].At
			for _, sample := range tapes[s.tape(w)] {
				if sample.At.Before(first) {
					first = sample.At
				}
			}
			if begin := first.Add(w.Window + w.trainInterval()); begin.After(from) {
				from = begin
			}
		}
	}
	now, err := clock.Faster(from.Truncate(time.Second), s.RecordedSpeed)
	if err != nil {
		return now, fmt.Errorf("RECORDED_SPEED: %w", err)
	}
	return now, nil
}
