package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/kedastral/kedastral/e2e/kedalike"
	"github.com/kedastral/kedastral/e2e/process"
	"github.com/kedastral/kedastral/e2e/process/processtest"
	"github.com/kedastral/kedastral/shared/forecast"
)

// pair is a forecaster, a scaler that pulls from it, and the questions people
// and KEDA have.
type pair struct {
	forecaster, scaler         *process.Process
	forecasterEnv              map[string]string
	forecasterHTTP, scalerHTTP string
	keda                       *kedalike.Client
}

const (
	interval   = 5 * time.Second // between two forecasts of demo/fast
	staleAfter = 25 * time.Second
	forgiving  = 10 * time.Minute // outlives the minute between two forecasts of demo/web
)

// newPair runs both services, the scaler with this STALE_AFTER, on a Prometheus
// that holds, ending now, three weeks of demo/web by the minute and, going on
// for as long as the test runs, two hours of demo/fast every five seconds.
func newPair(t *testing.T, staleAfter time.Duration, others ...string) (*prometheus, *pair) {
	t.Helper()
	now := time.Now().Truncate(time.Minute)
	source := newPrometheus(t)
	source.backfill(t, `web_requests`, recorded(t, now))
	source.backfill(t, `fast_load`, wave(now.Add(-2*time.Hour), now.Add(20*time.Minute), interval))
	source.run(t)

	p := &pair{forecasterHTTP: processtest.FreeAddress(t), scalerHTTP: processtest.FreeAddress(t)}
	p.forecasterEnv = map[string]string{
		"HTTP_ADDR": p.forecasterHTTP, "FORECASTER_AUTH": "none", "PROMETHEUS_URL": source.url(), "PROMETHEUS_TIMEOUT": "3s", "SCRAPE_INTERVAL": "1s", "MAX_DATA_AGE": "3m",
		"WORKLOADS": "demo/web,demo/fast", "DEFAULT_MAX_REPLICAS": "500", "LOG_FORMAT": "json",
		"WORKLOAD_DEMO_WEB_QUERY": "web_requests", "WORKLOAD_DEMO_WEB_TARGET_PER_POD": "8", "WORKLOAD_DEMO_WEB_WINDOW": "14d", "WORKLOAD_DEMO_WEB_TIMEZONE": "America/New_York",
		"WORKLOAD_DEMO_FAST_QUERY": "fast_load", "WORKLOAD_DEMO_FAST_TARGET_PER_POD": "10", "WORKLOAD_DEMO_FAST_STEP": "5s",
		"WORKLOAD_DEMO_FAST_WINDOW": "1h", "WORKLOAD_DEMO_FAST_HORIZON": "5m", "WORKLOAD_DEMO_FAST_TRAIN_INTERVAL": "1m",
	}
	p.startForecaster(t)
	grpcAddr := processtest.FreeAddress(t)
	p.scaler = processtest.Start(t, filepath.Join(binaries, "scaler"), map[string]string{
		"NAMESPACE": "demo", "FORECASTER_URL": "http://" + strings.Join(append([]string{p.forecasterHTTP}, others...), ",http://"), "FORECASTER_AUTH": "none", "GRPC_ADDR": grpcAddr, "HTTP_ADDR": p.scalerHTTP,
		"LEAD_TIME": "30s", "STALE_AFTER": staleAfter.String(), "REFRESH_INTERVAL": "1s", "FETCH_TIMEOUT": "1s",
	})
	processtest.Eventually(t, 10*time.Second, "the scaler is ready", processtest.Answers(t.Context(), "http://"+p.scalerHTTP+"/readyz"))
	client, err := kedalike.Dial(grpcAddr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	p.keda = client
	return source, p
}

func (p *pair) startForecaster(t *testing.T) {
	t.Helper()
	p.forecaster = processtest.Start(t, filepath.Join(binaries, "forecaster"), p.forecasterEnv)
	processtest.Eventually(t, time.Minute, "the forecaster is ready", processtest.Answers(t.Context(), "http://"+p.forecasterHTTP+"/readyz"))
}

// wave is a load between 100 and 300 that repeats every ten minutes.
func wave(from, to time.Time, step time.Duration) []sample {
	var out []sample
	for at := from; at.Before(to); at = at.Add(step) {
		out = append(out, sample{at, 200 + 100*math.Sin(2*math.Pi*float64(at.Unix())/600)})
	}
	return out
}

// current is a workload's snapshot and its age, as the forecaster serves them.
func (p *pair) current(ctx context.Context, workload string) (s forecast.Snapshot, age time.Duration, err error) {
	code, header, body, err := processtest.Get(ctx, p.url(workload))
	if err != nil {
		return s, 0, err
	}
	if code != http.StatusOK {
		return s, 0, fmt.Errorf("%d %s", code, body)
	}
	if err := json.Unmarshal([]byte(body), &s); err != nil {
		return s, 0, err
	}
	age, err = time.ParseDuration(header.Get("Age") + "s")
	return s, age, err
}

func (p *pair) url(workload string) string {
	return "http://" + p.forecasterHTTP + "/forecast/current?workload=" + workload
}

// ask is one round of KEDA's questions, which must not take long whatever the
// rest of the world does.
func (p *pair) ask(t *testing.T, name string, metadata map[string]string) (kedalike.Answer, error) {
	t.Helper()
	began := time.Now()
	answer, err := p.keda.Ask(t.Context(), kedalike.Ref("demo", name, metadata))
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("three questions took %v; each must be answered from memory", took)
	}
	return answer, err
}

// fresh waits until KEDA is told a count that the newest snapshot asks for.
func (p *pair) fresh(t *testing.T, name string, lead time.Duration) kedalike.Answer {
	t.Helper()
	var answer kedalike.Answer
	processtest.Eventually(t, 30*time.Second, "KEDA is told what the forecast says", func() error {
		s, age, err := p.current(t.Context(), "demo/"+name)
		if err != nil {
			return err
		}
		if answer, err = p.ask(t, name, nil); err != nil {
			return err
		}
		if answer.Metric != "kedastral-desired-replicas" || answer.Target != 1 || !answer.Active {
			t.Errorf("KEDA is told %+v", answer)
		}
		want, ok := s.Highest(age, lead)
		if !ok || answer.Value != float64(want) {
			return fmt.Errorf("told %v at age %v; the forecast says %d", answer.Value, age, want)
		}
		return nil
	})
	return answer
}

// A forecaster that starts knows two weeks of minutes at once, and what it
// plans from them is what KEDA is told.
func TestWarmStart(t *testing.T) {
	t.Parallel()
	source, p := newPair(t, forgiving)
	answer := p.fresh(t, "web", 30*time.Second)
	s, _, err := p.current(t.Context(), "demo/web")
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("demo/web: model %s, mode %s, observed %.0f, forecast %.1f … %.1f, skill %+v, replicas %v; KEDA is told %v",
		s.Model, s.Mode, s.Observed.Value, s.Values[0], s.Values[len(s.Values)-1], s.Skill, s.DesiredReplicas[:5], answer.Value)
	if s.Skill == nil || s.Skill.Origins < 10 {
		t.Errorf("skill after a warm start over two weeks: %+v; want it known", s.Skill)
	}
	// 14 days by the minute are 20,160 points, and Prometheus answers 11,000.
	_, _, metrics, err := processtest.Get(t.Context(), source.url()+"/metrics")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.SplitSeq(metrics, "\n") {
		if strings.HasPrefix(line, `prometheus_http_requests_total{code="4`) && strings.Contains(line, "query_range") {
			t.Errorf("Prometheus refused a query: %s", line)
		}
	}
}

// The transcript of one healthy pair, and of a client that asks twice.
func TestWire(t *testing.T) {
	t.Parallel()
	_, p := newPair(t, forgiving)
	p.fresh(t, "fast", 30*time.Second)
	code, header, body, err := processtest.Get(t.Context(), p.url("demo/fast"))
	if err != nil || code != http.StatusOK || header.Get("ETag") == "" || header.Get("Cache-Control") == "" {
		t.Fatalf("GET %s: %d %v %v", p.url("demo/fast"), code, header, err)
	}
	t.Logf("GET %s\nETag: %s\nAge: %s\n%.400s…", p.url("demo/fast"), header.Get("ETag"), header.Get("Age"), body)
	processtest.Eventually(t, 3*interval, "asking again is not modified", func() error {
		_, header, _, err := processtest.Get(t.Context(), p.url("demo/fast"))
		if err != nil {
			return err
		}
		if code, _, _, err = processtest.Get(t.Context(), p.url("demo/fast"), "If-None-Match", header.Get("ETag")); err == nil && code != http.StatusNotModified {
			err = fmt.Errorf("%d", code)
		}
		return err
	})
	for path, want := range map[string]int{
		"/forecast/current?workload=demo/nobody": http.StatusNotFound,
		"/forecast/current?workload=..%2f%00":    http.StatusBadRequest,
		"/forecast/current":                      http.StatusBadRequest,
		"/nowhere":                               http.StatusNotFound,
		"/healthz":                               http.StatusOK,
		"/metrics":                               http.StatusOK,
		"/workloads":                             http.StatusOK,
		"/forecast/explain?workload=demo/fast":   http.StatusOK,
	} {
		code, header, body, err := processtest.Get(t.Context(), "http://"+p.forecasterHTTP+path)
		if err != nil || code != want {
			t.Errorf("GET %s: %d %v; want %d", path, code, err, want)
		}
		if code >= 400 && header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("GET %s: %s %s; want a problem", path, header.Get("Content-Type"), body)
		}
	}
	if _, err := p.keda.Ask(t.Context(), kedalike.Ref("elsewhere", "fast", nil)); status.Code(err) != codes.PermissionDenied {
		t.Errorf("asked for another namespace: %v; want PermissionDenied", err)
	}
	if _, err := p.ask(t, "fast", map[string]string{"leadtime": "5m"}); status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), "leadTime") {
		t.Errorf("asked with leadtime: %v; want InvalidArgument that says leadTime", err)
	}
	p.drains(t)
}

// drains watches a push stream while the scaler is told to end.
func (p *pair) drains(t *testing.T) {
	t.Helper()
	states := make(chan bool, 16)
	ended := make(chan error, 1)
	go func() {
		ended <- p.keda.Watch(t.Context(), kedalike.Ref("demo", "fast", nil), func(active bool) { states <- active })
	}()
	select {
	case active := <-states:
		if !active {
			t.Error("StreamIsActive says inactive of a workload with load")
		}
	case <-time.After(5 * time.Second):
		t.Fatal("StreamIsActive says nothing on open")
	}
	processtest.Stop(t, p.scaler, 12*time.Second)
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("the stream ended with %v when the scaler drained; want its end", err)
		}
	case <-time.After(time.Second):
		t.Error("the stream outlives the scaler")
	}
}

// A forecaster that hangs, dies and returns: answers go on at once, are held,
// then become what is configured, and heal by themselves.
func TestForecasterGone(t *testing.T) {
	t.Parallel()
	_, p := newPair(t, staleAfter)
	before := p.fresh(t, "fast", 30*time.Second)

	processtest.Signal(t, p.forecaster, syscall.SIGSTOP)
	for range 20 {
		if answer, err := p.ask(t, "fast", nil); err != nil || answer.Value < 1 {
			t.Fatalf("asked while the forecaster hangs: %+v, %v; want the forecast in memory", answer, err)
		}
	}
	processtest.Signal(t, p.forecaster, syscall.SIGCONT)
	before = p.fresh(t, "fast", 30*time.Second)

	p.forecaster.Kill()
	killed := time.Now()
	served := before.Value
	held := 0
	for time.Since(killed) < staleAfter-2*interval { // what it held was up to an interval old already
		answer, err := p.ask(t, "fast", nil)
		if err != nil {
			t.Fatalf("asked %v after the forecaster's death: %v; want the held forecast", time.Since(killed), err)
		}
		if time.Since(killed) > 2*interval+2*time.Second {
			if answer.Value < served {
				t.Fatalf("a held forecast lowered %v to %v", served, answer.Value)
			}
			held++
		}
		served = answer.Value
		time.Sleep(200 * time.Millisecond)
	}
	if held == 0 {
		t.Error("no answer was asked for while the forecast was held")
	}
	processtest.Eventually(t, 15*time.Second, "a stale forecast is an error", func() error {
		if answer, err := p.ask(t, "fast", nil); status.Code(err) != codes.Unavailable {
			return fmt.Errorf("%+v, %w", answer, err)
		}
		return nil
	})
	answer, err := p.ask(t, "fast", map[string]string{"fallbackReplicas": "7"})
	if err != nil || answer.Value != 7 || !answer.Active {
		t.Errorf("stale with fallbackReplicas 7: %+v, %v", answer, err)
	}
	t.Logf("fresh %v → %d held answers, never below %v → stale is an error, or 7 as configured", before.Value, held, served)
	p.startForecaster(t)
	after := p.fresh(t, "fast", 30*time.Second)
	t.Logf("the forecaster is back: %v", after.Value)
}

// A Prometheus that dies leaves the forecaster its history to go on from until
// that is too old, and is read again when it returns.
func TestPrometheusGone(t *testing.T) {
	t.Parallel()
	source, p := newPair(t, forgiving)
	p.fresh(t, "fast", 30*time.Second)
	source.Kill()
	killed := time.Now()
	processtest.Eventually(t, 30*time.Second, "forecasts go on without Prometheus", func() error {
		s, _, err := p.current(t.Context(), "demo/fast")
		if err == nil && s.GeneratedAt.Before(killed.Add(interval)) {
			err = fmt.Errorf("the newest is of %v, %v after the end of Prometheus", s.GeneratedAt, s.GeneratedAt.Sub(killed))
		}
		return err
	})
	if _, err := p.ask(t, "fast", nil); err != nil {
		t.Errorf("KEDA asks while Prometheus is gone: %v", err)
	}
	source.run(t)
	processtest.Eventually(t, time.Minute, "the forecaster reads again", func() error {
		s, _, err := p.current(t.Context(), "demo/fast")
		if err == nil && s.Observed.At.Before(killed.Add(interval)) {
			err = fmt.Errorf("the newest observation is of %v", s.Observed.At)
		}
		return err
	})
	p.fresh(t, "fast", 30*time.Second)
}

// Every fault of a configuration is told at once, and the exit code is 2.
func TestConfigurationFaults(t *testing.T) {
	t.Parallel()
	for binary, tt := range map[string]struct {
		env  map[string]string
		want []string
	}{
		"forecaster": {
			map[string]string{"WORKLOADS": "shop/web", "DEFAULT_STEP": "-1m", "DEFAULT_MODLE": "auto", "CONCURRENCY": "many", "PROMETHEUS_BEARER_TOKEN": "s3cret"},
			[]string{"DEFAULT_STEP=-1m", "DEFAULT_MODLE", "DEFAULT_MODEL", "CONCURRENCY", "PROMETHEUS_URL", "TARGET_PER_POD"},
		},
		"scaler": {
			map[string]string{"NAMESPACE": "Not A Name", "LEAD_TIME": "soon", "FORECASTER_ULR": "http://x"},
			[]string{"NAMESPACE", "LEAD_TIME", "FORECASTER_URL", "FORECASTER_ULR"},
		},
	} {
		p := processtest.Start(t, filepath.Join(binaries, binary), tt.env)
		select {
		case <-p.Done():
		case <-time.After(10 * time.Second):
			t.Fatalf("the %s runs with a broken configuration", binary)
		}
		if code := p.ExitCode(); code != 2 {
			t.Errorf("the %s ended with %d; want 2", binary, code)
		}
		for _, want := range tt.want {
			if !strings.Contains(p.Log.String(), want) {
				t.Errorf("the %s does not name %s:\n%s", binary, want, &p.Log)
			}
		}
		if strings.Contains(p.Log.String(), "s3cret") {
			t.Errorf("the %s tells a secret:\n%s", binary, &p.Log)
		}
	}
}
