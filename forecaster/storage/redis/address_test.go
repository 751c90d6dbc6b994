package redis_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kedastral/kedastral/forecaster/storage/redis"
)

func TestParseAddress(t *testing.T) {
	for _, tt := range []struct {
		text, master string
		cluster      bool
		want         redis.Address
	}{
		{"redis://redis", "", false, redis.Address{Hosts: []string{"redis:6379"}}},
		{"redis://redis:7000/3", "", false, redis.Address{Hosts: []string{"redis:7000"}, DB: 3}},
		{"rediss://redis.db.svc/", "", false, redis.Address{Hosts: []string{"redis.db.svc:6379"}, TLS: true}},
		{"redis://[::1]:7000", "", false, redis.Address{Hosts: []string{"[::1]:7000"}}},
		{"redis://[::1]", "", false, redis.Address{Hosts: []string{"[::1]:6379"}}},
		{"redis://a,b:7000/2", "main", false, redis.Address{Hosts: []string{"a:26379", "b:7000"}, Master: "main", DB: 2}},
		{"rediss://a, b", "", true, redis.Address{Hosts: []string{"a:6379", "b:6379"}, Cluster: true, TLS: true}},
	} {
		got, err := redis.ParseAddress(tt.text, tt.master, tt.cluster)
		if diff := cmp.Diff(tt.want, got); err != nil || diff != "" {
			t.Errorf("ParseAddress(%q, %q, %t) = %v; (-want +got)\n%s", tt.text, tt.master, tt.cluster, err, diff)
		}
	}
}

// TestParseAddressTellsFaults: what is wrong, and nothing that may be secret.
func TestParseAddressTellsFaults(t *testing.T) {
	for _, tt := range []struct {
		text, master string
		cluster      bool
		want         string
	}{
		{"", "", false, "must be redis://"},
		{"redis:6379", "", false, "must be redis://"},
		{"http://redis:6379", "", false, "must be redis://"},
		{"redis://", "", false, "must be HOST"},
		{"redis://:6379", "", false, "must be HOST"},
		{"redis://a,,b", "main", false, "must be HOST"},
		{"redis://a b", "", false, "must be HOST"},
		{"redis://redis:port", "", false, "must be HOST"},
		{"redis://redis:0", "", false, "between 1 and 65535"},
		{"redis://redis:70000", "", false, "between 1 and 65535"},
		{"redis://redis/db", "", false, "must be a number"},
		{"redis://redis/-1", "", false, "must be a number"},
		{"redis://redis/1/2", "", false, "must be a number"},
		{"redis://me:hunter2secret@redis", "", false, "user, password"},
		{"redis://redis?password=hunter2secret", "", false, "query"},
		{"redis://a,b", "", false, "2 hosts"},
		{"redis://a/1", "", true, "a cluster has only 0"},
		{"redis://a", "main", true, "at most one"},
	} {
		got, err := redis.ParseAddress(tt.text, tt.master, tt.cluster)
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "hunter2secret") {
			t.Errorf("ParseAddress(%q, %q, %t) = %v, %v; want an error that says %q", tt.text, tt.master, tt.cluster, got, err, tt.want)
		}
	}
}

// FuzzParseAddress: whatever is given, every host that comes back has a port,
// and the address can be opened.
func FuzzParseAddress(f *testing.F) {
	for _, seed := range []string{"redis://redis", "rediss://a:1,b:2/3", "redis://[::1]/0", "redis://,", "://"} {
		f.Add(seed, "", true)
		f.Add(seed, "main", false)
	}
	f.Fuzz(func(t *testing.T, text, master string, cluster bool) {
		a, err := redis.ParseAddress(text, master, cluster)
		if err != nil {
			return
		}
		for _, host := range a.Hosts {
			if i := strings.LastIndexByte(host, ':'); i < 1 || i == len(host)-1 {
				t.Errorf("ParseAddress(%q) has a host %q; want HOST:PORT", text, host)
			}
		}
	})
}
