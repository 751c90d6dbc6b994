package redis

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
)

// Address is where Redis is.
type Address struct {
	Hosts   []string // HOST:PORT of the server, or of the Sentinels, or of some nodes of the cluster
	DB      int      // database number
	TLS     bool     // rediss
	Master  string   // the name by which the Sentinels know the master; empty without Sentinels
	Cluster bool
}

const (
	defaultPort  = "6379"
	sentinelPort = "26379"
)

// ParseAddress reads redis://HOST[:PORT][,HOST[:PORT]…][/DB], or rediss:// for
// TLS. With a master's name the hosts are its Sentinels; with cluster they are
// nodes of a cluster; else there is one. What is wrong with it is told without
// what may be a secret.
func ParseAddress(text, master string, cluster bool) (Address, error) {
	scheme, rest, found := strings.Cut(text, "://")
	if !found || scheme != "redis" && scheme != "rediss" {
		return Address{}, errors.New("must be redis://HOST:PORT or rediss://HOST:PORT, several hosts separated by commas")
	}
	if strings.ContainsAny(rest, "@?#") {
		return Address{}, errors.New("must hold no user, password, query or fragment: they have variables of their own")
	}
	hosts, db, _ := strings.Cut(rest, "/")
	a := Address{TLS: scheme == "rediss", Master: master, Cluster: cluster}
	port := defaultPort
	if master != "" {
		port = sentinelPort
	}
	for host := range strings.SplitSeq(hosts, ",") {
		full, err := withPort(strings.TrimSpace(host), port)
		if err != nil {
			return Address{}, err
		}
		a.Hosts = append(a.Hosts, full)
	}
	if db != "" {
		n, err := strconv.Atoi(db)
		if err != nil || n < 0 {
			return Address{}, fmt.Errorf("database %q: must be a number, 0 or more", db)
		}
		a.DB = n
	}
	return a, a.check()
}

func withPort(host, port string) (string, error) {
	u, err := url.Parse("redis://" + host)
	switch {
	case err != nil || u.Hostname() == "" || u.Host != host:
		return "", fmt.Errorf("host %q: must be HOST or HOST:PORT", host)
	case u.Port() != "":
		if n, err := strconv.Atoi(u.Port()); err != nil || n < 1 || n > 65535 {
			return "", fmt.Errorf("host %q: its port must be between 1 and 65535", host)
		}
		return host, nil
	}
	return net.JoinHostPort(u.Hostname(), port), nil
}

func (a Address) check() error {
	switch {
	case len(a.Hosts) == 0:
		return errors.New("must name a host")
	case a.Master != "" && a.Cluster:
		return errors.New("REDIS_MASTER and REDIS_CLUSTER: must be at most one of them")
	case a.Cluster && a.DB != 0:
		return fmt.Errorf("database %d: a cluster has only 0", a.DB)
	case len(a.Hosts) > 1 && a.Master == "" && !a.Cluster:
		return fmt.Errorf("%d hosts: must be one, or Sentinels with REDIS_MASTER, or nodes with REDIS_CLUSTER=true", len(a.Hosts))
	}
	return nil
}

// String is the address for people.
func (a Address) String() string {
	scheme := "redis"
	if a.TLS {
		scheme = "rediss"
	}
	return scheme + "://" + strings.Join(a.Hosts, ",")
}
