// Package processtest is package process for tests: what cannot be done fails
// the test, and processes end with it.
package processtest

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/kedastral/kedastral/e2e/process"
)

// Start runs a binary with exactly this environment until the test ends. What
// it logged is shown if the test fails.
func Start(t testing.TB, binary string, environment map[string]string, args ...string) *process.Process {
	t.Helper()
	p, err := process.Start(binary, environment, args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			t.Logf("%s logged:\n%s", p.Name, &p.Log)
		}
	})
	return p
}

// Signal sends a signal.
func Signal(t testing.TB, p *process.Process, s os.Signal) {
	t.Helper()
	if err := p.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// Stop asks the process to end and fails the test when it does not, or not
// cleanly.
func Stop(t testing.TB, p *process.Process, within time.Duration) {
	t.Helper()
	if err := p.Stop(within); err != nil {
		t.Error(err)
	}
}

// FreeAddress is an address of the loopback that was free a moment ago.
func FreeAddress(t testing.TB) string {
	t.Helper()
	addresses, err := process.FreeAddresses(1)
	if err != nil {
		t.Fatal(err)
	}
	return addresses[0]
}

// Eventually asks until the answer is nil or the time is over, and fails the
// test with the last answer.
func Eventually(t testing.TB, within time.Duration, what string, ask func() error) {
	t.Helper()
	deadline := time.Now().Add(within)
	for {
		err := ask()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v: %v", what, within, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// Get asks a URL, with headers given as names and values in turn, and hands
// back status, headers and body.
func Get(ctx context.Context, url string, header ...string) (int, http.Header, string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, nil, "", err
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	client := http.Client{Timeout: 5 * time.Second}
	response, err := client.Do(r)
	if err != nil {
		return 0, nil, "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return response.StatusCode, response.Header, string(body), err
}

// Answers is whether a URL answers 200, for [Eventually].
func Answers(ctx context.Context, url string) func() error {
	return func() error {
		status, _, body, err := Get(ctx, url)
		if err == nil && status != http.StatusOK {
			err = fmt.Errorf("GET %s: %d %s", url, status, body)
		}
		return err
	}
}
