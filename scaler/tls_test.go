package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/pem"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	pb "github.com/kedacore/keda/v2/pkg/scalers/externalscaler"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/kedastral/kedastral/shared/env"
	"github.com/kedastral/kedastral/shared/tlsconfig/tlstest"
)

// TestRunOnlyAnswersTrustedPeers: with a client authority set, a peer without
// its certificate, in plain text or with another's gets no answer.
func TestRunOnlyAnswersTrustedPeers(t *testing.T) {
	ours, theirs := tlstest.NewAuthority(t, "ours", time.Hour), tlstest.NewAuthority(t, "theirs", time.Hour)
	late := tlstest.Client("keda")
	late.From, late.Life = -2*time.Hour, -time.Minute
	files := tlstest.NewDir(t, ours, ours, tlstest.Server("scaler"))
	f := newForecaster(t)
	p := launch(t, env.Vars{
		"FORECASTER_URL": f.URL, "TLS_CERT_FILE": files.Path("tls.crt"), "TLS_KEY_FILE": files.Path("tls.key"), "TLS_CLIENT_CA_FILE": files.Path("ca.crt"),
		"TLS_CLIENT_NAMES": "keda, keda-operator.keda.svc",
	})
	for _, tt := range []struct {
		name         string
		certificates []tls.Certificate
		answered     bool
	}{
		{"keda", []tls.Certificate{ours.Certificate(t, tlstest.Client("keda"))}, true},
		{"another name for it", []tls.Certificate{ours.Certificate(t, tlstest.Client("keda-operator.keda.svc"))}, true},
		{"none", nil, false},
		{"another of the authority's", []tls.Certificate{ours.Certificate(t, tlstest.Client("web.shop.svc"))}, false},
		{"stranger", []tls.Certificate{theirs.Certificate(t, tlstest.Client("keda"))}, false},
		{"expired", []tls.Certificate{ours.Certificate(t, late)}, false},
	} {
		conn, err := grpc.NewClient(p.conn.Target(), grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{
			MinVersion: tls.VersionTLS12, RootCAs: ours.Pool(), ServerName: "scaler", Certificates: tt.certificates,
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

// TestRotationUnderLoad: while callers that show a certificate come and go, the
// scaler's own is replaced again and again. No call fails, the
// connections that are open stay, and new ones are shown the new certificate.
func TestRotationUnderLoad(t *testing.T) {
	ours := tlstest.NewAuthority(t, "ours", time.Hour)
	files := tlstest.NewDir(t, ours, ours, tlstest.Server("scaler"))
	f := newForecaster(t)
	p := launch(t, env.Vars{
		"FORECASTER_URL": f.URL, "TLS_CERT_FILE": files.Path("tls.crt"), "TLS_KEY_FILE": files.Path("tls.key"), "TLS_CLIENT_CA_FILE": files.Path("ca.crt"),
	})
	keda := []tls.Certificate{ours.Certificate(t, tlstest.Client("keda"))}
	dial := func() *grpc.ClientConn {
		conn, err := grpc.NewClient(p.conn.Target(), grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{
			MinVersion: tls.VersionTLS12, RootCAs: ours.Pool(), ServerName: "scaler", Certificates: keda,
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
	for range 3 {
		files.Renew(t, ours, tlstest.Server("scaler"))
		time.Sleep(1500 * time.Millisecond)
	}
	stop()
	callers.Wait()
	if n := calls.Load(); n < 100 || failed.Load() > 0 {
		t.Errorf("%d of %d calls failed; want none of at least 100", failed.Load(), n)
	}
	newest, err := os.ReadFile(files.Path("tls.crt"))
	if err != nil {
		t.Fatal(err)
	}
	last, _ := pem.Decode(newest)
	raw, err := (&tls.Dialer{Config: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: ours.Pool(), ServerName: "scaler", Certificates: keda, NextProtos: []string{"h2"}}}).
		DialContext(t.Context(), "tcp", strings.TrimPrefix(p.conn.Target(), "passthrough:"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = raw.Close() }()
	if shown := raw.(*tls.Conn).ConnectionState().PeerCertificates[0].Raw; !bytes.Equal(shown, last.Bytes) {
		t.Error("the last certificate is not the one shown")
	}
}
