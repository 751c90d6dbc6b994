package main

import (
	"context"
	"errors"
	"time"

	"github.com/kedastral/kedastral/forecaster/adapters/prom"
	"github.com/kedastral/kedastral/shared/env"
	"github.com/kedastral/kedastral/shared/forecast"
	"github.com/kedastral/kedastral/shared/tlsconfig"
)

// The kinds of source.
const (
	fromPrometheus = "prometheus"
	fromRecording  = "recorded"
)

// config is every variable the forecaster reads besides the workloads' own.
type config struct {
	Workloads []string `env:"WORKLOADS, required" doc:"Workloads to forecast, NAMESPACE/NAME, separated by commas."`

	HTTPAddr        string `env:"HTTP_ADDR, default=:8081" doc:"Address of the API, /healthz, /readyz and /metrics."`
	MaxConnections  int    `env:"MAX_CONNECTIONS, default=1024" doc:"Connections open at once, of one peer at most half; more wait."`
	TLSCertFile     string `env:"TLS_CERT_FILE" doc:"PEM file of the certificate shown to scalers. Unset: plain text."`
	TLSKeyFile      string `env:"TLS_KEY_FILE" doc:"PEM file of its key."`
	TLSClientCAFile string `env:"TLS_CLIENT_CA_FILE" doc:"PEM file of the authorities one of which must have issued a client's certificate."`

	ForecasterAuth         string   `env:"FORECASTER_AUTH" doc:"How it is told who asks, and so whose workloads they may see: token (a Kubernetes service account's), mtls (a client certificate for kedastral-scaler.NAMESPACE.svc) or none: everybody sees everything. Required to serve."`
	ForecasterAuthAudience string   `env:"FORECASTER_AUTH_AUDIENCE, default=kedastral-forecaster" doc:"Audience that tokens must be made for."`
	ForecasterAuthAccounts []string `env:"FORECASTER_AUTH_ACCOUNTS" doc:"Names of the service accounts that are let in with FORECASTER_AUTH=token, in whichever namespace. Unset: all."`
	ForecasterAuthAdmins   []string `env:"FORECASTER_AUTH_ADMINS" doc:"Who sees every namespace, the page and /metrics: NAMESPACE/SERVICEACCOUNT with FORECASTER_AUTH=token, the certificate's DNS name with mtls."`
	AdminAddr              string   `env:"ADMIN_ADDR, default=127.0.0.1:8083" doc:"Address that answers everybody about every namespace, the page and /metrics included, unless FORECASTER_AUTH=none has HTTP_ADDR do so. The default is for kubectl port-forward."`
	RateLimit              float64  `env:"RATE_LIMIT, default=1000" doc:"Requests a second that one address may send; ten seconds' worth at once. 0 does not limit."`
	KubernetesURL          string   `env:"KUBERNETES_URL" doc:"Address of the Kubernetes API that reviews tokens. Unset: the cluster's own."`
	KubernetesServiceHost  string   `env:"KUBERNETES_SERVICE_HOST" doc:"Host of the cluster's own, as Kubernetes sets it in every pod."`
	KubernetesServicePort  string   `env:"KUBERNETES_SERVICE_PORT, default=443" doc:"Its port, likewise."`
	KubernetesCAFile       string   `env:"KUBERNETES_CA_FILE, default=/var/run/secrets/kubernetes.io/serviceaccount/ca.crt" doc:"PEM file of the authorities that issue its certificate."`
	KubernetesTokenFile    string   `env:"KUBERNETES_TOKEN_FILE, default=/var/run/secrets/kubernetes.io/serviceaccount/token" doc:"File of the token to ask it with, read again as it is rotated; its service account needs the ClusterRole system:auth-delegator."`

	Source string `env:"SOURCE, default=prometheus" doc:"Where history comes from: prometheus or recorded."`

	PrometheusURL             string            `env:"PROMETHEUS_URL" doc:"Address of Prometheus or what speaks its API, with its path if any. Required for SOURCE=prometheus."`
	PrometheusBearerToken     string            `env:"PROMETHEUS_BEARER_TOKEN" secret:"true" doc:"Bearer token."`
	PrometheusBearerTokenFile string            `env:"PROMETHEUS_BEARER_TOKEN_FILE" doc:"File of the bearer token, read again as it is rotated."`
	PrometheusUsername        string            `env:"PROMETHEUS_USERNAME" doc:"User for basic authentication."`
	PrometheusPassword        string            `env:"PROMETHEUS_PASSWORD" secret:"true" doc:"Password for basic authentication."`
	PrometheusPasswordFile    string            `env:"PROMETHEUS_PASSWORD_FILE" doc:"File of the password, read again as it is rotated."`
	PrometheusHeaders         map[string]string `env:"PROMETHEUS_HEADERS" secret:"true" doc:"Headers sent along, NAME:VALUE separated by commas, such as X-Scope-OrgID:team-a."`
	PrometheusCAFile          string            `env:"PROMETHEUS_CA_FILE" doc:"PEM file of the authorities that issue its certificate. Unset: the system's."`
	PrometheusCertFile        string            `env:"PROMETHEUS_CERT_FILE" doc:"PEM file of the certificate shown to it."`
	PrometheusKeyFile         string            `env:"PROMETHEUS_KEY_FILE" doc:"PEM file of its key."`
	PrometheusServerName      string            `env:"PROMETHEUS_SERVER_NAME" doc:"Name its certificate must bear, where it is not the host of the URL or that is an IP address."`
	PrometheusTimeout         time.Duration     `env:"PROMETHEUS_TIMEOUT, default=10s" doc:"Time for one query."`
	ScrapeInterval            time.Duration     `env:"SCRAPE_INTERVAL, default=15s" doc:"How often Prometheus scrapes: a step is read this long after it ended, so that it is complete."`

	RecordedFile  string    `env:"RECORDED_FILE" doc:"CSV of timestamp,value to replay. Required for SOURCE=recorded, here or per workload."`
	RecordedFrom  time.Time `env:"RECORDED_FROM" doc:"Recorded instant to begin at, RFC 3339. Unset: the first one with a full window before it."`
	RecordedLoop  bool      `env:"RECORDED_LOOP, default=false" doc:"Begin again after the recording's end, with its last whole weeks, or days where it is shorter than a week."`
	RecordedSpeed float64   `env:"RECORDED_SPEED, default=1" doc:"Recorded seconds per second."`

	Concurrency int           `env:"CONCURRENCY, default=8" doc:"Workloads read and forecast at the same time."`
	MaxDataAge  time.Duration `env:"MAX_DATA_AGE, default=15m" doc:"When the newest observation is older, nothing is published. At least SCRAPE_INTERVAL and two intervals of every workload."`

	History time.Duration `env:"HISTORY, default=1d" doc:"How much of what was published the page remembers, at most 64 KiB a workload. 0 turns it off."`

	StoreConfig
	LeaseConfig
	ShardConfig

	ForecastMetricsQuantiles []float64       `env:"FORECAST_METRICS_QUANTILES, default=0.5,0.95" doc:"Quantiles of every forecast that are the metric kedastral_forecast_value."`
	ForecastMetricsLeads     []time.Duration `env:"FORECAST_METRICS_LEADS, default=5m,30m" doc:"How far ahead of now that metric tells the forecast; 0s is now."`
	ForecastMetricsLimit     int             `env:"FORECAST_METRICS_LIMIT, default=12" doc:"Series of that metric a workload may have: quantiles times leads must not be more. 0 turns the metric off."`

	LogFormat string `env:"LOG_FORMAT, default=text" doc:"text or json."`
	LogLevel  string `env:"LOG_LEVEL, default=info" doc:"debug, info, warn or error."`
}

// settings are the whole configuration.
type settings struct {
	config
	workloads []workload // as listed in WORKLOADS
}

// load reads the configuration and reports everything wrong with it at once.
func load(ctx context.Context, vars env.Vars) (settings, error) {
	var s settings
	faults := []error{env.Load(ctx, vars, &s.config)}
	known := env.Names(s.config)
	for _, setting := range env.Names(workload{}) {
		known = append(known, "DEFAULT_"+setting)
	}
	for _, name := range s.Workloads {
		if _, _, err := forecast.ParseWorkload(name); err != nil {
			faults = append(faults, env.Fault{Name: "WORKLOADS", Value: name, Rule: "must be NAMESPACE/NAME as Kubernetes allows them"})
			continue
		}
		at := env.Scoped(vars, "WORKLOAD_"+env.Name(name)+"_", "DEFAULT_")
		known = append(known, at.Names(workload{})...)
		w := workload{name: name}
		faults = append(faults, env.Load(ctx, at, &w), s.check(at, w))
		s.workloads = append(s.workloads, w)
	}
	faults = append(faults, s.checkSampled(vars))
	faults = append(faults, env.Distinct("WORKLOADS", s.Workloads, env.Names(workload{})...))
	return s, env.Join(append(faults, env.Unknown(vars, prefixes(), known...))...)
}

// prefixes are ours: a variable that begins so and is not known is a fault.
func prefixes() []string {
	return []string{"WORKLOAD_", "DEFAULT_", "PROMETHEUS_", "RECORDED_", "REDIS_", "LEASE_", "SHARD_", "FORECAST_METRICS_", "TLS_CERT", "TLS_KEY", "TLS_CLIENT", "FORECASTER_AUTH", "ADMIN_ADDR", "RATE_LIMIT"}
}

// check is what the configuration as a whole asks of a workload.
func (c config) check(at env.Scope, w workload) error {
	var faults []error
	switch {
	case c.Source == fromPrometheus && w.Query == "":
		faults = append(faults, env.Fault{Name: at.Key("QUERY"), Rule: "is required with SOURCE=prometheus: a PromQL query of one series"})
	case c.Source == fromRecording && c.RecordedFile == "" && w.RecordedFile == "":
		faults = append(faults, env.Fault{Name: "RECORDED_FILE", Rule: "is required with SOURCE=recorded"})
	}
	return errors.Join(append(faults, c.checkAge(w))...)
}

// checkAge refuses an age that data reaches while all is well: it is as old as
// the source takes to settle when it is read, an interval more when the next is
// due, and one more when that one read fails.
func (c config) checkAge(w workload) error {
	interval, settle := w.interval(), c.settle()
	least := max(0, settle) + 2*interval
	if interval <= 0 || c.MaxDataAge <= 0 || c.MaxDataAge >= least {
		return nil
	}
	parts := "two intervals of " + w.name
	if settle > 0 {
		parts = "SCRAPE_INTERVAL and " + parts
	}
	return env.Fault{Name: "MAX_DATA_AGE", Value: env.FormatDuration(c.MaxDataAge), Rule: "must be at least " + parts + ", " + env.FormatDuration(least)}
}

// Validate is asked by env.Load.
func (c *config) Validate() error {
	errs := []error{
		env.OneOf("SOURCE", c.Source, fromPrometheus, fromRecording),
		env.Between("RATE_LIMIT", c.RateLimit, 0, 1e9),
		env.Between("MAX_CONNECTIONS", c.MaxConnections, 1, 1_000_000),
		env.Positive("PROMETHEUS_TIMEOUT", c.PrometheusTimeout),
		env.AtLeast("SCRAPE_INTERVAL", c.ScrapeInterval, 0),
		env.Between("RECORDED_SPEED", c.RecordedSpeed, 1, 86_400),
		env.Between("CONCURRENCY", c.Concurrency, 1, 1024),
		env.Positive("MAX_DATA_AGE", c.MaxDataAge),
		env.Between("HISTORY", c.History, 0, 30*24*time.Hour),
		env.Between("FORECAST_METRICS_LIMIT", c.ForecastMetricsLimit, 0, 1000),
		c.checkSampling(),
		env.OneOf("LOG_FORMAT", c.LogFormat, "text", "json"),
		env.OneOf("LOG_LEVEL", c.LogLevel, "debug", "info", "warn", "error"),
		env.Together("TLS_CERT_FILE", c.TLSCertFile, "TLS_KEY_FILE", c.TLSKeyFile),
		env.Needs("TLS_CLIENT_CA_FILE", c.TLSClientCAFile, "TLS_CERT_FILE", c.TLSCertFile),
		env.Together("PROMETHEUS_CERT_FILE", c.PrometheusCertFile, "PROMETHEUS_KEY_FILE", c.PrometheusKeyFile),
		env.AtMostOne("PROMETHEUS_BEARER_TOKEN_FILE", c.PrometheusBearerTokenFile, "PROMETHEUS_BEARER_TOKEN", c.PrometheusBearerToken),
		env.AtMostOne("PROMETHEUS_PASSWORD_FILE", c.PrometheusPasswordFile, "PROMETHEUS_PASSWORD", c.PrometheusPassword),
		c.faults(),
		c.misplaced(),
	}
	switch {
	case c.Source != fromPrometheus:
	case c.PrometheusURL == "":
		errs = append(errs, env.Fault{Name: "PROMETHEUS_URL", Rule: "is required with SOURCE=prometheus"})
	default:
		if err := prom.CheckURL(c.PrometheusURL); err != nil {
			errs = append(errs, env.Fault{Name: "PROMETHEUS_URL", Rule: err.Error()})
		}
	}
	return errors.Join(errs...)
}

// serverFiles are the files of the API's own TLS.
func (c config) serverFiles() tlsconfig.Files {
	return tlsconfig.Files{
		Cert: c.TLSCertFile, Key: c.TLSKeyFile, CA: c.TLSClientCAFile,
		Anonymous: c.ForecasterAuth == byCertificate, // the probes have none; who asks for more needs one
	}
}

// prometheusFiles are the files of TLS to Prometheus.
func (c config) prometheusFiles() tlsconfig.Files {
	return tlsconfig.Files{Cert: c.PrometheusCertFile, Key: c.PrometheusKeyFile, CA: c.PrometheusCAFile, ServerName: c.PrometheusServerName}
}

// settle is how long after a step its data is complete at the source.
func (c config) settle() time.Duration {
	if c.Source == fromRecording {
		return 0
	}
	return c.ScrapeInterval
}
