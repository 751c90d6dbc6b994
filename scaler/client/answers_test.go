package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/kedastral/kedastral/shared/forecast"
)

// edited is a valid snapshot's JSON with one field changed.
func edited(field string, value any) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, _ := forecast.Encode(sample(r.FormValue("workload")))
		var doc map[string]any
		_ = json.Unmarshal(body, &doc)
		doc[field] = value
		body, _ = json.Marshal(doc)
		_, _ = w.Write(body)
	}
}

func status(code int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { http.Error(w, body, code) }
}

func problem(err error) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { forecast.ProblemOf(err).Write(w) }
}

// TestBadAnswers: none of these is acted on, and each error says what it is.
func TestBadAnswers(t *testing.T) {
	var other error // none of the sentinels
	for _, tt := range []struct {
		name   string
		answer http.HandlerFunc
		want   error // a sentinel, or other
		reason string
	}{
		{"unknown", problem(forecast.ErrNotFound), forecast.ErrNotFound, "not_found"},
		{"not ready", problem(forecast.ErrNotReady), forecast.ErrNotReady, "not_ready"},
		{"malformed", problem(forecast.ErrMalformed), forecast.ErrMalformed, "status"},
		{"its fault", problem(errors.New("secret")), other, "status"},
		{"500", status(500, "oops"), other, "status"},
		{"404 of a proxy", status(404, "<html>"), other, "status"},
		{"502 of a proxy", status(502, "<html>"), other, "unreachable"},
		{"503 of a mesh", status(503, "no healthy upstream"), other, "unreachable"},
		{"504 of a proxy", status(504, ""), other, "unreachable"},
		{"429", status(429, "slow down"), other, "throttled"},
		{"redirect", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://elsewhere.invalid/", http.StatusFound)
		}, other, "redirect"},
		{"304 unasked", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(304) }, other, "status"},
		{"garbage", status(200, "\x00\xff{"), forecast.ErrInvalid, "invalid"},
		{"empty", status(200, ""), forecast.ErrInvalid, "invalid"},
		{"page", status(200, "<html>"), forecast.ErrInvalid, "invalid"},
		{"null", status(200, "null"), forecast.ErrInvalid, "invalid"},
		{"empty arrays", edited("desiredReplicas", []int{}), forecast.ErrInvalid, "invalid"},
		{"step 0", edited("stepSeconds", 0), forecast.ErrInvalid, "invalid"},
		{"negative step", edited("stepSeconds", -60), forecast.ErrInvalid, "invalid"},
		{"lengths disagree", edited("values", []float64{1}), forecast.ErrInvalid, "invalid"},
		{"horizon disagrees", edited("horizonSeconds", 3600), forecast.ErrInvalid, "invalid"},
		{"text for a number", edited("values", []string{"NaN", "1", "2"}), forecast.ErrInvalid, "invalid"},
		{"negative count", edited("desiredReplicas", []int{1, -2, 3}), forecast.ErrInvalid, "invalid"},
		{"other workload", edited("workload", "shop/api"), forecast.ErrInvalid, "invalid"},
		{"other namespace", edited("workload", "bank/web"), forecast.ErrInvalid, "invalid"},
		{"no time", edited("generatedAt", "0001-01-01T00:00:00Z"), forecast.ErrInvalid, "invalid"},
		{"oversized", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.Copy(w, io.LimitReader(spaces{}, forecast.MaxBytes+10))
		}, forecast.ErrInvalid, "invalid"},
		{"truncated", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100000")
			_, _ = w.Write([]byte(`{"workload":`))
		}, other, "unreachable"},
		{"cut off", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, other, "unreachable"},
		{"hung", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, context.DeadlineExceeded, "timeout"},
		{"drips", func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				_, _ = w.Write([]byte(" "))
				w.(http.Flusher).Flush()
				time.Sleep(10 * time.Millisecond)
			}
		}, context.DeadlineExceeded, "timeout"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			limit := 10 * time.Second
			if tt.reason == "timeout" {
				limit = 300 * time.Millisecond
			}
			c := dial(t, limit, tt.answer)
			got, err := c.Latest(t.Context(), "shop/web")
			if err == nil {
				t.Fatalf("Latest() = %+v; want an error", got)
			}
			for _, sentinel := range []error{forecast.ErrNotFound, forecast.ErrNotReady, forecast.ErrInvalid} {
				if want := errors.Is(tt.want, sentinel); errors.Is(err, sentinel) != want {
					t.Errorf("errors.Is(%v, %v) = %v; want %v", err, sentinel, !want, want)
				}
			}
			if tt.want != nil && !errors.Is(err, tt.want) {
				t.Errorf("Latest() = %v; want %v", err, tt.want)
			}
			if n := counted(t, c.reg, "kedastral_scaler_fetch_errors_total", tt.reason); n != 1 {
				t.Errorf("%v counted for %s; want 1", n, tt.reason)
			}
		})
	}
}

type spaces struct{}

func (spaces) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

// TestOneWorkloadsTroubleIsNotAllWorkloads: an answer, however bad, does not
// stop the next question.
func TestOneWorkloadsTroubleIsNotAllWorkloads(t *testing.T) {
	c := dial(t, time.Second, func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("workload") == "shop/bad" {
			status(500, "boom")(w, r)
			return
		}
		good(w, r)
	})
	for range 5 {
		if _, err := c.Latest(t.Context(), "shop/bad"); err == nil {
			t.Error("Latest(bad) = nil; want an error")
		}
		if _, err := c.Latest(t.Context(), "shop/web"); err != nil {
			t.Errorf("Latest(web) = %v; want a snapshot", err)
		}
	}
}
