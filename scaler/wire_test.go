package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/kedastral/kedastral/shared/env"
	"github.com/kedastral/kedastral/shared/forecast"
	"github.com/kedastral/kedastral/shared/shard"
	"github.com/kedastral/kedastral/shared/tlsconfig/tlstest"
)

// document answers with a body of its own making, and the age it tells.
type document struct {
	*httptest.Server
	body atomic.Pointer[string]
	age  atomic.Int64 // seconds
}

func newDocument(t *testing.T, counts ...int) *document {
	t.Helper()
	d := &document{}
	d.plan(t, counts...)
	d.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set(forecast.AgeHeader, strconv.FormatInt(d.age.Load(), 10))
		_, _ = w.Write([]byte(*d.body.Load()))
	}))
	t.Cleanup(d.Close)
	return d
}

// plan writes a snapshot of minutes, renewed every five, that starts now.
func (d *document) plan(t *testing.T, counts ...int) {
	t.Helper()
	body, err := forecast.Encode(forecast.Snapshot{
		Workload: "shop/web", Metric: "rps", Model: "naive", Mode: forecast.Predictive,
		GeneratedAt: time.Now().UTC().Truncate(time.Minute), IntervalSeconds: 300, StepSeconds: 60, HorizonSeconds: 60 * len(counts),
		Values: make([]float64, len(counts)), DesiredReplicas: counts,
	})
	if err != nil {
		t.Fatal(err)
	}
	text := string(body)
	d.body.Store(&text)
}

// eventuallyFor waits until a trigger with the lead time is told the count.
func (p *process) eventuallyFor(t *testing.T, lead string, want int64) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		got, err := p.ask(t, ref("leadTime", lead))
		if err == nil && got == want {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("leadTime %s: GetMetrics() = %d, %v; want %d within 10s", lead, got, err, want)
		}
	}
}

// A plan of 10, 12, 15, 20, 18, 16 by the minute, with five minutes of lead,
// is 20 replicas over the wire; with less lead or at a greater age, what falls
// into it then.
func TestPlanOverTheWire(t *testing.T) {
	d := newDocument(t, 10, 12, 15, 20, 18, 16)
	p := launch(t, env.Vars{"FORECASTER_URL": d.URL, "LEAD_TIME": "5m"})
	if got, err := p.ask(t, ref()); err != nil || got != 20 {
		t.Errorf("GetMetrics() = %d, %v; want 20", got, err)
	}
	p.eventuallyFor(t, "1m", 12) // it is a moment old: the minute ahead reaches into the second
	p.eventuallyFor(t, "0s", 10)
	p.eventuallyFor(t, "2m", 15)
	d.age.Store(4*60 + 1)
	p.eventuallyFor(t, "5m", 18) // the peak is past
}

// A plan that falls by a tenth a step is told as it falls: 100, 90, 81, 73.
func TestFallOverTheWire(t *testing.T) {
	d := newDocument(t, 100, 90, 81, 73)
	p := launch(t, env.Vars{"FORECASTER_URL": d.URL})
	for age, want := range []int64{100, 90, 81, 73} {
		d.age.Store(int64(60*age) + 1)
		p.eventuallyFor(t, "0s", want)
	}
}

// A forecast with NaN or Inf in it is none: it neither lowers what is told nor
// becomes a number of its own.
func TestNotANumberOverTheWire(t *testing.T) {
	for _, poison := range []string{"NaN", "Infinity", "-Infinity", "1e999", "null", `"NaN"`} {
		t.Run(poison, func(t *testing.T) {
			t.Parallel()
			d := newDocument(t, 20, 20, 20)
			p := launch(t, env.Vars{"FORECASTER_URL": d.URL})
			if got, err := p.ask(t, ref()); err != nil || got != 20 {
				t.Fatalf("GetMetrics() = %d, %v; want 20", got, err)
			}
			d.plan(t, 1, 1, 1)
			poisoned := strings.Replace(*d.body.Load(), `"values":[0,`, `"values":[`+poison+`,`, 1)
			d.body.Store(&poisoned)
			for end := time.Now().Add(2500 * time.Millisecond); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
				if got, err := p.ask(t, ref()); err != nil || got != 20 {
					t.Fatalf("with %s in the forecast: GetMetrics() = %d, %v; want the 20 before", poison, got, err)
				}
			}
			if _, metrics := p.get(t, "/metrics"); !strings.Contains(metrics, `kedastral_scaler_fetch_errors_total{reason="invalid"} `) || strings.Contains(metrics, `{reason="invalid"} 0`) {
				t.Errorf("%s: no invalid forecast was counted, so none was refused", poison)
			}
		})
	}
}

// Each setting that changes what KEDA is told, or how the forecaster is asked,
// does so in the running process.
func TestSettingsHaveTheirEffect(t *testing.T) {
	t.Run("LEAD_TIME", func(t *testing.T) {
		t.Parallel()
		d := newDocument(t, 10, 12, 15, 20, 18, 16)
		p := launch(t, env.Vars{"FORECASTER_URL": d.URL, "LEAD_TIME": "2m"})
		if got, err := p.ask(t, ref()); err != nil || got != 15 {
			t.Errorf("GetMetrics() = %d, %v; want 15", got, err)
		}
	})
	t.Run("STALE_AFTER and FALLBACK_REPLICAS", func(t *testing.T) {
		t.Parallel()
		d := newDocument(t, 10, 10, 10)
		d.age.Store(90)
		p := launch(t, env.Vars{"FORECASTER_URL": d.URL, "STALE_AFTER": "1m", "FALLBACK_REPLICAS": "6"})
		if got, err := p.ask(t, ref()); err != nil || got != 6 {
			t.Errorf("GetMetrics() = %d, %v; want the fallback, 6", got, err)
		}
	})
	t.Run("REFRESH_INTERVAL", func(t *testing.T) {
		t.Parallel()
		f := newForecaster(t)
		p := launch(t, env.Vars{"FORECASTER_URL": f.URL, "REFRESH_INTERVAL": "1h"})
		p.eventually(t, 7, codes.OK)
		before := f.asked.Load()
		time.Sleep(2500 * time.Millisecond)
		if n := f.asked.Load() - before; n != 0 {
			t.Errorf("asked %d times in two seconds; want once an hour", n)
		}
	})
	t.Run("FETCH_TIMEOUT", func(t *testing.T) {
		t.Parallel()
		f := newForecaster(t)
		f.hung.Store(true)
		p := launch(t, env.Vars{"FORECASTER_URL": f.URL, "FETCH_TIMEOUT": "100ms"})
		_, _ = p.ask(t, ref())
		for end := time.Now().Add(time.Second); ; time.Sleep(20 * time.Millisecond) {
			if _, metrics := p.get(t, "/metrics"); strings.Contains(metrics, `kedastral_scaler_fetch_errors_total{reason="timeout"} 1`) {
				return
			}
			if time.Now().After(end) {
				t.Fatal("no question was given up within a second; want after 100ms")
			}
		}
	})
	t.Run("CACHE_SIZE", func(t *testing.T) {
		t.Parallel()
		d := newDocument(t, 10, 10, 10)
		p := launch(t, env.Vars{"FORECASTER_URL": d.URL, "CACHE_SIZE": "1"})
		for _, lead := range []string{"1s", "2s", "3s", "4s"} {
			_, _ = p.ask(t, ref("leadTime", lead))
		}
		if _, metrics := p.get(t, "/metrics"); !strings.Contains(metrics, "kedastral_scaler_trigger_evictions_total 2") {
			t.Error("four triggers fit where two should")
		}
	})
	t.Run("SHARD_COUNT", func(t *testing.T) {
		t.Parallel()
		f := &forecaster{}
		f.replica.Store(7)
		asked := make(chan string, 100)
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked <- r.URL.Path
			f.answer(w, r)
		}))
		t.Cleanup(server.Close)
		shards := 2 // until the owner is not the first, who would be asked without shards
		for shard.Rank("shop/web", shards)[0] == 0 {
			shards++
		}
		p := launch(t, env.Vars{"FORECASTER_URL": server.URL + "/{ordinal}", "SHARD_COUNT": strconv.Itoa(shards)})
		p.eventually(t, 7, codes.OK)
		if path, want := <-asked, fmt.Sprintf("/%d/", shard.Rank("shop/web", shards)[0]); !strings.HasPrefix(path, want) {
			t.Errorf("%s was asked first; want the owner among %d shards, %s", path, shards, want)
		}
	})
	t.Run("CLOCK_SPEED", func(t *testing.T) {
		t.Parallel()
		d := newDocument(t, 10, 20, 30, 40, 50, 60)
		p := launch(t, env.Vars{"FORECASTER_URL": d.URL, "CLOCK_SPEED": "600", "REFRESH_INTERVAL": "1h"})
		p.eventuallyFor(t, "0s", 50) // four minutes later
	})
	t.Run("RATE_LIMIT", func(t *testing.T) {
		t.Parallel()
		f := newForecaster(t)
		p := launch(t, env.Vars{"FORECASTER_URL": f.URL, "RATE_LIMIT": "0.1"})
		_, _ = p.ask(t, ref())
		if _, err := p.ask(t, ref()); status.Code(err) != codes.ResourceExhausted {
			t.Errorf("a second question within ten seconds = %v; want ResourceExhausted", err)
		}
	})
	t.Run("MAX_IN_FLIGHT", func(t *testing.T) {
		t.Parallel()
		f := newForecaster(t)
		f.hung.Store(true)
		p := launch(t, env.Vars{"FORECASTER_URL": f.URL, "MAX_IN_FLIGHT": "1"})
		answers := make(chan error, 8)
		for range cap(answers) {
			go func() { _, err := p.ask(t, ref()); answers <- err }()
		}
		var refused int
		for range cap(answers) {
			if err := <-answers; err != nil && strings.Contains(err.Error(), "too many requests") {
				refused++
			}
		}
		if refused == 0 {
			t.Error("eight calls at a time were all taken where one should")
		}
	})
}

// forecasterOverTLS asks for a certificate of the authority and a token.
func forecasterOverTLS(t *testing.T, ours tlstest.Authority) *httptest.Server {
	t.Helper()
	f := &forecaster{}
	f.replica.Store(7)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer t0ken" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		f.answer(w, r)
	}))
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{ours.Certificate(t, tlstest.Server("forecaster.example"))}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: ours.Pool()}
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

// The forecaster's authority and name, our certificate and our token: without
// any one of them there is no forecast.
func TestForecasterSettingsHaveTheirEffect(t *testing.T) {
	ours, theirs := tlstest.NewAuthority(t, "ours", time.Hour), tlstest.NewAuthority(t, "theirs", time.Hour)
	server := forecasterOverTLS(t, ours)
	own, strange := tlstest.NewDir(t, ours, ours, tlstest.Client("scaler")), tlstest.NewDir(t, theirs, theirs, tlstest.Client("scaler"))
	own.Write(t, "token", []byte("t0ken\n"))
	strange.Write(t, "token", []byte("other\n"))
	right := env.Vars{
		"FORECASTER_URL": server.URL, "FORECASTER_CA_FILE": own.Path("ca.crt"), "FORECASTER_SERVER_NAME": "forecaster.example",
		"FORECASTER_CERT_FILE": own.Path("tls.crt"), "FORECASTER_KEY_FILE": own.Path("tls.key"), "FORECASTER_AUTH": "token", "FORECASTER_TOKEN_FILE": own.Path("token"),
	}
	launch(t, maps.Clone(right)).eventually(t, 7, codes.OK)
	for name, value := range map[string]string{
		"FORECASTER_CA_FILE": strange.Path("ca.crt"), "FORECASTER_SERVER_NAME": "elsewhere.example", "FORECASTER_TOKEN_FILE": strange.Path("token"),
	} {
		vars := maps.Clone(right)
		vars[name] = value
		launch(t, vars).refused(t, name)
	}
	stranger := maps.Clone(right)
	stranger["FORECASTER_CERT_FILE"], stranger["FORECASTER_KEY_FILE"] = strange.Path("tls.crt"), strange.Path("tls.key")
	launch(t, stranger).refused(t, "FORECASTER_CERT_FILE")
}

// refused checks that no forecast comes.
func (p *process) refused(t *testing.T, why string) {
	t.Helper()
	for end := time.Now().Add(300 * time.Millisecond); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if got, err := p.ask(t, ref()); status.Code(err) != codes.Unavailable {
			t.Errorf("with another %s: GetMetrics() = %d, %v; want Unavailable", why, got, err)
			return
		}
	}
}

// TestLogSettingsHaveTheirEffect runs until it listens, and ends.
func TestLogSettingsHaveTheirEffect(t *testing.T) {
	for _, tt := range []struct {
		format, level string
		begins        string
	}{
		{"json", "info", `{"time":`},
		{"text", "info", "time="},
		{"text", "error", ""},
	} {
		ctx, stop := context.WithTimeout(t.Context(), 300*time.Millisecond)
		var out strings.Builder
		err := run(ctx, env.Vars{
			"NAMESPACE": "shop", "FORECASTER_URL": "http://127.0.0.1:1", "FORECASTER_AUTH": "none", "GRPC_ADDR": "127.0.0.1:0", "HTTP_ADDR": "127.0.0.1:0",
			"LOG_FORMAT": tt.format, "LOG_LEVEL": tt.level,
		}, &out)
		stop()
		if err != nil || !strings.HasPrefix(out.String(), tt.begins) || (tt.begins == "") != (out.String() == "") {
			t.Errorf("LOG_FORMAT=%s LOG_LEVEL=%s: %v\n%s", tt.format, tt.level, err, &out)
		}
	}
}
