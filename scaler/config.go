package main

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"time"

	"github.com/kedastral/kedastral/scaler/client"
	"github.com/kedastral/kedastral/shared/clock"
	"github.com/kedastral/kedastral/shared/env"
	"github.com/kedastral/kedastral/shared/forecast"
	"github.com/kedastral/kedastral/shared/shard"
	"github.com/kedastral/kedastral/shared/tlsconfig"
)

// config is every variable the scaler reads.
type config struct {
	Namespace     string   `env:"NAMESPACE, required" doc:"The namespace whose ScaledObjects are answered; those of any other are refused."`
	ForecasterURL []string `env:"FORECASTER_URL, required" doc:"Forecasters to ask, in order of preference, separated by commas: http://forecaster.kedastral:8081. With SHARD_COUNT one address with {ordinal} in it."`
	ShardCount    int      `env:"SHARD_COUNT, default=0" doc:"Shards that the forecasters are, as they are told themselves. 0: each of them computes everything."`

	GRPCAddr string `env:"GRPC_ADDR, default=:50051" doc:"Address on which KEDA asks."`
	HTTPAddr string `env:"HTTP_ADDR, default=:8082" doc:"Address of /healthz, /readyz, /metrics and /status."`

	LeadTime         time.Duration `env:"LEAD_TIME, default=5m" doc:"How far ahead of now to look for the largest count; a trigger's leadTime overrides it."`
	StaleAfter       time.Duration `env:"STALE_AFTER, default=10m" doc:"A forecast older than this is not used. Keep it above the forecaster's SCRAPE_INTERVAL and twice its INTERVAL."`
	FallbackReplicas *int          `env:"FALLBACK_REPLICAS" doc:"Replicas to answer when the forecast is stale; a trigger's fallbackReplicas overrides it. Unset: an error, on which the HPA does not scale down."`

	CacheSize       int           `env:"CACHE_SIZE, default=10000" doc:"Workloads and triggers remembered; keep it above the number of ScaledObjects in the namespace."`
	RefreshInterval time.Duration `env:"REFRESH_INTERVAL, default=15s" doc:"How often the forecaster is asked for a newer forecast of each workload. Keep it well below its INTERVAL."`
	FetchTimeout    time.Duration `env:"FETCH_TIMEOUT, default=2s" doc:"Time for one question to one forecaster."`
	MaxInFlight     int           `env:"MAX_IN_FLIGHT, default=1024" doc:"Calls answered at a time; more are refused."`

	TLSCertFile     string   `env:"TLS_CERT_FILE" doc:"PEM file of the certificate shown to KEDA. Unset: plain text."`
	TLSKeyFile      string   `env:"TLS_KEY_FILE" doc:"PEM file of its key."`
	TLSClientCAFile string   `env:"TLS_CLIENT_CA_FILE" doc:"PEM file of the authorities one of which must have issued KEDA's certificate."`
	TLSClientNames  []string `env:"TLS_CLIENT_NAMES" doc:"DNS names one of which KEDA's certificate must bear, where its authority issues others too. Unset: any."`

	RateLimit float64 `env:"RATE_LIMIT, default=10000" doc:"Questions for a number that one address may ask a second, ten seconds' worth at once; KEDA's operator is one address. 0 does not limit."`

	ForecasterAuth       string `env:"FORECASTER_AUTH, required" doc:"How the forecasters are shown who asks, as their own FORECASTER_AUTH wants it: token (FORECASTER_TOKEN_FILE), mtls (FORECASTER_CERT_FILE) or none."`
	ForecasterCAFile     string `env:"FORECASTER_CA_FILE" doc:"PEM file of the authorities that issue the forecasters' certificates. Unset: the system's."`
	ForecasterCertFile   string `env:"FORECASTER_CERT_FILE" doc:"PEM file of the certificate shown to the forecasters."`
	ForecasterKeyFile    string `env:"FORECASTER_KEY_FILE" doc:"PEM file of its key."`
	ForecasterServerName string `env:"FORECASTER_SERVER_NAME" doc:"Name the forecasters' certificates must bear, where it is not the host asked."`
	ForecasterTokenFile  string `env:"FORECASTER_TOKEN_FILE" doc:"File of a bearer token for the forecasters, read again as it is rotated."`

	ClockSpeed float64 `env:"CLOCK_SPEED, default=1" doc:"How much faster than real time this process lives, beside a forecaster that replays a recording at RECORDED_SPEED. For demonstrations."`

	LogFormat string `env:"LOG_FORMAT, default=text" doc:"text or json."`
	LogLevel  string `env:"LOG_LEVEL, default=info" doc:"debug, info, warn or error."`
}

// prefixes are ours: a variable that begins so and is not known is a fault.
// Others with a known name's first letters are common in a cluster.
func prefixes() []string {
	return []string{"FORECASTER_", "LEAD_", "STALE_", "FALLBACK_", "CACHE_", "REFRESH_", "FETCH_", "CLOCK_", "SHARD_", "TLS_CERT", "TLS_KEY", "TLS_CLIENT", "RATE_LIMIT"}
}

// load reads the configuration and reports everything wrong with it at once.
func load(ctx context.Context, vars env.Vars) (config, error) {
	var c config
	err := env.Join(env.Load(ctx, vars, &c), env.Unknown(vars, prefixes(), env.Names(c)...))
	return c, err
}

// Validate is asked by env.Load.
func (c *config) Validate() error {
	errs := []error{
		env.AtLeast("LEAD_TIME", c.LeadTime, 0),
		env.Positive("STALE_AFTER", c.StaleAfter),
		env.Between("CACHE_SIZE", c.CacheSize, 1, 1_000_000),
		env.AtLeast("REFRESH_INTERVAL", c.RefreshInterval, time.Second),
		env.Positive("FETCH_TIMEOUT", c.FetchTimeout),
		env.Between("SHARD_COUNT", c.ShardCount, 0, shard.Most),
		env.Between("MAX_IN_FLIGHT", c.MaxInFlight, 1, 1_000_000),
		env.OneOf("FORECASTER_AUTH", c.ForecasterAuth, byToken, byCertificate, byNothing),
		env.Between("RATE_LIMIT", c.RateLimit, 0, 1e9),
		env.Needs("TLS_CLIENT_NAMES", strings.Join(c.TLSClientNames, ","), "TLS_CLIENT_CA_FILE", c.TLSClientCAFile),
		c.checkAuth(),
		env.Between("CLOCK_SPEED", c.ClockSpeed, 1, 86_400),
		env.OneOf("LOG_FORMAT", c.LogFormat, "text", "json"),
		env.OneOf("LOG_LEVEL", c.LogLevel, "debug", "info", "warn", "error"),
		env.Together("TLS_CERT_FILE", c.TLSCertFile, "TLS_KEY_FILE", c.TLSKeyFile),
		env.Needs("TLS_CLIENT_CA_FILE", c.TLSClientCAFile, "TLS_CERT_FILE", c.TLSCertFile),
		env.Together("FORECASTER_CERT_FILE", c.ForecasterCertFile, "FORECASTER_KEY_FILE", c.ForecasterKeyFile),
	}
	if _, _, err := forecast.ParseWorkload(c.Namespace + "/x"); err != nil {
		errs = append(errs, env.Fault{Name: "NAMESPACE", Value: c.Namespace, Rule: "must be the name of a Kubernetes namespace"})
	}
	if c.FallbackReplicas != nil {
		errs = append(errs, env.Between("FALLBACK_REPLICAS", *c.FallbackReplicas, 1, 1<<31-1))
	}
	_, err := c.forecasters()
	return errors.Join(append(errs, err)...)
}

// How the forecasters are shown who asks.
const (
	byToken       = "token"
	byCertificate = "mtls"
	byNothing     = "none"
)

// checkAuth is what is missing or in vain for FORECASTER_AUTH. A certificate
// beside a token is neither: TLS may ask for one, too.
func (c *config) checkAuth() error {
	missing := func(name, value string) error {
		if value != "" {
			return nil
		}
		return env.Fault{Name: name, Rule: "is required with FORECASTER_AUTH=" + c.ForecasterAuth}
	}
	var vain error
	if c.ForecasterAuth != byToken && c.ForecasterTokenFile != "" {
		vain = env.Fault{Name: "FORECASTER_TOKEN_FILE", Value: c.ForecasterTokenFile, Rule: "is sent only with FORECASTER_AUTH=token"}
	}
	switch c.ForecasterAuth {
	case byToken:
		return missing("FORECASTER_TOKEN_FILE", c.ForecasterTokenFile)
	case byCertificate:
		return errors.Join(vain, missing("FORECASTER_CERT_FILE", c.ForecasterCertFile))
	}
	return vain
}

// forecasters are the URLs to ask.
func (c *config) forecasters() ([]*url.URL, error) {
	var urls []*url.URL
	var errs []error
	secured := false
	addresses, err := shard.Addresses(c.ForecasterURL, c.ShardCount)
	if err != nil {
		errs = append(errs, env.Fault{Name: "FORECASTER_URL", Rule: err.Error()})
	}
	for _, text := range addresses {
		u, err := url.Parse(strings.TrimSpace(text))
		if err != nil {
			errs = append(errs, env.Fault{Name: "FORECASTER_URL", Value: text, Rule: "must be a list of URLs"})
			continue
		}
		if err := client.CheckURL(u); err != nil {
			errs = append(errs, env.Fault{Name: "FORECASTER_URL", Rule: err.Error()})
		}
		secured = secured || u.Scheme == "https"
		urls = append(urls, u)
	}
	if !secured && c.forecasterTLS() != (tlsconfig.Files{}) {
		errs = append(errs, env.Fault{Name: "FORECASTER_URL", Rule: "must be https for FORECASTER_CA_FILE, FORECASTER_CERT_FILE or FORECASTER_SERVER_NAME to have an effect"})
	}
	return urls, errors.Join(errs...)
}

func (c *config) forecasterTLS() tlsconfig.Files {
	return tlsconfig.Files{
		Cert: c.ForecasterCertFile, Key: c.ForecasterKeyFile,
		CA: c.ForecasterCAFile, ServerName: c.ForecasterServerName,
	}
}

func (c *config) serverTLS() tlsconfig.Files {
	return tlsconfig.Files{Cert: c.TLSCertFile, Key: c.TLSKeyFile, CA: c.TLSClientCAFile, ClientNames: strings.Join(c.TLSClientNames, ",")}
}

// clock is the time that forecasts age by.
func (c *config) clock() (clock.Clock, error) {
	if c.ClockSpeed == 1 {
		return clock.Real(), nil
	}
	return clock.Faster(time.Now(), c.ClockSpeed)
}

// fallback is FALLBACK_REPLICAS, 0 when unset.
func (c *config) fallback() int {
	if c.FallbackReplicas == nil {
		return 0
	}
	return *c.FallbackReplicas
}
