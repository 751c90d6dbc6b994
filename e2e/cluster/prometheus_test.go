//go:build e2e

package cluster

import (
	"context"
	"errors"
	"fmt"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/kedastral/kedastral/e2e/cluster/plane"
)

// prometheus is a real server on this machine that scrapes our gauges every
// second.
type prometheus struct {
	procs  *plane.Processes
	tools  string // folder of prometheus and promtool
	config string
	data   string
	url    *url.URL

	process *plane.Process
}

// newPrometheus is the server of the folder E2E_PROMETHEUS, published as
// prometheus.kedastral:9090 and not yet started.
func newPrometheus(ctx context.Context, h *home, target string) (*prometheus, error) {
	p := &prometheus{
		procs: h.procs, tools: os.Getenv("E2E_PROMETHEUS"),
		config: filepath.Join(h.work, "prometheus.yaml"), data: filepath.Join(h.work, "prometheus"),
		url: &url.URL{Scheme: "http", Host: "127.0.0.1:19090"},
	}
	if p.tools == "" {
		return nil, errors.New("E2E_PROMETHEUS is not set: the folder of prometheus and promtool; run scripts/e2e")
	}
	if err := os.WriteFile(p.config, fmt.Appendf(nil, `
global: {scrape_interval: 1s, scrape_timeout: 1s}
scrape_configs: [{job_name: load, static_configs: [{targets: [%q], labels: {instance: load}}]}]
`, target), 0o600); err != nil {
		return nil, fmt.Errorf("writing Prometheus' configuration: %w", err)
	}
	if _, err := h.publish(ctx, "prometheus.kedastral", 9090, httputil.NewSingleHostReverseProxy(p.url)); err != nil {
		return nil, err
	}
	return p, nil
}

func (p *prometheus) start(ctx context.Context) (err error) {
	p.process, err = p.procs.Spawn("prometheus", nil, filepath.Join(p.tools, "prometheus"),
		"--config.file="+p.config, "--storage.tsdb.path="+p.data, "--storage.tsdb.retention.time=90d",
		"--web.listen-address="+p.url.Host)
	if err != nil {
		return err
	}
	return plane.Await(ctx, 30*time.Second, func(ctx context.Context) error {
		return plane.Healthy(ctx, p.url.String()+"/-/ready")
	})
}

// remember gives the server a history, load(t) every step from `from` to `to`.
// It reads such blocks when it starts.
func (p *prometheus) remember(ctx context.Context, workload string, load func(time.Time) float64, from, to time.Time, step time.Duration) error {
	var text strings.Builder
	text.WriteString("# TYPE e2e_load gauge\n")
	for t := from.Truncate(step); t.Before(to); t = t.Add(step) {
		fmt.Fprintf(&text, "e2e_load{instance=\"load\",job=\"load\",workload=%q} %g %d\n", workload, load(t), t.Unix())
	}
	text.WriteString("# EOF\n")
	file := p.data + "-" + strings.ReplaceAll(workload, "/", "-") + ".om"
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		return fmt.Errorf("writing the history of %s: %w", workload, err)
	}
	said, err := exec.CommandContext(ctx, filepath.Join(p.tools, "promtool"), "tsdb", "create-blocks-from", "openmetrics", "--quiet", file, p.data).CombinedOutput()
	if err != nil {
		return fmt.Errorf("backfilling the history of %s: %w: %s", workload, err, said)
	}
	return nil
}
