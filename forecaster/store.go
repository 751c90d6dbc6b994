package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/kedastral/kedastral/forecaster/storage"
	"github.com/kedastral/kedastral/forecaster/storage/mirror"
	"github.com/kedastral/kedastral/forecaster/storage/redis"
	"github.com/kedastral/kedastral/shared/clock"
	"github.com/kedastral/kedastral/shared/env"
	"github.com/kedastral/kedastral/shared/tlsconfig"
)

// The kinds of store.
const (
	inMemory = "memory"
	inRedis  = "redis"
)

// Of the shared store. Nobody waits for it, so these are not for users to set.
const (
	storeTimeout = time.Second     // of one exchange
	storePoll    = 5 * time.Second // between two looks for what other forecasters put
)

// StoreConfig is every variable about where snapshots are kept.
type StoreConfig struct {
	Store                     string `env:"STORE, default=memory" doc:"Where snapshots are kept: memory, or redis, which keeps a copy for other forecasters and for after a restart."`
	RedisURL                  string `env:"REDIS_URL" doc:"redis://HOST:PORT[/DB], or rediss:// for TLS. Several hosts separated by commas are Sentinels or nodes of a cluster. Required for STORE=redis."`
	RedisMaster               string `env:"REDIS_MASTER" doc:"Name by which the Sentinels of REDIS_URL know the master."`
	RedisCluster              bool   `env:"REDIS_CLUSTER, default=false" doc:"Whether the hosts of REDIS_URL are nodes of a cluster."`
	RedisUsername             string `env:"REDIS_USERNAME" doc:"ACL user. Unset: the default user."`
	RedisPassword             string `env:"REDIS_PASSWORD" secret:"true" doc:"Its password."`
	RedisPasswordFile         string `env:"REDIS_PASSWORD_FILE" doc:"File of the password, read again with every new connection."`
	RedisSentinelUsername     string `env:"REDIS_SENTINEL_USERNAME" doc:"ACL user of the Sentinels."`
	RedisSentinelPassword     string `env:"REDIS_SENTINEL_PASSWORD" secret:"true" doc:"Password of the Sentinels."`
	RedisSentinelPasswordFile string `env:"REDIS_SENTINEL_PASSWORD_FILE" doc:"File of the password of the Sentinels, read at the start."`
	RedisPrefix               string `env:"REDIS_PREFIX, default=kedastral" doc:"What every key begins with. Clusters that share a Redis need one each."`
	RedisCAFile               string `env:"REDIS_CA_FILE" doc:"PEM file of the authorities that issue its certificate. Unset: the system's."`
	RedisCertFile             string `env:"REDIS_CERT_FILE" doc:"PEM file of the certificate shown to it."`
	RedisKeyFile              string `env:"REDIS_KEY_FILE" doc:"PEM file of its key."`
	RedisServerName           string `env:"REDIS_SERVER_NAME" doc:"Name its certificate must bear, where it is not the host connected to."`
}

// faults are what is wrong with it.
func (c StoreConfig) faults() error {
	errs := []error{
		env.OneOf("STORE", c.Store, inMemory, inRedis),
		env.Together("REDIS_CERT_FILE", c.RedisCertFile, "REDIS_KEY_FILE", c.RedisKeyFile),
		env.AtMostOne("REDIS_PASSWORD_FILE", c.RedisPasswordFile, "REDIS_PASSWORD", c.RedisPassword),
		env.AtMostOne("REDIS_SENTINEL_PASSWORD_FILE", c.RedisSentinelPasswordFile, "REDIS_SENTINEL_PASSWORD", c.RedisSentinelPassword),
	}
	if c.RedisPrefix == "" || len(c.RedisPrefix) > 128 || strings.ContainsFunc(c.RedisPrefix, func(r rune) bool { return r <= ' ' || r > '~' || r == '{' || r == '}' }) {
		errs = append(errs, env.Fault{Name: "REDIS_PREFIX", Value: c.RedisPrefix, Rule: "must be 1 to 128 printable characters without braces"})
	}
	switch {
	case c.Store == inRedis:
		errs = append(errs, c.redisFaults())
	case c.RedisURL != "":
		errs = append(errs, env.Fault{Name: "STORE", Value: c.Store, Rule: "must be redis for REDIS_URL to have an effect"})
	}
	return errors.Join(errs...)
}

func (c StoreConfig) redisFaults() error {
	if c.RedisURL == "" {
		return env.Fault{Name: "REDIS_URL", Rule: "is required with STORE=redis"}
	}
	address, err := c.address()
	if err != nil {
		return env.Fault{Name: "REDIS_URL", Rule: err.Error()}
	}
	var errs []error
	if c.redisFiles() != (tlsconfig.Files{}) && !address.TLS {
		errs = append(errs, env.Fault{Name: "REDIS_URL", Rule: "must be rediss:// for REDIS_CA_FILE, REDIS_CERT_FILE or REDIS_SERVER_NAME to have an effect"})
	}
	if c.RedisUsername != "" && c.RedisPassword == "" && c.RedisPasswordFile == "" {
		errs = append(errs, env.Fault{Name: "REDIS_PASSWORD_FILE", Rule: "is required with REDIS_USERNAME, or REDIS_PASSWORD is"})
	}
	return errors.Join(errs...)
}

func (c StoreConfig) address() (redis.Address, error) {
	return redis.ParseAddress(c.RedisURL, c.RedisMaster, c.RedisCluster)
}

// redisFiles are the files of TLS to Redis.
func (c StoreConfig) redisFiles() tlsconfig.Files {
	return tlsconfig.Files{Cert: c.RedisCertFile, Key: c.RedisKeyFile, CA: c.RedisCAFile, ServerName: c.RedisServerName}
}

// ttl is how long a snapshot stays in the shared store. One whose newest
// observation is older than MAX_DATA_AGE is not served, so twice that is more
// than enough; it is also twice as long as scalers use one by default.
func (c config) ttl() time.Duration { return 2 * c.MaxDataAge }

// openStore makes the store, and what has to run for it, nil for nothing. It
// does not connect.
func openStore(cfg settings, now clock.Clock, reg prometheus.Registerer, log *slog.Logger) (storage.Store, func(context.Context) error, error) {
	if cfg.Store == inMemory {
		return storage.NewMemory(), nil, nil
	}
	options, err := cfg.redis(reg, log)
	if err != nil {
		return nil, nil, err
	}
	behind, err := redis.Open(options)
	if err != nil {
		return nil, nil, fmt.Errorf("opening the shared store: %w", err)
	}
	store := mirror.New(mirror.Options{
		Shared: behind, Workloads: cfg.Workloads, Now: now.Now, Poll: storePoll,
		Log: log.With("store", options.Address.String()), Metrics: mirror.NewMetrics(reg),
	})
	return store, func(ctx context.Context) error { return errors.Join(store.Run(ctx), behind.Close()) }, nil
}

func (s settings) redis(reg prometheus.Registerer, log *slog.Logger) (redis.Options, error) {
	address, err := s.address()
	if err != nil {
		return redis.Options{}, fmt.Errorf("REDIS_URL: %w", err)
	}
	o := redis.Options{
		Address: address, Username: s.RedisUsername, Password: password(s.RedisPassword, s.RedisPasswordFile),
		SentinelUsername: s.RedisSentinelUsername, Prefix: s.RedisPrefix,
		TTL: s.ttl(), Timeout: storeTimeout, Metrics: redis.NewMetrics(reg), Log: log,
	}
	if o.Password != nil {
		if _, err := o.Password(); err != nil {
			return o, err
		}
	}
	if secret := password(s.RedisSentinelPassword, s.RedisSentinelPasswordFile); secret != nil {
		if o.SentinelPassword, err = secret(); err != nil {
			return o, err
		}
	}
	if address.TLS {
		if o.TLS, err = tlsconfig.ClientOrNone(s.redisFiles(), log); err != nil {
			return o, fmt.Errorf("TLS to Redis: %w", err)
		}
		if o.TLS == nil {
			o.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
		}
	}
	return o, nil
}

// password is the one given, or what is in the file at each call; nil is none.
func password(value, file string) func() (string, error) {
	switch {
	case file != "":
		return func() (string, error) {
			content, err := os.ReadFile(file)
			if err != nil {
				return "", fmt.Errorf("reading the password of Redis: %w", err)
			}
			return strings.TrimSpace(string(content)), nil
		}
	case value != "":
		return func() (string, error) { return value, nil }
	}
	return nil
}
