package faults_test

import (
	"bufio"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
)

// prometheus is a real one.
type prometheus struct {
	*process
	dir, addr string
}

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

// newPrometheus is a running one that knows the demand of some minutes before
// and after now.
func newPrometheus(t *testing.T) *prometheus {
	t.Helper()
	p := &prometheus{dir: t.TempDir(), addr: freePort(t)}
	if err := os.WriteFile(filepath.Join(p.dir, "prometheus.yml"), []byte("global: {scrape_interval: 15s}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(p.dir, "backfill.om")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewWriter(f)
	fmt.Fprintln(lines, "# TYPE demand gauge")
	for at, end := time.Now().Add(-10*time.Minute), time.Now().Add(20*time.Minute); at.Before(end); at = at.Add(time.Second) {
		fmt.Fprintf(lines, "demand %g %d\n", demand(at.Add(-time.Second)), at.Unix())
	}
	fmt.Fprintln(lines, "# EOF")
	if err := lines.Flush(); err != nil {
		t.Fatal(err)
	}
	f.Close()
	command := exec.Command(tool(t, "promtool"), "tsdb", "create-blocks-from", "openmetrics", path, filepath.Join(p.dir, "data"))
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("backfilling: %v\n%s", err, out)
	}
	p.run(t)
	t.Cleanup(func() { p.kill() })
	return p
}

func (p *prometheus) run(t *testing.T) {
	t.Helper()
	p.process = start(t, nil, tool(t, "prometheus"),
		"--config.file="+filepath.Join(p.dir, "prometheus.yml"), "--storage.tsdb.path="+filepath.Join(p.dir, "data"),
		"--storage.tsdb.retention.time=60d", "--web.listen-address="+p.addr, "--log.level=warn")
	eventually(t, 30*time.Second, "Prometheus is ready", answers("http://"+p.addr+"/-/ready"))
}

// A real Prometheus that dies or hangs leaves the forecaster what it knows, for
// as long as that says something of the present.
func TestPrometheusGone(t *testing.T) {
	t.Parallel()
	p := newPrometheus(t)
	w := newWorld(t, plan{forecasters: 1, source: "http://" + p.addr, forecaster: map[string]string{"DEFAULT_QUERY": "sum(demand)"}})
	w.row(t, fault{
		id: "M1", what: "Prometheus is killed, until forecasts are stale", made: "SIGKILL of a real one, started again on its data",
		strike: p.kill, mend: func() { p.run(t) },
		lasts: maxDataAge + staleAfter, becomes: "stale", heals: 12 * time.Second,
		during: w.sourceIsDown,
	})
	w.row(t, fault{
		id: "M2", what: "Prometheus hangs, until forecasts are stale", made: "SIGSTOP of a real one, SIGCONT",
		strike: func() { p.signal(t, syscall.SIGSTOP) }, mend: func() { p.signal(t, syscall.SIGCONT) },
		lasts: maxDataAge + staleAfter, becomes: "stale", heals: 12 * time.Second,
		during: w.sourceIsDown,
	})
	w.row(t, fault{
		id: "M14", what: "the newest step is incomplete", made: "a real Prometheus, read as each step ends",
		lasts: 3 * time.Second, heals: 5 * time.Second, quiet: true,
		during: func(f *finding) {
			if off := w.relays[0].misled(); off > 0.5 {
				f.broke(expected, "a load was told as observed that is off by %.0f", off)
			}
		},
	})
}

func (w *world) sourceIsDown(f *finding) {
	for _, s := range w.forecasters {
		if all, err := s.metrics(w.t.Context()); err != nil || sum(all, "kedastral_forecaster_source_up") != 0 {
			f.broke(expected, "the source is not told to be down: %v", err)
		}
	}
}

// wire is a connection that can be made bad.
type wire struct{ *toxiproxy.Proxy }

// newWire listens for what is meant for an address.
func newWire(t *testing.T, to string) wire {
	t.Helper()
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	zerolog.SetGlobalLevel(zerolog.Disabled) // its toxics log by themselves
	proxy := toxiproxy.NewProxy(server, t.Name(), "127.0.0.1:0", to)
	if err := proxy.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(proxy.Stop)
	return wire{proxy}
}

// ail makes the connection bad, in the direction of answers.
func (x wire) ail(t *testing.T, kind, attributes string) {
	t.Helper()
	if _, err := x.Toxics.AddToxicJson(strings.NewReader(fmt.Sprintf(`{"name":"ill","type":%q,"stream":"downstream","attributes":%s}`, kind, attributes))); err != nil {
		t.Errorf("adding %s: %v", kind, err)
	}
}

func (x wire) heal(t *testing.T) {
	t.Helper()
	x.Toxics.ResetToxics(t.Context())
}

// ailments of a connection.
func ailments() []struct{ suffix, what, kind, attributes string } {
	return []struct{ suffix, what, kind, attributes string }{
		{"a", "answers after 5 s", "latency", `{"latency":5000,"jitter":500}`},
		{"b", "is answered at 1 KB/s", "bandwidth", `{"rate":1}`},
		{"c", "is answered a few bytes at a time", "slicer", `{"average_size":20,"size_variation":10,"delay":20000}`},
		{"d", "breaks off after 300 bytes", "limit_data", `{"bytes":300}`},
		{"e", "is reset", "reset_peer", `{"timeout":50}`},
		{"f", "is a hole: nothing comes", "timeout", `{"timeout":0}`},
	}
}

// The connection to the source is ill: the forecasts go on.
func TestSourceConnection(t *testing.T) {
	t.Parallel()
	real := newSource(t)
	x := newWire(t, strings.TrimPrefix(real.URL, "http://"))
	w := newWorld(t, plan{forecasters: 1, source: "http://" + x.Listen})
	for _, a := range ailments() {
		w.row(t, fault{
			id: "M3" + a.suffix, what: "the connection to the source " + a.what, made: "toxiproxy " + a.kind + " " + a.attributes,
			strike: func() { x.ail(t, a.kind, a.attributes) }, mend: func() { x.heal(t) },
			lasts: 4 * time.Second, heals: 10 * time.Second,
		})
	}
}

// The connection to the forecaster is ill: what is held is answered from.
func TestForecasterConnection(t *testing.T) {
	t.Parallel()
	w := newWorld(t, plan{wired: true})
	x := w.wires[0]
	for _, a := range ailments() {
		w.row(t, fault{
			id: "F3" + strings.ToUpper(a.suffix), what: "the connection to the forecaster " + a.what, made: "toxiproxy " + a.kind + " " + a.attributes,
			strike: func() { x.ail(t, a.kind, a.attributes) }, mend: func() { x.heal(t) },
			lasts: 4 * time.Second, heals: 9 * time.Second, lossy: true,
		})
	}
	w.row(t, fault{
		id: "F3G", what: "the connection to the forecaster takes 150 ms, and no answer does", made: "toxiproxy latency",
		strike: func() { x.ail(t, "latency", `{"latency":150}`) }, mend: func() { x.heal(t) },
		lasts: 4 * time.Second, heals: 5 * time.Second, quiet: true, lossy: true,
	})
	w.row(t, fault{
		id: "S12", what: "the connection to the forecaster is a hole, until forecasts are stale", made: "toxiproxy timeout",
		strike: func() { x.ail(t, "timeout", `{"timeout":0}`) }, mend: func() { x.heal(t) },
		lasts: staleAfter + 2*time.Second, becomes: "stale", heals: 9 * time.Second, lossy: true,
	})
}

// Two forecasters: one is killed, hangs, is cut off, and both are replaced, and
// nobody notices.
func TestForecasterOneOfTwo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, plan{forecasters: 2, wired: true})
	w.row(t, fault{
		id: "F9c", what: "two forecasters with one source publish the same", made: "both asked for the same second",
		lasts: 3 * time.Second, heals: 5 * time.Second, quiet: true, during: w.sameSnapshot,
	})
	for i, f := range w.forecasters {
		n := string(rune('1' + i))
		w.row(t, fault{
			id: "F9k" + n, what: "forecaster " + n + " of two is killed", made: "SIGKILL, started again",
			strike: f.kill, mend: func() { f.start(t) }, lasts: 5 * time.Second, heals: 8 * time.Second, quiet: true,
		})
		w.row(t, fault{
			id: "F9s" + n, what: "forecaster " + n + " of two hangs", made: "SIGSTOP, SIGCONT",
			strike: func() { f.signal(t, syscall.SIGSTOP) }, mend: func() { f.signal(t, syscall.SIGCONT) },
			lasts: 5 * time.Second, heals: 8 * time.Second, quiet: true,
		})
		w.row(t, fault{
			id: "F9p" + n, what: "forecaster " + n + " of two is cut off from the scaler", made: "toxiproxy timeout: nothing comes",
			strike: func() { w.wires[i].ail(t, "timeout", `{"timeout":0}`) }, mend: func() { w.wires[i].heal(t) },
			lasts: 5 * time.Second, heals: 8 * time.Second, quiet: true, lossy: true,
		})
	}
	w.row(t, fault{
		id: "F2", what: "both forecasters are replaced, one after the other", made: "SIGTERM, started again",
		beside: func(*finding) {
			for _, f := range w.forecasters {
				f.stop(t, 15*time.Second)
				f.start(t)
				eventually(t, 30*time.Second, "the forecaster is ready", answers("http://"+f.http+"/readyz"))
			}
		},
		lasts: time.Second, heals: 8 * time.Second, quiet: true,
	})
}

// sameSnapshot compares what both forecasters say of one instant.
func (w *world) sameSnapshot(f *finding) {
	_, err := within(5*time.Second, func() error {
		var tags []string
		for _, s := range w.forecasters {
			response, err := http.Get("http://" + s.http + "/forecast/current?workload=" + w.workloads[0])
			if err != nil {
				return err
			}
			response.Body.Close()
			tags = append(tags, response.Header.Get("ETag"))
		}
		if tags[0] == "" || tags[0] != tags[1] {
			return fmt.Errorf("ETags %q", tags)
		}
		return nil
	})
	if err != nil {
		f.broke(told, "two forecasters with one source differ: %v", err)
	}
}
