package forecast_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/kedastral/kedastral/shared/forecast"
)

func TestSentinelsHoldAcrossTheWire(t *testing.T) {
	for _, tt := range []struct {
		err    error
		status int
		is     error // across the wire
	}{
		{fmt.Errorf("%w: shop/x", forecast.ErrNotFound), 404, forecast.ErrNotFound},
		{fmt.Errorf("workload shop/x: %w: warming up", forecast.ErrNotReady), 503, forecast.ErrNotReady},
		{fmt.Errorf("%w: shop/x: by the shards [2 0] of 3; this is 1", forecast.ErrElsewhere), 421, forecast.ErrElsewhere},
		{forecast.ErrMalformed, 400, forecast.ErrMalformed},
		{forecast.ErrBusy, 429, forecast.ErrBusy},
		{forecast.ErrInvalid, 500, nil},
		{context.DeadlineExceeded, 500, nil},
		{errors.New("password=hunter2"), 500, nil},
	} {
		if got := forecast.Status(tt.err); got != tt.status {
			t.Errorf("Status(%v) = %d; want %d", tt.err, got, tt.status)
		}
		rec := httptest.NewRecorder()
		forecast.ProblemOf(tt.err).Write(rec)
		resp := rec.Result()
		if resp.StatusCode != tt.status || resp.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("ProblemOf(%v).Write = %d %s", tt.err, resp.StatusCode, resp.Header)
		}
		err := forecast.ReadProblem(resp)
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("ReadProblem after %v = %v; want an error without its private text", tt.err, err)
		}
		for _, sentinel := range []error{forecast.ErrNotFound, forecast.ErrNotReady, forecast.ErrElsewhere, forecast.ErrMalformed, forecast.ErrBusy, forecast.ErrInvalid} {
			if errors.Is(err, sentinel) != (sentinel == tt.is) { //nolint:errorlint // identity is the point
				t.Errorf("after %v came %v: is %v: %t", tt.err, err, sentinel, errors.Is(err, sentinel))
			}
		}
	}
	if got := forecast.Status(nil); got != 200 {
		t.Errorf("Status(nil) = %d", got)
	}
}

func TestFromStatus(t *testing.T) {
	for _, tt := range []struct {
		status       int
		detail, want string
	}{
		{200, "", "<nil>"},
		{404, "", "workload not found"},
		{404, "workload not found: shop/x", "workload not found: shop/x"}, // said once
		{503, "warming up", "no forecast yet: warming up"},
		{401, "who asks is not known", "not let in: who asks is not known"},
		{403, "", "not let in"},
		{429, "", "asked too often"},
		{500, "internal error", "HTTP status 500 Internal Server Error: internal error"},
	} {
		if got := fmt.Sprint(forecast.FromStatus(tt.status, tt.detail)); got != tt.want {
			t.Errorf("FromStatus(%d, %q) = %s; want %s", tt.status, tt.detail, got, tt.want)
		}
	}
}

func TestProblemDocument(t *testing.T) {
	p := forecast.NewProblem(http.StatusMethodNotAllowed, "POST: must be GET")
	p.Instance = "req-7"
	rec := httptest.NewRecorder()
	rec.Header().Set("ETag", `"x"`)
	p.Write(rec)
	var got map[string]any
	if err := json.Unmarshal(rec.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"type": "about:blank", "title": "Method Not Allowed", "status": 405.0, "detail": "POST: must be GET", "instance": "req-7"}
	if diff := cmp.Diff(want, got); diff != "" || rec.Header().Get("ETag") != "" || rec.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("Write, headers %v: -want +got\n%s", rec.Header(), diff)
	}
}

func TestReadProblemTrustsOnlyAForecaster(t *testing.T) {
	for _, tt := range []struct {
		status            int
		media, body, want string
	}{
		{404, "text/html", "<h1>404 page not found</h1>", "HTTP status 404 Not Found, and not from a forecaster"},
		{503, "", "upstream connect error\x1b[31m", `not from a forecaster: "upstream connect error\x1b[31m"`},
		{503, "application/problem+json", "{truncat", "not from a forecaster"},
		{404, "application/problem+json", strings.Repeat("[", 1<<20), "not from a forecaster"},
		{302, "text/html", "", "HTTP status 302 Found"},
	} {
		err := forecast.ReadProblem(reply(tt.status, tt.media, strings.NewReader(tt.body)))
		if err == nil || !strings.Contains(err.Error(), tt.want) || errors.Is(err, forecast.ErrNotFound) || errors.Is(err, forecast.ErrNotReady) {
			t.Errorf("ReadProblem(%d %s) = %v; want %q and no sentinel", tt.status, tt.media, err, tt.want)
		}
	}
	hostile := `{"detail":"a\nb\u001b[31m` + strings.Repeat("x", 5000) + `"}`
	err := forecast.ReadProblem(reply(404, "application/problem+json; charset=utf-8", strings.NewReader(hostile)))
	if !errors.Is(err, forecast.ErrNotFound) || strings.ContainsAny(err.Error(), "\n\x1b") || len(err.Error()) > 400 {
		t.Errorf("ReadProblem of a hostile detail = %q; want one short line", err)
	}
	if err := forecast.ReadProblem(reply(503, "", iotest.ErrReader(io.ErrUnexpectedEOF))); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("ReadProblem of a broken connection = %v", err)
	}
}

func reply(status int, media string, body io.Reader) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {media}}, Body: io.NopCloser(body)}
}
