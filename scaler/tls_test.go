package main

import (
	"bytes"
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

// TestRotationUnderLoad: while callers come and go, the scaler's certificate is
// replaced again and again. No call fails, the
// connections that are open stay, and new ones are shown the new certificate.
func TestRotationUnderLoad(t *testing.T) {
	dir := t.TempDir()
	trusted := x509.NewCertPool()
	var made []string
	for range 4 { // all trusted from the start, so that a refusal is the scaler's fault
		made = append(made, t.TempDir())
		leaf, err := x509.ParseCertificate(pair(t, made[len(made)-1], "scaler", time.Hour).Certificate[0])
		if err != nil {
			t.Fatal(err)
		}
		trusted.AddCert(leaf)
	}
	renew := func(from string) {
		t.Helper()
		for _, file := range []string{"scaler.crt", "scaler.key"} {
			if err := os.Rename(filepath.Join(from, file), filepath.Join(dir, file)); err != nil {
				t.Fatal(err)
			}
		}
	}
	newest, err := os.ReadFile(filepath.Join(made[3], "scaler.crt"))
	if err != nil {
		t.Fatal(err)
	}
	last, _ := pem.Decode(newest)
	renew(made[0])
	f := newForecaster(t)
	p := launch(t, env.Vars{
		"FORECASTER_URL": f.URL, "TLS_CERT_FILE": filepath.Join(dir, "scaler.crt"), "TLS_KEY_FILE": filepath.Join(dir, "scaler.key"),
	})
	dial := func() *grpc.ClientConn {
		conn, err := grpc.NewClient(p.conn.Target(), grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{
			MinVersion: tls.VersionTLS12, RootCAs: trusted, ServerName: "scaler",
		})))
		if err != nil {
			t.Error(err)
		}
		return conn
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var calls, failed atomic.Int64
	ask := func(conn *grpc.ClientConn) {
		calls.Add(1)
		if _, err := pb.NewExternalScalerClient(conn).GetMetricSpec(t.Context(), ref()); err != nil && failed.Add(1) == 1 {
			t.Errorf("GetMetricSpec() while certificates rotate = %v", err)
		}
	}
	var callers sync.WaitGroup
	for range 4 { // that stay, and that come anew with every call
		callers.Go(func() {
			conn := dial()
			defer func() { _ = conn.Close() }()
			for ctx.Err() == nil {
				ask(conn)
				time.Sleep(time.Millisecond)
			}
		})
		callers.Go(func() {
			for ctx.Err() == nil {
				conn := dial()
				ask(conn)
				_ = conn.Close()
				time.Sleep(5 * time.Millisecond)
			}
		})
	}
	for _, from := range made[1:] {
		renew(from)
		time.Sleep(1500 * time.Millisecond)
	}
	stop()
	callers.Wait()
	if n := calls.Load(); n < 100 || failed.Load() > 0 {
		t.Errorf("%d of %d calls failed; want none of at least 100", failed.Load(), n)
	}
	raw, err := (&tls.Dialer{Config: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: trusted, ServerName: "scaler", NextProtos: []string{"h2"}}}).
		DialContext(t.Context(), "tcp", strings.TrimPrefix(p.conn.Target(), "passthrough:"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = raw.Close() }()
	if shown := raw.(*tls.Conn).ConnectionState().PeerCertificates[0].Raw; !bytes.Equal(shown, last.Bytes) {
		t.Error("the last certificate is not the one shown")
	}
}
