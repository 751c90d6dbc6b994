package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/kedastral/kedastral/forecaster/access"
	"github.com/kedastral/kedastral/forecaster/kubernetes"
	"github.com/kedastral/kedastral/shared/env"
	"github.com/kedastral/kedastral/shared/tlsconfig"
)

// How it is told who asks.
const (
	byToken       = "token"
	byCertificate = "mtls"
	byNothing     = "none"
)

// checkAccess is what is wrong with the settings of who may ask. Only serve
// needs them: the other commands answer who runs them.
func (c config) checkAccess() error {
	var faults []error
	switch c.ForecasterAuth {
	case "":
		faults = append(faults, env.Fault{Name: "FORECASTER_AUTH", Rule: "is required: token or mtls, or none to answer everybody who reaches HTTP_ADDR"})
	case byToken:
		if _, err := c.kubernetes(); err != nil {
			faults = append(faults, err)
		}
	case byCertificate:
		if c.TLSClientCAFile == "" {
			faults = append(faults, env.Fault{Name: "TLS_CLIENT_CA_FILE", Rule: "is required with FORECASTER_AUTH=mtls"})
		}
	default:
		faults = append(faults, env.OneOf("FORECASTER_AUTH", c.ForecasterAuth, byToken, byCertificate, byNothing))
	}
	if c.ForecasterAuth != byToken && len(c.ForecasterAuthAccounts) > 0 {
		faults = append(faults, env.Fault{Name: "FORECASTER_AUTH_ACCOUNTS", Rule: "has an effect only with FORECASTER_AUTH=token"})
	}
	if c.ForecasterAuth == byNothing && len(c.ForecasterAuthAdmins) > 0 {
		faults = append(faults, env.Fault{Name: "FORECASTER_AUTH_ADMINS", Rule: "has no effect with FORECASTER_AUTH=none: everybody sees everything"})
	}
	for _, admin := range c.ForecasterAuthAdmins {
		namespace, account, ok := strings.Cut(admin, "/")
		if c.ForecasterAuth == byToken && (!ok || namespace == "" || account == "") {
			faults = append(faults, env.Fault{Name: "FORECASTER_AUTH_ADMINS", Value: admin, Rule: "must be NAMESPACE/SERVICEACCOUNT"})
		}
	}
	return errors.Join(faults...)
}

// kubernetes is where the API server is: as told, or as every pod is told.
func (c config) kubernetes() (*url.URL, error) {
	if c.KubernetesURL == "" {
		if c.KubernetesServiceHost == "" {
			return nil, env.Fault{Name: "KUBERNETES_URL", Rule: "is required with FORECASTER_AUTH=token and with LEASE_NAME outside of a cluster"}
		}
		host := c.KubernetesServiceHost
		if strings.Contains(host, ":") {
			host = "[" + host + "]"
		}
		return &url.URL{Scheme: "https", Host: host + ":" + c.KubernetesServicePort}, nil
	}
	u, err := url.Parse(c.KubernetesURL)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" {
		return nil, env.Fault{Name: "KUBERNETES_URL", Rule: "must be https://HOST, without user and query: tokens go there"}
	}
	return u, nil
}

// apiServer is the API server, to be asked as this process's service account.
func (c config) apiServer(log *slog.Logger) (*kubernetes.Server, error) {
	address, err := c.kubernetes()
	if err != nil {
		return nil, err
	}
	secure, err := tlsconfig.ClientOrNone(tlsconfig.Files{CA: c.KubernetesCAFile, ServerName: address.Hostname()}, log)
	if err != nil {
		return nil, fmt.Errorf("TLS to the Kubernetes API: %w", err)
	}
	server, err := kubernetes.New(kubernetes.Options{URL: address, TLS: secure, TokenFile: c.KubernetesTokenFile})
	if err != nil {
		return nil, fmt.Errorf("KUBERNETES_TOKEN_FILE: %w", err)
	}
	return server, nil
}

// newGuard is who tells who asks; nil answers everybody.
func newGuard(c config, reg prometheus.Registerer, log *slog.Logger) (access.Guard, error) {
	metrics := access.NewMetrics(reg)
	switch c.ForecasterAuth {
	case byCertificate:
		return access.Certificates{Admins: c.ForecasterAuthAdmins}, nil
	case byToken:
		server, err := c.apiServer(log)
		if err != nil {
			return nil, err
		}
		reviewer := access.Kubernetes{Server: server, Audience: c.ForecasterAuthAudience}
		guard, err := access.NewTokens(access.TokenOptions{
			Reviewer: reviewer, Accounts: c.ForecasterAuthAccounts, Admins: c.ForecasterAuthAdmins, Metrics: metrics, Log: log,
		})
		if err != nil {
			return nil, fmt.Errorf("making the guard: %w", err)
		}
		return guard, nil
	}
	return nil, nil //nolint:nilnil // nil is what answers everybody
}
