// Package redis is a [storage.Store] in Redis, Valkey or what else speaks
// their protocol, shared by forecasters.
//
// The one thing to know: it is a convenience and never a truth. A write is
// compared and set by one script on the server, so the newest GeneratedAt
// stands whoever writes and in whatever order; a write that a failover loses
// is made again with the next tick; and what is not there, has expired or was
// evicted is absent, never zero. Every question waits for the network, so
// nobody who must answer asks here: package mirror keeps a copy in front.
//
// The other decisions of this room:
//
//   - A value lives at PREFIX:1:NAMESPACE/NAME and is a line `k1 SECONDS`,
//     the GeneratedAt by which it is compared, and the snapshot's JSON. A
//     format that is not this one gets another number in both places: an older
//     forecaster beside a newer one does not see its values, and what it finds
//     nevertheless it rejects, counts and overwrites.
//   - What is read is held to the same rules as a forecaster's answer is by a
//     scaler: bounded in size, valid, of the workload that was asked for.
//   - Commands name one key each, so that a cluster can hold them anywhere:
//     EVAL (which uses GETRANGE and SET) and GETRANGE are all there are.
//   - The client's own retries follow a master that moved (READONLY, MOVED,
//     LOADING, CLUSTERDOWN) within the time of one exchange; beyond it the
//     caller tries again.
package redis

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Options say which Redis and how.
type Options struct {
	Address  Address
	Username string // ACL user; empty is the default user
	// Password is asked for with every new connection, so that a rotated one
	// is used without a restart; nil is no password.
	Password func() (string, error)
	// SentinelUsername and SentinelPassword are for the Sentinels.
	SentinelUsername, SentinelPassword string

	TLS     *tls.Config   // nil is plain text
	Prefix  string        // of every key
	TTL     time.Duration // after which an unchanged snapshot is gone
	Timeout time.Duration // of one exchange
	Metrics *Metrics
	Log     *slog.Logger
}

// Store is a [storage.Store] in Redis.
type Store struct {
	Options
	client goredis.UniversalClient
}

// Open makes a store. It does not connect.
func Open(o Options) (*Store, error) {
	if err := o.Address.check(); err != nil {
		return nil, err
	}
	if o.TTL < time.Second || o.Timeout <= 0 || o.Prefix == "" {
		return nil, fmt.Errorf("ttl %v, timeout %v, prefix %q: must be at least a second, positive and not empty", o.TTL, o.Timeout, o.Prefix)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Metrics == nil {
		o.Metrics = NewMetrics(nil)
	}
	goredis.SetLogger(quiet{o.Log}) // its own goes to stderr, past the format asked for
	return &Store{Options: o, client: goredis.NewUniversalClient(o.universal())}, nil
}

// Close ends all connections.
func (s *Store) Close() error { return s.client.Close() }

func (o Options) universal() *goredis.UniversalOptions {
	u := &goredis.UniversalOptions{
		Addrs: o.Address.Hosts, DB: o.Address.DB, MasterName: o.Address.Master, IsClusterMode: o.Address.Cluster,
		Username: o.Username, SentinelUsername: o.SentinelUsername, SentinelPassword: o.SentinelPassword, TLSConfig: o.TLS,
		DialTimeout: o.Timeout, ReadTimeout: o.Timeout, WriteTimeout: o.Timeout, ContextTimeoutEnabled: true, DialerRetries: 1,
		PoolSize: 4, ConnMaxIdleTime: 5 * time.Minute,
		Protocol: 2, DisableIdentity: true, MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
	if o.Password != nil {
		u.CredentialsProviderContext = func(context.Context) (string, string, error) {
			password, err := o.Password()
			return o.Username, password, err
		}
	}
	return u
}

// quiet takes what the client library says to itself.
type quiet struct{ log *slog.Logger }

// Printf is called by the library.
func (q quiet) Printf(ctx context.Context, format string, v ...any) {
	q.log.DebugContext(ctx, "redis client", "says", fmt.Sprintf(format, v...))
}
