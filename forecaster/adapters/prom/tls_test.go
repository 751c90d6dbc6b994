package prom_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/kedastral/kedastral/forecaster/adapters"
	"github.com/kedastral/kedastral/forecaster/adapters/prom"
)

// authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return authority{cert, key}
}

func (a authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// issue makes a certificate of an address that ends when told.
func (a authority) issue(t *testing.T, address string, ends time.Time) tls.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "server"}, IPAddresses: []net.IP{net.ParseIP(address)},
		NotBefore: ends.Add(-24 * time.Hour), NotAfter: ends,
	}, a.cert, a.key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: a.key}
}

func TestTLS(t *testing.T) {
	ours, theirs := newAuthority(t), newAuthority(t)
	soon, past := time.Now().Add(time.Hour), time.Now().Add(-time.Minute)
	for _, tt := range []struct {
		name   string
		server *tls.Config
		client *tls.Config
		text   string // "" is success
	}{
		{"good", &tls.Config{Certificates: []tls.Certificate{ours.issue(t, "127.0.0.1", soon)}}, &tls.Config{RootCAs: ours.pool()}, ""},
		{"expired", &tls.Config{Certificates: []tls.Certificate{ours.issue(t, "127.0.0.1", past)}}, &tls.Config{RootCAs: ours.pool()}, "certificate has expired"},
		{"wrong authority", &tls.Config{Certificates: []tls.Certificate{theirs.issue(t, "127.0.0.1", soon)}}, &tls.Config{RootCAs: ours.pool()}, "signed by an unknown authority"},
		{"the system's authorities", &tls.Config{Certificates: []tls.Certificate{ours.issue(t, "127.0.0.1", soon)}}, nil, "signed by an unknown authority"},
		{"another host", &tls.Config{Certificates: []tls.Certificate{ours.issue(t, "10.0.0.1", soon)}}, &tls.Config{RootCAs: ours.pool()}, `another host name than "127.0.0.1"`},
		{"client certificate wanted", &tls.Config{Certificates: []tls.Certificate{ours.issue(t, "127.0.0.1", soon)}, ClientAuth: tls.RequireAnyClientCert}, &tls.Config{RootCAs: ours.pool()}, "it ended the TLS handshake"},
		{"a check of its own", &tls.Config{Certificates: []tls.Certificate{ours.issue(t, "127.0.0.1", soon)}}, &tls.Config{
			RootCAs: ours.pool(), VerifyConnection: func(tls.ConnectionState) error { return errors.New("revoked yesterday") },
		}, "not trusted: revoked yesterday"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := &fake{}
			f.Server = httptest.NewUnstartedServer(f.handler(t, answers(load)))
			f.Config.ErrorLog = discardLog()
			f.TLS = tt.server.Clone()
			f.StartTLS()
			defer f.Close()
			o := options(f.URL)
			o.TLS = tt.client
			_, err := open(t, o, query()).Collect(t.Context(), 600)
			if tt.text == "" {
				if err != nil {
					t.Errorf("Collect = %v", err)
				}
				return
			}
			if !errors.Is(err, adapters.ErrConfig) || adapters.Reason(err) != adapters.ReasonTLS || !strings.Contains(err.Error(), tt.text) {
				t.Fatalf("Collect = %v, for the reason %q; want %q", err, adapters.Reason(err), tt.text)
			}
			discreet(t, err.Error())
			if got := len(f.questions()); got != 0 {
				t.Errorf("asked %d times without trust", got)
			}
		})
	}
}

func TestPlainBehindHTTPS(t *testing.T) {
	f := serve(t, answers(load))
	_, err := open(t, options(strings.Replace(f.URL, "http:", "https:", 1)), query()).Collect(t.Context(), 600)
	if adapters.Reason(err) != adapters.ReasonTLS || !strings.Contains(err.Error(), "is it http?") {
		t.Errorf("Collect = %v; want that it does not speak TLS", err)
	}
}

func TestTLSSettingsWithoutTLS(t *testing.T) {
	if _, err := prom.NewServer(prom.Options{URL: "http://h", TLS: &tls.Config{}}); err == nil || !strings.Contains(err.Error(), "must be https") {
		t.Errorf("NewServer = %v; want that the settings would not be used", err)
	}
}
