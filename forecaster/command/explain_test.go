package command_test

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kedastral/kedastral/forecaster/command"
	"github.com/kedastral/kedastral/forecaster/engine"
	"github.com/kedastral/kedastral/shared/forecast"
)

// explaining explains every workload the same, but for shop/other, which it
// does not know.
func explaining(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path != "/base/forecast/explain":
		http.NotFound(w, r)
	case r.FormValue("workload") == "shop/other":
		forecast.ProblemOf(fmt.Errorf("%w: shop/other", forecast.ErrNotFound)).Write(w)
	default:
		_ = json.NewEncoder(w).Encode(engine.Explanation{
			Status:  engine.Status{Workload: r.FormValue("workload"), Warnings: []string{"the metric is an average"}},
			Summary: "7 replicas for a lead time of " + r.FormValue("lead") + ".",
			Table:   []engine.Line{{Name: "Gate", Value: "predictive", Note: "the forecast acts"}, {Name: "Reason", Value: "none"}},
		})
	}
}

// The sentence first, then the numbers, in the words of the API.
func TestExplainPrintsTheSentenceAndTheTable(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(explaining))
	defer server.Close()
	c, out := commands()
	if err := c.Explain(t.Context(), []string{"-workload", "shop/web", "-url", server.URL + "/base/", "-lead", "90s"}); err != nil {
		t.Fatal(err)
	}
	want := "shop/web: 7 replicas for a lead time of 1m30s.\n\n" +
		"  Gate     predictive                 the forecast acts\n" +
		"  Reason   none\n" +
		"  Warning  the metric is an average\n"
	if got := out.String(); strings.Join(strings.Fields(got), " ") != strings.Join(strings.Fields(want), " ") || !strings.HasPrefix(got, strings.SplitN(want, "  ", 2)[0]) {
		t.Errorf("printed\n%s\nwant\n%s", got, want)
	}
	out.Reset()
	if err := c.Explain(t.Context(), []string{"-workload", "shop/web", "-url", server.URL + "/base", "-lead", "1d"}); err != nil || !strings.Contains(out.String(), "a lead time of 24h0m0s") {
		t.Errorf("-lead 1d printed %s (%v); want it for a day", out, err)
	}
	out.Reset()
	if err := c.Explain(t.Context(), []string{"-workload", "shop/web", "-url", server.URL + "/base", "-json"}); err != nil {
		t.Fatal(err)
	}
	var x engine.Explanation
	if err := json.Unmarshal(out.Bytes(), &x); err != nil || x.Summary != "7 replicas for a lead time of 5m0s." {
		t.Errorf("-json printed %s (%v)", out, err)
	}
}

// A certificate of one's own authority is trusted when it is named.
func TestExplainOverTLS(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(explaining))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // of the clients that refuse it
	server.StartTLS()
	defer server.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	c, _ := commands()
	asked := []string{"-workload", "shop/web", "-url", server.URL + "/base"}
	if err := c.Explain(t.Context(), asked); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("without -ca: %v; want that the certificate is not trusted", err)
	}
	if err := c.Explain(t.Context(), append(asked, "-ca", ca, "-server-name", "example.org")); err == nil {
		t.Error("with another -server-name: no error")
	}
	if err := c.Explain(t.Context(), append(asked, "-ca", ca, "-server-name", "example.com")); err != nil {
		t.Errorf("with -ca and -server-name: %v", err)
	}
}

func TestExplainRefusesWhatItCannotAsk(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(explaining))
	defer server.Close()
	gone := httptest.NewServer(nil)
	gone.Close()
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") }))
	defer other.Close()
	for _, tt := range []struct {
		args  []string
		want  string
		usage bool
	}{
		{nil, `-workload "": must be NAMESPACE/NAME`, true},
		{[]string{"-workload", "web"}, `-workload "web"`, true},
		{[]string{"-workload", "shop/web", "-url", "localhost:8081"}, "must be http://HOST:PORT", true},
		{[]string{"-workload", "shop/web", "-lead", "-1m"}, "-lead -1m: must not be negative", true},
		{[]string{"-workload", "shop/web", "-lead", "soon"}, "must be a duration such as 90s, 5m, 1h30m, 7d or 2w", true},
		{[]string{"-workload", "shop/web", "-cert", "none.crt"}, "TLS", true},
		{[]string{"-workload", "shop/web", "why"}, `"why" is not a flag`, true},
		{[]string{"-workload", "shop/other", "-url", server.URL + "/base"}, "workload not found: shop/other", false},
		{[]string{"-workload", "shop/web", "-url", server.URL}, "not from a forecaster", false},
		{[]string{"-workload", "shop/web", "-url", gone.URL}, gone.URL + ": ", false},
		{[]string{"-workload", "shop/web", "-url", other.URL}, "not an explanation", false},
	} {
		c, _ := commands()
		err := c.Explain(t.Context(), tt.args)
		if err == nil || !strings.Contains(err.Error(), tt.want) || errors.Is(err, command.ErrUsage) != tt.usage {
			t.Errorf("explain %v = %v; want %q, a fault of the call: %t", tt.args, err, tt.want, tt.usage)
		}
	}
}

// A question that is given up ends at once.
func TestExplainEndsWithItsContext(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer server.Close()
	ctx, stop := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer stop()
	c, _ := commands()
	if err := c.Explain(ctx, []string{"-workload", "shop/web", "-url", server.URL}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("explain = %v; want its context's end", err)
	}
}
