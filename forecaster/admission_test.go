package main

import (
	"crypto/tls"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/kedastral/kedastral/forecaster/access/accesstest"
	"github.com/kedastral/kedastral/shared/telemetry/logtest"
	"github.com/kedastral/kedastral/shared/tlsconfig/tlstest"
)

func TestWhoMayAskIsChecked(t *testing.T) {
	for _, tt := range []struct {
		set  []string
		want string
	}{
		{[]string{"FORECASTER_AUTH", ""}, "FORECASTER_AUTH: is required: token or mtls, or none"},
		{[]string{"FORECASTER_AUTH", "basic"}, "FORECASTER_AUTH=basic: must be one of token, mtls, none"},
		{[]string{"FORECASTER_AUTH", "token"}, "KUBERNETES_URL: is required with FORECASTER_AUTH=token and with LEASE_NAME outside of a cluster"},
		{[]string{"FORECASTER_AUTH", "token", "KUBERNETES_URL", "http://k"}, "KUBERNETES_URL: must be https"},
		{[]string{"FORECASTER_AUTH", "token", "KUBERNETES_URL", "https://me:hunter2@k"}, "KUBERNETES_URL: must be https"},
		{[]string{"FORECASTER_AUTH", "token", "KUBERNETES_URL", "https://k", "KUBERNETES_CA_FILE", "/none"}, "TLS to the Kubernetes API"},
		{[]string{"FORECASTER_AUTH", "mtls"}, "TLS_CLIENT_CA_FILE: is required with FORECASTER_AUTH=mtls"},
		{[]string{"FORECASTER_AUTH", "mtls", "FORECASTER_AUTH_ACCOUNTS", "a"}, "FORECASTER_AUTH_ACCOUNTS: has an effect only with"},
		{[]string{"FORECASTER_AUTH_ADMINS", "a/b"}, "FORECASTER_AUTH_ADMINS: has no effect with FORECASTER_AUTH=none"},
		{[]string{"FORECASTER_AUTH", "token", "FORECASTER_AUTH_ADMINS", "prometheus"}, "FORECASTER_AUTH_ADMINS=prometheus: must be NAMESPACE/SERVICEACCOUNT"},
		{[]string{"FORECASTER_AUTH_AUDIENSE", "x"}, "FORECASTER_AUTH_AUDIENSE"},
		{[]string{"RATE_LIMIT", "-1"}, "RATE_LIMIT=-1: must be between"},
	} {
		err := run(t.Context(), vars(tt.set...), io.Discard)
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%v: %v; want %q", tt.set, err, tt.want)
		}
	}
	cluster := vars("FORECASTER_AUTH", "token", "KUBERNETES_SERVICE_HOST", "fd00::1", "KUBERNETES_SERVICE_PORT", "6443")
	if s, err := load(t.Context(), cluster); err != nil {
		t.Error(err)
	} else if u, err := s.kubernetes(); err != nil || u.String() != "https://[fd00::1]:6443" {
		t.Errorf("kubernetes() = %v, %v; want what every pod is told", u, err)
	}
}

// asking is a client's way to the API: whose token, which certificate.
type asking struct {
	token string
	as    []tls.Certificate
	trust tlstest.Authority
}

func (a asking) get(t *testing.T, address string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	if a.token != "" {
		r.Header.Set("Authorization", "Bearer "+a.token)
	}
	client := http.Client{Timeout: 5 * time.Second}
	if strings.HasPrefix(address, "https") {
		client.Transport = &http.Transport{TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: a.trust.Pool(), ServerName: "forecaster", Certificates: a.as}}
		defer client.CloseIdleConnections()
	}
	resp, err := client.Do(r)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

const (
	own     = "/forecast/explain?workload=shop/checkout"
	metrics = "/metrics"
)

// admin is the address for those who may see everything.
func admin(t *testing.T, log *logtest.Log) string {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if found := regexp.MustCompile(`admin=(127\.0\.0\.1:\d+)`).FindStringSubmatch(log.String()); found != nil {
			return "http://" + found[1]
		}
	}
	t.Fatalf("no address for admins:\n%s", log)
	return ""
}

// Each setting of FORECASTER_AUTH=token has its effect in the running process.
func TestTokensHaveTheirEffect(t *testing.T) {
	kubernetes := accesstest.New(t, map[string]string{
		"shop": "system:serviceaccount:shop:kedastral-scaler", "bank": "system:serviceaccount:bank:kedastral-scaler",
		"stranger": "system:serviceaccount:shop:default", "prometheus": "system:serviceaccount:monitoring:prometheus",
	})
	at, err := url.Parse(kubernetes.URL)
	if err != nil {
		t.Fatal(err)
	}
	serve := func(more ...string) (string, *logtest.Log) {
		v := light(lagging(t, 0), append([]string{
			"FORECASTER_AUTH", "token", "KUBERNETES_URL", kubernetes.URL, "KUBERNETES_CA_FILE", kubernetes.CAFile, "KUBERNETES_TOKEN_FILE", kubernetes.TokenFile,
			"ADMIN_ADDR", "127.0.0.1:0", "FORECASTER_AUTH_ACCOUNTS", "kedastral-scaler", "FORECASTER_AUTH_ADMINS", "monitoring/prometheus",
		}, more...)...)
		address, log := listening(t, v)
		return "http://" + address, log
	}
	stranger := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(stranger, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	plain, log := serve()
	byHost, _ := serve("KUBERNETES_URL", "", "KUBERNETES_SERVICE_HOST", at.Hostname(), "KUBERNETES_SERVICE_PORT", at.Port())
	otherAudience, _ := serve("FORECASTER_AUTH_AUDIENCE", "somebody-else")
	anyAccount, _ := serve("FORECASTER_AUTH_ACCOUNTS", "")
	noAdmins, _ := serve("FORECASTER_AUTH_ADMINS", "")
	notAllowed, _ := serve("KUBERNETES_TOKEN_FILE", stranger)
	for _, tt := range []struct {
		name, url, token string
		want             int
	}{
		{"its own", plain + own, "shop", http.StatusOK},
		{"another's", plain + own, "bank", http.StatusNotFound},
		{"no token", plain + own, "", http.StatusUnauthorized},
		{"a forged one", plain + own, "forged", http.StatusUnauthorized},
		{"another account", plain + own, "stranger", http.StatusForbidden},
		{"metrics by a scaler", plain + metrics, "shop", http.StatusForbidden},
		{"metrics by an admin", plain + metrics, "prometheus", http.StatusOK},
		{"a probe", plain + "/healthz", "", http.StatusOK},
		{"the page at ADMIN_ADDR", admin(t, log) + "/", "", http.StatusOK},
		{"metrics at ADMIN_ADDR", admin(t, log) + metrics, "", http.StatusOK},
		{"by KUBERNETES_SERVICE_HOST", byHost + own, "shop", http.StatusOK},
		{"FORECASTER_AUTH_AUDIENCE", otherAudience + own, "shop", http.StatusUnauthorized},
		{"without FORECASTER_AUTH_ACCOUNTS", anyAccount + own, "stranger", http.StatusOK},
		{"without FORECASTER_AUTH_ADMINS", noAdmins + metrics, "prometheus", http.StatusForbidden},
		{"KUBERNETES_TOKEN_FILE", notAllowed + own, "shop", http.StatusServiceUnavailable},
	} {
		if got := (asking{token: tt.token}).get(t, tt.url); got != tt.want {
			t.Errorf("%s: %d; want %d", tt.name, got, tt.want)
		}
	}
}

// With FORECASTER_AUTH=mtls the certificate says whose workloads are seen;
// probes need none.
func TestCertificatesHaveTheirEffect(t *testing.T) {
	ours, theirs := tlstest.NewAuthority(t, "ours", time.Hour), tlstest.NewAuthority(t, "theirs", time.Hour)
	files := tlstest.NewDir(t, ours, ours, tlstest.Server("forecaster"))
	address, log := listening(t, light(lagging(t, 0), "FORECASTER_AUTH", "mtls", "ADMIN_ADDR", "127.0.0.1:0", "FORECASTER_AUTH_ADMINS", "prometheus.monitoring.svc",
		"TLS_CERT_FILE", files.Path("tls.crt"), "TLS_KEY_FILE", files.Path("tls.key"), "TLS_CLIENT_CA_FILE", files.Path("ca.crt")))
	as := func(from tlstest.Authority, name string) []tls.Certificate {
		return []tls.Certificate{from.Certificate(t, tlstest.Client(name))}
	}
	for _, tt := range []struct {
		name, url string
		as        []tls.Certificate
		want      int // 0 where there is no connection
	}{
		{"its own", "https://" + address + own, as(ours, "kedastral-scaler.shop.svc"), http.StatusOK},
		{"another's", "https://" + address + own, as(ours, "kedastral-scaler.bank.svc"), http.StatusNotFound},
		{"none", "https://" + address + own, nil, http.StatusUnauthorized},
		{"another name", "https://" + address + own, as(ours, "web.shop.svc"), http.StatusForbidden},
		{"another authority", "https://" + address + own, as(theirs, "kedastral-scaler.shop.svc"), 0},
		{"plain text", "http://" + address + own, nil, http.StatusBadRequest},
		{"metrics by a scaler", "https://" + address + metrics, as(ours, "kedastral-scaler.shop.svc"), http.StatusForbidden},
		{"metrics by an admin", "https://" + address + metrics, as(ours, "prometheus.monitoring.svc"), http.StatusOK},
		{"a probe", "https://" + address + "/healthz", nil, http.StatusOK},
		{"the page at ADMIN_ADDR", admin(t, log) + "/", nil, http.StatusOK},
	} {
		if got := (asking{as: tt.as, trust: ours}).get(t, tt.url); got != tt.want {
			t.Errorf("%s: %d; want %d", tt.name, got, tt.want)
		}
	}
}

func TestRateLimitHasItsEffect(t *testing.T) {
	address, _ := listening(t, light(lagging(t, 0), "RATE_LIMIT", "0.5"))
	refused := 0
	for range 10 {
		if (asking{}).get(t, "http://"+address+"/workloads") == http.StatusTooManyRequests {
			refused++
		}
	}
	if refused < 1 || refused > 5 { // five at once, and what seconds the loop takes
		t.Errorf("RATE_LIMIT=0.5: %d of 10 were refused; want all beyond ten seconds' worth", refused)
	}
}
