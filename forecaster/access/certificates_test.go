package access_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/kedastral/kedastral/forecaster/access"
)

// The namespace is that of the scaler's service in the certificate, and of one.
func TestWhoACertificateIs(t *testing.T) {
	c := access.Certificates{Admins: []string{"prometheus.monitoring.svc"}}
	later := time.Now().Add(time.Hour)
	for _, tt := range []struct {
		names     []string
		ends      time.Time
		namespace string
		all       bool
		err       error
	}{
		{[]string{"kedastral-scaler.shop.svc"}, later, "shop", false, nil},
		{[]string{"kedastral-scaler", "kedastral-scaler.shop.svc", "kedastral-scaler.shop.svc.cluster.local"}, later, "shop", false, nil},
		{[]string{"prometheus.monitoring.svc"}, later, "", true, nil},
		{[]string{"kedastral-scaler.shop.svc"}, time.Now().Add(-time.Second), "", false, access.ErrUnknown},
		{[]string{"kedastral-scaler.shop.svc", "kedastral-scaler.bank.svc"}, later, "", false, access.ErrForbidden},
		{[]string{"kedastral-scaler.*.svc"}, later, "", false, access.ErrForbidden},
		{[]string{"*.shop.svc"}, later, "", false, access.ErrForbidden},
		{[]string{"kedastral-scaler..svc"}, later, "", false, access.ErrForbidden},
		{[]string{"kedastral-scaler.shop.evil.svc"}, later, "", false, access.ErrForbidden},
		{[]string{"my-kedastral-scaler.shop.svc"}, later, "", false, access.ErrForbidden},
		{nil, later, "", false, access.ErrForbidden},
	} {
		r := httptest.NewRequest("GET", "https://forecaster/forecast/current?workload=bank/vault", nil)
		r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{{DNSNames: tt.names, NotAfter: tt.ends}}}
		if id, err := c.Identify(r); id.Namespace != tt.namespace || id.All != tt.all || !errors.Is(err, tt.err) {
			t.Errorf("%v: Identify = %+v, %v; want namespace %q, all %t, %v", tt.names, id, err, tt.namespace, tt.all, tt.err)
		}
	}
	for _, state := range []*tls.ConnectionState{nil, {}} {
		r := httptest.NewRequest("GET", "/", nil)
		r.TLS = state
		if _, err := c.Identify(r); !errors.Is(err, access.ErrUnknown) {
			t.Errorf("without a certificate: %v; want %v", err, access.ErrUnknown)
		}
	}
}
