package api_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/kedastral/kedastral/forecaster/api"
	"github.com/kedastral/kedastral/forecaster/engine"
	"github.com/kedastral/kedastral/shared/forecast"
	"github.com/kedastral/kedastral/shared/telemetry"
)

// sound is the engine without the workloads that break.
type sound struct{ answers }

func (s sound) Latest(ctx context.Context, workload string) (forecast.Snapshot, error) {
	switch workload {
	case "shop/broken", "shop/panic":
		return forecast.Snapshot{}, fmt.Errorf("%w: %s", forecast.ErrNotFound, workload)
	}
	return s.answers.Latest(ctx, workload)
}

func (s sound) Explain(workload string, _ time.Duration) (engine.Explanation, error) {
	if _, err := s.Latest(context.Background(), workload); err != nil {
		return engine.Explanation{}, err
	}
	return engine.Explanation{}, nil
}

// Whatever bytes arrive as a request, the router answers without a panic,
// never with a 5xx but 503, and an error is always a problem document that
// says its own status.
func FuzzRouter(f *testing.F) {
	for _, request := range []string{
		"GET /forecast/current?workload=shop/web HTTP/1.1\r\nHost: a\r\n\r\n",
		"HEAD /forecast/current?workload=shop/web HTTP/1.1\r\nHost: a\r\nIf-None-Match: *\r\n\r\n",
		"GET /forecast/current?workload=shop/new HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET /forecast/explain?workload=shop%2Fweb HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET /forecast/current?workload=..%2f%00 HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET /forecast/current?workload=%zz;a=b HTTP/1.1\r\nHost: a\r\n\r\n",
		"POST /workloads HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody",
		"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
		"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET //forecast/../current HTTP/1.0\r\n\r\n",
		"GET http://b/workloads HTTP/1.1\r\nHost: a\r\nX-Request-Id: \x7f\r\n\r\n",
	} {
		f.Add([]byte(request))
	}
	well := func(context.Context) error { return nil }
	h := api.New(api.Options{
		Engine: sound{}, Now: func() time.Time { return noon }, Log: slog.New(slog.DiscardHandler),
		Probes: telemetry.Handler(prometheus.NewRegistry(), well, well),
	})
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(raw)))
		if err != nil {
			t.Skip()
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code >= 500 && w.Code != http.StatusServiceUnavailable {
			t.Fatalf("status %d", w.Code)
		}
		if w.Code < 400 {
			return
		}
		var p forecast.Problem
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || p.Status != w.Code || w.Header().Get("Content-Type") != forecast.ProblemType {
			t.Fatalf("status %d with %s %q (%v); want a problem document", w.Code, w.Header().Get("Content-Type"), w.Body, err)
		}
	})
}
