package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"
	"time"

	"github.com/kedastral/kedastral/e2e/process"
	"github.com/kedastral/kedastral/shared/clock"
	"github.com/kedastral/kedastral/shared/forecast"
)

// services are the two real binaries, running, and the clock of the recording.
type services struct {
	forecaster, scaler         *process.Process
	forecasterHTTP, scalerHTTP string
	scalerGRPC                 string
	clock                      clock.Clock
}

// ahead is how long before the replayed day the recording's clock starts: time
// to read three weeks and to publish a first forecast.
const ahead = 20 * time.Minute

// startServices runs the forecaster on the recording and the scaler on the
// forecaster, and returns once there is a forecast.
func startServices(ctx context.Context, o options, day time.Time) (*services, error) {
	ports, err := process.FreeAddresses(3)
	if err != nil {
		return nil, err
	}
	s := &services{forecasterHTTP: ports[0], scalerGRPC: ports[1], scalerHTTP: ports[2]}
	speed := strconv.FormatFloat(o.speed, 'g', -1, 64)
	s.forecaster, err = launch(filepath.Join(o.bin, "forecaster"), map[string]string{
		"HTTP_ADDR": s.forecasterHTTP, "FORECASTER_AUTH": "none", "SOURCE": "recorded", "RECORDED_FILE": o.trace, "RECORDED_SPEED": speed,
		"RECORDED_FROM": day.Add(-ahead).Format(time.RFC3339), "RECORDED_LOOP": strconv.FormatBool(o.keep),
		"WORKLOADS": workload, "DEFAULT_METRIC": "requests per minute", "DEFAULT_TIMEZONE": zone, "DEFAULT_WINDOW": "14d",
		"DEFAULT_TARGET_PER_POD": fmt.Sprint(targetPerPod), "DEFAULT_QUANTILE": fmt.Sprint(quantile), "DEFAULT_HEADROOM": "1",
		"DEFAULT_MIN_REPLICAS": strconv.Itoa(minReplicas), "DEFAULT_MAX_REPLICAS": strconv.Itoa(maxReplicas),
	})
	if err != nil {
		return nil, err
	}
	s.scaler, err = launch(filepath.Join(o.bin, "scaler"), map[string]string{
		"NAMESPACE": namespace, "FORECASTER_URL": "http://" + s.forecasterHTTP, "FORECASTER_AUTH": "none", "GRPC_ADDR": s.scalerGRPC, "HTTP_ADDR": s.scalerHTTP,
		"CLOCK_SPEED": speed,
	})
	if err == nil {
		err = s.await(ctx, o.speed)
	}
	if err != nil {
		err = fmt.Errorf("%w\n%s", err, s.logs())
		s.stop()
		return nil, err
	}
	return s, nil
}

// await waits for the first forecast and reads the recording's clock off it.
func (s *services) await(ctx context.Context, speed float64) error {
	patience, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		now, err := s.recordedNow(patience)
		if err == nil {
			s.clock, err = clock.Faster(now, speed)
			return err
		}
		select {
		case <-patience.Done():
			return fmt.Errorf("waiting for the first forecast: %w", err)
		case <-s.forecaster.Done():
			return fmt.Errorf("the forecaster ended: %w", err)
		case <-s.scaler.Done():
			return fmt.Errorf("the scaler ended: %w", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// recordedNow is the forecaster's present: when its forecast starts, and how
// old it says that is.
func (s *services) recordedNow(ctx context.Context) (time.Time, error) {
	snapshot, age, err := s.current(ctx)
	return snapshot.GeneratedAt.Add(age), err
}

// current asks the forecaster for the workload's snapshot and its age.
func (s *services) current(ctx context.Context) (forecast.Snapshot, time.Duration, error) {
	var snapshot forecast.Snapshot
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.forecasterHTTP+"/forecast/current?workload="+url.QueryEscape(workload), nil)
	if err != nil {
		return snapshot, 0, err
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return snapshot, 0, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return snapshot, 0, fmt.Errorf("GET %s: %s", r.URL, response.Status)
	}
	if err := json.NewDecoder(response.Body).Decode(&snapshot); err != nil {
		return snapshot, 0, fmt.Errorf("reading %s: %w", r.URL, err)
	}
	seconds, err := strconv.ParseFloat(response.Header.Get("Age"), 64)
	if err != nil {
		return snapshot, 0, fmt.Errorf("GET %s: the Age: %w", r.URL, err)
	}
	return snapshot, time.Duration(seconds * float64(time.Second)), nil
}

func (s *services) stop() {
	for _, p := range []*process.Process{s.scaler, s.forecaster} {
		if p != nil {
			_ = p.Stop(15 * time.Second) // how it ended is told by its log
		}
	}
}

func (s *services) logs() string {
	text := "the forecaster logged:\n" + tail(s.forecaster)
	if s.scaler != nil {
		text += "the scaler logged:\n" + tail(s.scaler)
	}
	return text
}

func (s *services) urls() string {
	return fmt.Sprintf("  page       http://%s/\n  forecast   http://%s/forecast/current?workload=%s\n  why        http://%s/forecast/explain?workload=%s\n"+
		"  workloads  http://%s/workloads\n  metrics    http://%s/metrics and http://%s/metrics\n  KEDA asks  %s\n",
		s.forecasterHTTP, s.forecasterHTTP, workload, s.forecasterHTTP, workload, s.forecasterHTTP, s.forecasterHTTP, s.scalerHTTP, s.scalerGRPC)
}

// launch starts a binary with exactly this environment.
func launch(binary string, environment map[string]string) (*process.Process, error) {
	p, err := process.Start(binary, environment)
	if err != nil {
		return nil, fmt.Errorf("%w (go build -o out/ ./forecaster ./scaler)", err)
	}
	return p, nil
}

// tail is the end of what a process has logged.
func tail(p *process.Process) string {
	text := p.Log.String()
	return text[max(0, len(text)-tailBytes):]
}

const tailBytes = 4 << 10
