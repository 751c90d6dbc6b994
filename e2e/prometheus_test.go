package e2e_test

import (
	"bufio"
	"encoding/csv"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/kedastral/kedastral/e2e/process"
	"github.com/kedastral/kedastral/e2e/process/processtest"
)

// prometheus is a real server with a folder of its own, which survives a kill.
type prometheus struct {
	*process.Process
	dir, addr string
}

// tool is the path of prometheus or promtool.
func tool(t *testing.T, name string) string {
	t.Helper()
	if dir := os.Getenv("PROMETHEUS_DIR"); dir != "" {
		return filepath.Join(dir, name)
	}
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%s is not on the PATH and PROMETHEUS_DIR is not set: scripts/prometheus finds or unpacks it", name)
	}
	return path
}

// newPrometheus prepares a server that scrapes nothing: what it knows is
// backfilled, also some of the future.
func newPrometheus(t *testing.T) *prometheus {
	t.Helper()
	p := &prometheus{dir: t.TempDir(), addr: processtest.FreeAddress(t)}
	if err := os.WriteFile(filepath.Join(p.dir, "prometheus.yml"), []byte("global: {scrape_interval: 15s}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

// run starts the server, or starts it again on the same data.
func (p *prometheus) run(t *testing.T) {
	t.Helper()
	p.Process = processtest.Start(t, tool(t, "prometheus"), nil,
		"--config.file="+filepath.Join(p.dir, "prometheus.yml"), "--storage.tsdb.path="+filepath.Join(p.dir, "data"),
		"--storage.tsdb.retention.time=60d", "--web.listen-address="+p.addr, "--log.level=warn")
	processtest.Eventually(t, 30*time.Second, "Prometheus is ready", processtest.Answers(t.Context(), p.url()+"/-/ready"))
}

func (p *prometheus) url() string { return "http://" + p.addr }

// backfill writes a series' past into the server's data before it runs.
func (p *prometheus) backfill(t *testing.T, series string, samples []sample) {
	t.Helper()
	path := filepath.Join(p.dir, "backfill.om")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriter(f)
	fmt.Fprintf(w, "# TYPE %s gauge\n", series)
	for _, s := range samples {
		fmt.Fprintf(w, "%s %g %d\n", series, s.value, s.at.Unix())
	}
	fmt.Fprintln(w, "# EOF")
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	command := exec.Command(tool(t, "promtool"), "tsdb", "create-blocks-from", "openmetrics", "--max-block-duration=24h", path, filepath.Join(p.dir, "data"))
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("backfilling: %v\n%s", err, out)
	}
}

type sample struct {
	at    time.Time
	value float64
}

// recorded is the demo's trace, moved in time so that it ends at end.
func recorded(t *testing.T, end time.Time) []sample {
	t.Helper()
	f, err := os.Open("demo/nasa-http.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var samples []sample
	for _, row := range rows[1:] {
		unix, err := strconv.ParseInt(row[0], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		value, err := strconv.ParseFloat(row[1], 64)
		if err != nil {
			t.Fatal(err)
		}
		samples = append(samples, sample{time.Unix(unix, 0), value})
	}
	shift := end.Sub(samples[len(samples)-1].at)
	for i := range samples {
		samples[i].at = samples[i].at.Add(shift)
	}
	return samples
}
