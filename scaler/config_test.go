package main

import (
	"context"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kedastral/kedastral/shared/env"
)

func minimal() env.Vars {
	return env.Vars{"NAMESPACE": "shop", "FORECASTER_URL": "http://forecaster.kedastral:8081", "FORECASTER_AUTH": "none"}
}

func TestLoadDefaults(t *testing.T) {
	c, err := load(t.Context(), minimal())
	if err != nil {
		t.Fatal(err)
	}
	urls, err := c.forecasters()
	if err != nil || len(urls) != 1 || urls[0].Host != "forecaster.kedastral:8081" {
		t.Errorf("forecasters() = %v, %v; want the one", urls, err)
	}
	if c.GRPCAddr != ":50051" || c.HTTPAddr != ":8082" || c.LeadTime != 5*time.Minute || c.fallback() != 0 {
		t.Errorf("load(minimal) = %+v; want the documented defaults", c)
	}
}

func TestLoadReadsEverything(t *testing.T) {
	vars := minimal()
	maps.Copy(vars, env.Vars{
		"FORECASTER_URL": "https://a:8081, https://b:8081/base", "LEAD_TIME": "1h30m", "STALE_AFTER": "1d",
		"FALLBACK_REPLICAS": "3", "LEAD_": "", "CACHE_SIZE": " ",
	})
	c, err := load(t.Context(), vars)
	if err != nil {
		t.Fatal(err)
	}
	urls, err := c.forecasters()
	if err != nil || len(urls) != 2 || urls[1].String() != "https://b:8081/base" {
		t.Errorf("forecasters() = %v, %v; want both", urls, err)
	}
	if c.LeadTime != 90*time.Minute || c.StaleAfter != 24*time.Hour || c.fallback() != 3 || c.CacheSize != 10_000 {
		t.Errorf("load() = %+v; want what was set, and blank as unset", c)
	}
}

func TestLoadReportsEverythingWrong(t *testing.T) {
	for _, tt := range []struct{ name, value, want string }{
		{"NAMESPACE", "", "NAMESPACE"},
		{"NAMESPACE", "Shop/x", "NAMESPACE=Shop/x: must be"},
		{"FORECASTER_URL", "", "FORECASTER_URL"},
		{"FORECASTER_URL", "forecaster:8081", "must be http"},
		{"FORECASTER_URL", "http://x:hunter2@a", "must not hold a user"},
		{"LEAD_TIME", "-5m", "LEAD_TIME=-5m"},
		{"LEAD_TIME", "5", "LEAD_TIME=5"},
		{"STALE_AFTER", "0s", "STALE_AFTER=0s"},
		{"FALLBACK_REPLICAS", "0", "FALLBACK_REPLICAS=0"},
		{"FALLBACK_REPLICAS", "many", "FALLBACK_REPLICAS=many"},
		{"CACHE_SIZE", "-1", "CACHE_SIZE=-1"},
		{"REFRESH_INTERVAL", "1ms", "REFRESH_INTERVAL=1ms"},
		{"FETCH_TIMEOUT", "0s", "FETCH_TIMEOUT=0s"},
		{"MAX_IN_FLIGHT", "0", "MAX_IN_FLIGHT=0"},
		{"LOG_FORMAT", "xml", "LOG_FORMAT=xml"},
		{"LOG_LEVEL", "loud", "LOG_LEVEL=loud"},
		{"TLS_CERT_FILE", "/c", "TLS_KEY_FILE: must be set together"},
		{"TLS_CLIENT_CA_FILE", "/c", "needs TLS_CERT_FILE"},
		{"FORECASTER_KEY_FILE", "/c", "FORECASTER_CERT_FILE: must be set together"},
		{"FORECASTER_CA_FILE", "/c", "must be https"},
		{"FORECASTER_AUTH", "", "FORECASTER_AUTH"},
		{"FORECASTER_AUTH", "basic", "FORECASTER_AUTH=basic: must be one of token, mtls, none"},
		{"FORECASTER_AUTH", "token", "FORECASTER_TOKEN_FILE: is required with FORECASTER_AUTH=token"},
		{"FORECASTER_AUTH", "mtls", "FORECASTER_CERT_FILE: is required with FORECASTER_AUTH=mtls"},
		{"FORECASTER_TOKEN_FILE", "/t", "FORECASTER_TOKEN_FILE=/t: is sent only with FORECASTER_AUTH=token"},
		{"TLS_CLIENT_NAMES", "keda", "TLS_CLIENT_NAMES=keda: needs TLS_CLIENT_CA_FILE"},
		{"RATE_LIMIT", "-1", "RATE_LIMIT=-1: must be between"},
		{"FORECASTER_URLS", "http://a", "FORECASTER_URLS: unknown variable"},
		{"LEADTIME", "5m", "LEADTIME: unknown variable"},
	} {
		vars := minimal()
		vars[tt.name] = tt.value
		_, err := load(t.Context(), vars)
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s=%s: %v; want %q", tt.name, tt.value, err, tt.want)
		}
	}
	_, err := load(t.Context(), env.Vars{"LEAD_TIME": "x", "CACHE_SIZE": "y"})
	for _, name := range []string{"NAMESPACE", "FORECASTER_URL", "LEAD_TIME", "CACHE_SIZE"} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("load() = %v; want %s named with the others", err, name)
		}
	}
}

// TestEveryVariableIsDocumented: the reference is made from the tags.
func TestEveryVariableIsDocumented(t *testing.T) {
	fields := env.Fields(config{})
	if len(fields) < 15 {
		t.Errorf("%d variables; want all of them", len(fields))
	}
	for _, f := range fields {
		if len(f.Doc) < 10 || !strings.HasSuffix(f.Doc, ".") {
			t.Errorf("%s: doc %q; want a sentence", f.Name, f.Doc)
		}
	}
}

// TestRunRefusesFilesItCannotRead: it fails closed, at the start.
func TestRunRefusesFilesItCannotRead(t *testing.T) {
	dir := t.TempDir()
	broken := filepath.Join(dir, "broken.pem")
	if err := os.WriteFile(broken, []byte("not PEM"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, more := range []env.Vars{
		{"FORECASTER_TOKEN_FILE": filepath.Join(dir, "absent")},
		{"FORECASTER_URL": "https://f", "FORECASTER_CA_FILE": broken},
		{"TLS_CERT_FILE": broken, "TLS_KEY_FILE": broken},
	} {
		vars := minimal()
		maps.Copy(vars, env.Vars{"GRPC_ADDR": "127.0.0.1:0", "HTTP_ADDR": "127.0.0.1:0"})
		maps.Copy(vars, more)
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		if err := run(ctx, vars, io.Discard); err == nil {
			t.Errorf("run(%v) = nil; want an error", more)
		}
		cancel()
	}
}
