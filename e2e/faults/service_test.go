package faults_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// service is a process of ours, which may be killed and started again.
type service struct {
	*process
	binary string
	env    map[string]string
	prefix []string // of the command
	http   string
	grpc   string
	logs   []*logged // of all its lives
	pid    atomic.Int64
}

// start starts the service, or starts it again.
func (s *service) start(t *testing.T) {
	t.Helper()
	s.process = start(t, s.env, append(append([]string{}, s.prefix...), filepath.Join(binaries, s.binary))...)
	s.name = s.binary
	s.pid.Store(int64(s.cmd.Process.Pid))
	s.logs = append(s.logs, s.log)
}

// keep ends whatever process the service is by then, with the test. A world's
// callers were made later, so they have ended before.
func (s *service) keep(t *testing.T) {
	t.Cleanup(func() {
		s.kill()
		if t.Failed() {
			t.Logf("the %s logged at last:\n%s", s.binary, tail(s.log.String(), 4000))
		}
	})
}

// state is what /status says of a trigger.
type state struct {
	Workload    string    `json:"workload"`
	State       string    `json:"state"`
	Reason      string    `json:"reason"`
	GeneratedAt time.Time `json:"generatedAt"`
}

func (s *service) status(ctx context.Context) ([]state, error) {
	code, body, err := get(ctx, "http://"+s.http+"/status")
	if err != nil || code != http.StatusOK {
		return nil, fmt.Errorf("GET /status: %d %w", code, err)
	}
	var page struct {
		Triggers []state `json:"triggers"`
	}
	err = json.Unmarshal([]byte(body), &page)
	return slices.DeleteFunc(page.Triggers, func(st state) bool { return strings.Contains(st.Workload, "nobody") }), err
}

// metrics are all samples of a service, by series.
func (s *service) metrics(ctx context.Context) (map[string]float64, error) {
	code, body, err := get(ctx, "http://"+s.http+"/metrics")
	if err != nil || code != http.StatusOK {
		return nil, fmt.Errorf("GET /metrics: %d %w", code, err)
	}
	all := map[string]float64{}
	for _, sample := range regexp.MustCompile(`(?m)^([a-z]\w*(?:\{.*\})?) (\S+)$`).FindAllStringSubmatch(body, -1) {
		v, err := strconv.ParseFloat(sample[2], 64)
		if err != nil {
			return nil, fmt.Errorf("metric %s: %w", sample[1], err)
		}
		all[sample[1]] = v
	}
	return all, nil
}

// sum adds up the series of a metric that hold all the labels.
func sum(all map[string]float64, metric string, labels ...string) (total float64) {
	for name, v := range all {
		if base, _, _ := strings.Cut(name, "{"); base != metric {
			continue
		}
		holds := true
		for _, label := range labels {
			holds = holds && strings.Contains(name, label)
		}
		if holds {
			total += v
		}
	}
	return total
}
