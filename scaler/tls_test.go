package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	pb "github.com/kedacore/keda/v2/pkg/scalers/externalscaler"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/kedastral/kedastral/e2e/kedalike"
	"github.com/kedastral/kedastral/shared/env"
)

// pair is a certificate of the name, valid for the life, that issues itself; it
// is written to NAME.crt and NAME.key in dir.
func pair(t *testing.T, dir, name string, life time.Duration) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(life), BasicConstraintsValid: true, IsCA: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{
		name + ".crt": {Type: "CERTIFICATE", Bytes: der}, name + ".key": {Type: "PRIVATE KEY", Bytes: raw},
	} {
		if err := os.WriteFile(filepath.Join(dir, file), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// TestRunOnlyAnswersTrustedPeers: with a client authority set, a peer without
// its certificate, in plain text or with another's gets no answer.
func TestRunOnlyAnswersTrustedPeers(t *testing.T) {
	dir := t.TempDir()
	pair(t, dir, "scaler", time.Hour)
	keda, stranger, late := pair(t, dir, "keda", time.Hour), pair(t, dir, "stranger", time.Hour), pair(t, dir, "late", -time.Minute)
	f := newForecaster(t)
	p := launch(t, env.Vars{
		"FORECASTER_URL": f.URL, "TLS_CERT_FILE": filepath.Join(dir, "scaler.crt"),
		"TLS_KEY_FILE": filepath.Join(dir, "scaler.key"), "TLS_CLIENT_CA_FILE": filepath.Join(dir, "keda.crt"),
	})
	trusted := x509.NewCertPool()
	own, err := os.ReadFile(filepath.Join(dir, "scaler.crt"))
	if err != nil || !trusted.AppendCertsFromPEM(own) {
		t.Fatal("the scaler's certificate cannot be read", err)
	}
	for _, tt := range []struct {
		name         string
		certificates []tls.Certificate
		answered     bool
	}{
		{"keda", []tls.Certificate{keda}, true},
		{"none", nil, false},
		{"stranger", []tls.Certificate{stranger}, false},
		{"expired", []tls.Certificate{late}, false},
	} {
		conn, err := grpc.NewClient(p.conn.Target(), grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{
			MinVersion: tls.VersionTLS12, RootCAs: trusted, ServerName: "scaler", Certificates: tt.certificates,
		})))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		_, err = pb.NewExternalScalerClient(conn).GetMetricSpec(ctx, ref())
		if (err == nil) != tt.answered {
			t.Errorf("%s: GetMetricSpec() = %v; want answered %v", tt.name, err, tt.answered)
		}
		cancel()
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := p.GetMetricSpec(t.Context(), ref()); err == nil {
		t.Error("plain text: GetMetricSpec() = nil; want an error")
	}
}

// TestRotationUnderLoad: the scaler's certificate is replaced, file by file,
// while KEDA asks on old connections and on new ones. No question fails, and in
// the end the new certificate is shown.
func TestRotationUnderLoad(t *testing.T) {
	dir, next := t.TempDir(), t.TempDir()
	old, fresh := pair(t, dir, "scaler", time.Hour), pair(t, next, "scaler", 2*time.Hour)
	client := pair(t, dir, "keda", time.Hour)
	f := newForecaster(t)
	p := launch(t, env.Vars{
		"FORECASTER_URL": f.URL, "TLS_CERT_FILE": filepath.Join(dir, "scaler.crt"),
		"TLS_KEY_FILE": filepath.Join(dir, "scaler.key"), "TLS_CLIENT_CA_FILE": filepath.Join(dir, "keda.crt"),
	})
	trusted := x509.NewCertPool()
	for _, c := range []tls.Certificate{old, fresh} {
		leaf, err := x509.ParseCertificate(c.Certificate[0])
		if err != nil {
			t.Fatal(err)
		}
		trusted.AddCert(leaf)
	}
	secure := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: trusted, ServerName: "scaler", Certificates: []tls.Certificate{client}}

	ctx, stop := context.WithCancel(t.Context())
	var askers sync.WaitGroup
	var asked, failed atomic.Int64
	round := func(c *kedalike.Client) {
		if _, err := c.Ask(t.Context(), ref()); err != nil && failed.Add(1) == 1 {
			t.Errorf("a round failed: %v", err)
		}
		asked.Add(3)
	}
	dial := func() *kedalike.Client {
		c, err := kedalike.Dial(p.conn.Target(), grpc.WithTransportCredentials(credentials.NewTLS(secure.Clone())))
		if err != nil {
			t.Error(err)
		}
		return c
	}
	first := dial()
	defer func() { _ = first.Close() }()
	round(first) // the first question of all waits for its fetch
	for range 2 {
		askers.Go(func() {
			for ctx.Err() == nil {
				round(first)
			}
		})
		askers.Go(func() {
			for ctx.Err() == nil {
				c := dial()
				round(c)
				_ = c.Close()
			}
		})
	}
	for _, file := range []string{"scaler.crt", "scaler.key"} { // for a while they do not match
		time.Sleep(1500 * time.Millisecond)
		content, err := os.ReadFile(filepath.Join(next, file))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, file), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	shown := func() bool {
		c, err := tls.Dial("tcp", strings.TrimPrefix(p.conn.Target(), "passthrough:"), secure)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		return string(c.ConnectionState().PeerCertificates[0].Raw) == string(fresh.Certificate[0])
	}
	for end := time.Now().Add(10 * time.Second); !shown(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the new certificate is not shown 10s after it was put there")
		}
	}
	stop()
	askers.Wait()
	t.Logf("%d calls, %d rounds failed", asked.Load(), failed.Load())
	if asked.Load() < 300 || failed.Load() > 0 {
		t.Errorf("%d calls, %d rounds of them failed; want at least 300 and none", asked.Load(), failed.Load())
	}
}
