package prom_test

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/kedastral/kedastral/forecaster/adapters"
	"github.com/kedastral/kedastral/forecaster/adapters/prom"
	"github.com/kedastral/kedastral/shared/tlsconfig/tlstest"
)

// at is the server's certificate of an address that ends when told.
func at(address string, life time.Duration) tlstest.Leaf {
	l := tlstest.Server("server")
	l.IP, l.From, l.Life = net.ParseIP(address), life-24*time.Hour, life
	return l
}

func TestTLS(t *testing.T) {
	ours, theirs := tlstest.NewAuthority(t, "ours", time.Hour), tlstest.NewAuthority(t, "theirs", time.Hour)
	const soon, past = time.Hour, -time.Minute
	for _, tt := range []struct {
		name   string
		server *tls.Config
		client *tls.Config
		text   string // "" is success
	}{
		{"good", &tls.Config{Certificates: []tls.Certificate{ours.Certificate(t, at("127.0.0.1", soon))}}, &tls.Config{RootCAs: ours.Pool()}, ""},
		{"expired", &tls.Config{Certificates: []tls.Certificate{ours.Certificate(t, at("127.0.0.1", past))}}, &tls.Config{RootCAs: ours.Pool()}, "certificate has expired"},
		{"wrong authority", &tls.Config{Certificates: []tls.Certificate{theirs.Certificate(t, at("127.0.0.1", soon))}}, &tls.Config{RootCAs: ours.Pool()}, "signed by an unknown authority"},
		{"the system's authorities", &tls.Config{Certificates: []tls.Certificate{ours.Certificate(t, at("127.0.0.1", soon))}}, nil, "signed by an unknown authority"},
		{"another host", &tls.Config{Certificates: []tls.Certificate{ours.Certificate(t, at("10.0.0.1", soon))}}, &tls.Config{RootCAs: ours.Pool()}, `another host name than "127.0.0.1"`},
		{"client certificate wanted", &tls.Config{Certificates: []tls.Certificate{ours.Certificate(t, at("127.0.0.1", soon))}, ClientAuth: tls.RequireAnyClientCert}, &tls.Config{RootCAs: ours.Pool()}, "it ended the TLS handshake"},
		{"a check of its own", &tls.Config{Certificates: []tls.Certificate{ours.Certificate(t, at("127.0.0.1", soon))}}, &tls.Config{
			RootCAs: ours.Pool(), VerifyConnection: func(tls.ConnectionState) error { return errors.New("revoked yesterday") },
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
