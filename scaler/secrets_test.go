package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	pb "github.com/kedacore/keda/v2/pkg/scalers/externalscaler"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/kedastral/kedastral/shared/env"
	"github.com/kedastral/kedastral/shared/telemetry/logtest"
)

// TestSecretsStaySecret plants a secret in everything that a stranger or an
// operator can put one in, and looks for it in everything that comes out, at
// the most talkative level.
func TestSecretsStaySecret(t *testing.T) {
	const secret = "hunter2secret"
	var mode sync.Map
	f := newForecaster(t)
	leaky := func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+secret {
			t.Errorf("the forecaster was asked with %q; want the token", r.Header.Get("Authorization"))
		}
		if _, broken := mode.Load("broken"); broken { // repeats what it was told
			http.Error(w, "no: "+r.Header.Get("Authorization"), http.StatusInternalServerError)
			return
		}
		f.answer(w, r)
	}
	front := newForecaster(t)
	front.Config.Handler = http.HandlerFunc(leaky)
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var log logtest.Log
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, env.Vars{
			"NAMESPACE": "shop", "GRPC_ADDR": "127.0.0.1:0", "HTTP_ADDR": "127.0.0.1:0", "LOG_LEVEL": "debug", "REFRESH_INTERVAL": "1s",
			"FORECASTER_URL": front.URL, "FORECASTER_AUTH": "token", "FORECASTER_TOKEN_FILE": token, "STALE_AFTER": "3s",
		}, &log)
	}()
	var found []string
	for range 200 {
		if found = regexp.MustCompile(`grpc=(\S+) http=(\S+)`).FindStringSubmatch(log.String()); found != nil {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if found == nil {
		t.Fatalf("not listening: %s", log.String())
	}
	conn, err := grpc.NewClient("passthrough:"+found[1], grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	client := pb.NewExternalScalerClient(conn)
	var out strings.Builder
	ask := func(r *pb.ScaledObjectRef) {
		got, err := client.GetMetrics(t.Context(), &pb.GetMetricsRequest{ScaledObjectRef: r})
		active, err2 := client.IsActive(t.Context(), r)
		out.WriteString(got.String() + active.String())
		if err := errors.Join(err, err2); err != nil {
			out.WriteString(err.Error())
		}
	}
	round := func() {
		ask(ref())
		ask(ref("password", secret))
		for _, key := range []string{"leadTime", "leadtime", "workload", "fallbackReplicas", "activationReplicas"} {
			ask(ref(key, secret+"!"))
		}
		ask(&pb.ScaledObjectRef{Namespace: secret, Name: "web"})
		ask(&pb.ScaledObjectRef{Namespace: "shop", Name: strings.ToUpper(secret) + "/" + secret})
	}
	round()
	mode.Store("broken", true)
	time.Sleep(5 * time.Second) // until what is held is stale
	round()
	for _, path := range []string{"/status", "/metrics", "/healthz", "/readyz"} {
		resp, err := http.Get("http://" + found[2] + path)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		out.Write(body)
	}
	stop()
	if err := <-ended; err != nil {
		out.WriteString(err.Error())
	}
	if !strings.Contains(log.String(), "request refused") || !strings.Contains(out.String(), "leadTime must be") {
		t.Errorf("nothing was refused, so nothing was tried:\n%s\n%s", log.String(), out.String())
	}
	for name, text := range map[string]string{"the log": log.String(), "an answer": out.String()} {
		if i := strings.Index(strings.ToLower(text), secret); i >= 0 {
			t.Errorf("%s shows the secret: …%s…", name, text[max(0, i-120):min(len(text), i+60)])
		}
	}
}

// TestServedMetricsAreDocumented: whatever the running process serves under our
// name is in the document, and what it counts moves with what happens.
func TestServedMetricsAreDocumented(t *testing.T) {
	document, err := os.ReadFile("../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	f := newForecaster(t)
	p := launch(t, env.Vars{"FORECASTER_URL": f.URL, "CACHE_SIZE": "1", "STALE_AFTER": "3s"})
	stream, err := p.StreamIsActive(t.Context(), ref())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		_, _ = p.ask(t, ref())
	}
	_, _ = p.ask(t, ref("leadTime", "1s")) // a second and a third trigger in a table for two
	_, _ = p.ask(t, ref("leadTime", "2s"))
	_, _ = p.ask(t, &pb.ScaledObjectRef{Namespace: "bank", Name: "web"})
	_, _ = p.ask(t, &pb.ScaledObjectRef{Namespace: "shop", Name: "nobody"})
	_, text := p.get(t, "/metrics")
	for began := time.Now(); !strings.Contains(text, "cache_workloads 1") && time.Since(began) < 5*time.Second; {
		time.Sleep(50 * time.Millisecond) // it is set on the next tick
		_, text = p.get(t, "/metrics")
	}
	for _, name := range regexp.MustCompile(`(?m)^# TYPE (kedastral_\w+)`).FindAllStringSubmatch(text, -1) {
		if !bytes.Contains(document, []byte("`"+name[1]+"`")) {
			t.Errorf("%s is served and not documented", name[1])
		}
	}
	for _, moved := range []string{
		`kedastral_scaler_cache_hits_total [1-9]`,
		`kedastral_scaler_cache_misses_total [1-9]`,
		`kedastral_scaler_cache_workloads 1`,
		`kedastral_scaler_fetch_duration_seconds_count [1-9]`,
		`kedastral_scaler_fetch_errors_total\{reason="not_found"\} [1-9]`,
		`kedastral_scaler_forecast_generated_timestamp_seconds\{workload="shop/web"\} [1-9]`,
		`kedastral_scaler_forecaster_up\{forecaster="[^"]+"\} 1`,
		`kedastral_scaler_grpc_request_duration_seconds_count\{code="OK",method="GetMetrics"\} [1-9]`,
		`kedastral_scaler_grpc_request_duration_seconds_count\{code="PermissionDenied",method="GetMetrics"\} 1`,
		`kedastral_scaler_grpc_streams 1`,
		`kedastral_scaler_refusals_total\{reason="\w+"\} [1-9]`,
		`kedastral_scaler_replicas\{workload="shop/web"\} 7`,
		`kedastral_scaler_trigger_evictions_total [1-9]`,
		`kedastral_scaler_workload_state\{state="fresh",workload="shop/web"\} 1`,
	} {
		if !regexp.MustCompile(`(?m)^` + moved).MatchString(text) {
			t.Errorf("/metrics has no %s", moved)
		}
	}
}
