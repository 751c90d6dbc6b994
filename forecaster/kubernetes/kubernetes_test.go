package kubernetes_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kedastral/kedastral/forecaster/kubernetes"
	"github.com/kedastral/kedastral/forecaster/kubernetes/kubernetestest"
)

const token = "ownS3cret"

// asked answers with what it was asked.
func asked(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body) // nothing is what the test then sees
	_, _ = w.Write([]byte(r.Method + " " + r.URL.Path + " " + r.Header.Get("Content-Type") + " " + string(body)))
}

func TestAsk(t *testing.T) {
	server := kubernetestest.New(t, token, asked).Ask(t)
	for want, q := range map[string]kubernetes.Question{
		"GET /api/v1/things  ":                                {Method: http.MethodGet, Path: "api/v1/things"},
		"POST /api/v1/things application/json {\"name\":1}\n": {Method: http.MethodPost, Path: "api/v1/things", Kind: "application/json", Body: map[string]int{"name": 1}},
	} {
		if got, err := server.Ask(t.Context(), q); err != nil || string(got) != want {
			t.Errorf("Ask(%+v) = %q, %v; want %q", q, got, err, want)
		}
	}
}

// Whatever the server says, nothing of what it was sent is repeated.
func TestRefused(t *testing.T) {
	server := kubernetestest.New(t, token, asked)
	for _, status := range []int{302, 401, 403, 404, 409, 429, 500} {
		server.Fail(status)
		got, err := server.Ask(t).Ask(t.Context(), kubernetes.Question{Method: http.MethodPost, Path: "x", Body: "theirS3cret"})
		if got != nil || kubernetes.Refused(err) != status || strings.Contains(err.Error(), "S3cret") {
			t.Errorf("status %d: %q, %v; want a refusal without a secret", status, got, err)
		}
	}
	if got := kubernetes.Refused(errors.New("else")); got != 0 {
		t.Errorf("Refused of another error = %d; want 0", got)
	}
	server.Hang()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := server.Ask(t).Ask(ctx, kubernetes.Question{Method: http.MethodGet, Path: "x"}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("hung: %v; want %v", err, context.DeadlineExceeded)
	}
}

// A token that was refused is read again at once: it was rotated.
func TestTokenIsReadAgain(t *testing.T) {
	server := kubernetestest.New(t, token, asked)
	if err := os.WriteFile(server.TokenFile, []byte("oldS3cret"), 0o600); err != nil {
		t.Fatal(err)
	}
	k := server.Ask(t)
	q := kubernetes.Question{Method: http.MethodGet, Path: "x"}
	if _, err := k.Ask(t.Context(), q); kubernetes.Refused(err) != http.StatusUnauthorized {
		t.Fatalf("with an old token: %v; want 401", err)
	}
	if err := os.WriteFile(server.TokenFile, []byte(token), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := k.Ask(t.Context(), q); err != nil {
		t.Errorf("after its rotation: %v", err)
	}
}

func TestNewWantsAToken(t *testing.T) {
	if _, err := kubernetes.New(kubernetes.Options{URL: &url.URL{}, TokenFile: filepath.Join(t.TempDir(), "none")}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("New without a token's file = %v; want %v", err, os.ErrNotExist)
	}
}
