package main

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/kedastral/kedastral/forecaster/storage/storetest"
	"github.com/kedastral/kedastral/shared/clock"
	"github.com/kedastral/kedastral/shared/env"
	"github.com/kedastral/kedastral/shared/redistest"
	"github.com/kedastral/kedastral/shared/telemetry/logtest"
	"github.com/kedastral/kedastral/shared/tlsconfig/tlstest"
)

// opened runs the store of a configuration until the test ends, puts a
// snapshot, and returns the store's log.
func opened(t *testing.T, settings ...string) *logtest.Log {
	t.Helper()
	s, err := load(t.Context(), vars(append([]string{"STORE", "redis"}, settings...)...))
	if err != nil {
		t.Fatal(err)
	}
	log := &logtest.Log{}
	store, keep, err := openStore(s, clock.Real(), prometheus.NewRegistry(), slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- keep(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the store ended with %v", err)
		}
	})
	snapshot := storetest.Sample("shop/checkout", time.Now().UTC().Truncate(time.Minute), 3)
	if err := store.Put(t.Context(), snapshot); err != nil {
		t.Fatal(err)
	}
	return log
}

// holds waits until a server has the snapshot under a key.
func holds(t *testing.T, server *redistest.Server, log *logtest.Log, key string) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		got := server.Do("EXISTS", key)
		if got == ":1" {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("EXISTS %s = %s; the store says:\n%s", key, got, log.String())
		}
	}
}

func secretFile(t *testing.T, content string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(content+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestStoreSettingsHaveTheirEffect: each variable decides where the snapshot
// arrives, or whether.
func TestStoreSettingsHaveTheirEffect(t *testing.T) {
	const key, secret = "kedastral:1:shop/checkout", "hunter2secret"
	tried := map[string]bool{"STORE": true}
	try := func(server *redistest.Server, key string, settings ...string) {
		t.Helper()
		for i := 0; i < len(settings); i += 2 {
			tried[settings[i]] = true
		}
		log := opened(t, settings...)
		holds(t, server, log, key)
		if strings.Contains(log.String(), secret) {
			t.Errorf("%v: the log tells the secret:\n%s", settings, log.String())
		}
	}
	plain := redistest.Start(t)
	try(plain, key, "REDIS_URL", "redis://"+plain.Addr)
	try(plain, "other:1:shop/checkout", "REDIS_URL", "redis://"+plain.Addr, "REDIS_PREFIX", "other")

	// A user that may do what the store does and no more; its password is only the store's.
	locked := redistest.Start(t)
	locked.Do("ACL", "SETUSER", "forecaster", "on", ">"+secret, "resetkeys", "~user:*", "+eval", "+getrange", "+set")
	try(locked, "user:1:shop/checkout", "REDIS_URL", "redis://"+locked.Addr, "REDIS_USERNAME", "forecaster", "REDIS_PASSWORD", secret, "REDIS_PREFIX", "user")
	locked.Do("DEL", "user:1:shop/checkout")
	try(locked, "user:1:shop/checkout", "REDIS_URL", "redis://"+locked.Addr, "REDIS_USERNAME", "forecaster", "REDIS_PASSWORD_FILE", secretFile(t, secret), "REDIS_PREFIX", "user")

	cluster := redistest.Start(t, "--cluster-enabled", "yes")
	cluster.Do("CLUSTER", "ADDSLOTSRANGE", "0", "16383")
	try(cluster, key, "REDIS_URL", "redis://"+cluster.Addr, "REDIS_CLUSTER", "true")

	master, sentinel := redistest.Start(t), redistest.Reserve(t)
	sentinel.Sentinel("sentinel monitor main 127.0.0.1 " + master.Port() + " 1\nuser asker on >" + secret + " allcommands allchannels\nuser default off\n")
	try(master, key, "REDIS_URL", "redis://"+sentinel.Addr, "REDIS_MASTER", "main", "REDIS_SENTINEL_USERNAME", "asker", "REDIS_SENTINEL_PASSWORD", secret)
	master.Do("DEL", key)
	try(master, key, "REDIS_URL", "redis://"+sentinel.Addr, "REDIS_MASTER", "main", "REDIS_SENTINEL_USERNAME", "asker", "REDIS_SENTINEL_PASSWORD_FILE", secretFile(t, secret))

	ours := tlstest.NewAuthority(t, "ours", time.Hour)
	theirs := tlstest.NewDir(t, ours, ours, tlstest.Server("redis"))
	mine := tlstest.NewDir(t, ours, ours, tlstest.Client("forecaster"))
	secure, tls := secured(t, theirs, "yes")
	try(secure, key, "REDIS_URL", "rediss://"+tls, "REDIS_CA_FILE", mine.Path("ca.crt"), "REDIS_SERVER_NAME", "redis",
		"REDIS_CERT_FILE", mine.Path("tls.crt"), "REDIS_KEY_FILE", mine.Path("tls.key"))

	for _, name := range env.Names(StoreConfig{}) {
		if !tried[name] {
			t.Errorf("nothing shows that %s has an effect", name)
		}
	}
}

// secured is a server that also speaks TLS, at the address returned, and asks
// its clients for a certificate or not.
func secured(t *testing.T, files tlstest.Dir, clients string) (*redistest.Server, string) {
	t.Helper()
	server, tls := redistest.Start(t, "--tls-cert-file", files.Path("tls.crt"), "--tls-key-file", files.Path("tls.key"),
		"--tls-ca-cert-file", files.Path("ca.crt"), "--tls-auth-clients", clients), redistest.Reserve(t)
	if got := server.Do("CONFIG", "SET", "tls-port", tls.Port()); got != "+OK" {
		t.Fatalf("CONFIG SET tls-port: %s", got)
	}
	return server, tls.Addr
}

// TestStoreTellsWhatIsWrong: a person's mistake is told within seconds, and
// when it is mended the store goes on without a restart.
func TestStoreTellsWhatIsWrong(t *testing.T) {
	server := redistest.Start(t, "--requirepass", "right")
	file := secretFile(t, "wrong")
	log := opened(t, "REDIS_URL", "redis://"+server.Addr, "REDIS_PASSWORD_FILE", file)
	wait(t, func() bool {
		return strings.Contains(log.String(), "WRONGPASS") && strings.Contains(log.String(), "REDIS_PASSWORD_FILE")
	})
	if err := os.WriteFile(file, []byte("right"), 0o600); err != nil {
		t.Fatal(err)
	}
	wait(t, func() bool { return strings.Contains(log.String(), "the shared store answers") })

	ours, others := tlstest.NewAuthority(t, "ours", time.Hour), tlstest.NewAuthority(t, "others", time.Hour)
	files := tlstest.NewDir(t, ours, ours, tlstest.Server("redis"))
	_, tls := secured(t, files, "no")
	_, strict := secured(t, files, "yes")
	for name, settings := range map[string][]string{
		"plain text where TLS is spoken": {"REDIS_URL", "rediss://" + server.Addr, "REDIS_SERVER_NAME", "redis", "REDIS_CA_FILE", files.Path("ca.crt")},
		"an unknown authority":           {"REDIS_URL", "rediss://" + tls, "REDIS_SERVER_NAME", "redis", "REDIS_CA_FILE", tlstest.NewDir(t, others, others, tlstest.Client("x")).Path("ca.crt")},
		"another name":                   {"REDIS_URL", "rediss://" + tls, "REDIS_SERVER_NAME", "valkey", "REDIS_CA_FILE", files.Path("ca.crt")},
		"no certificate":                 {"REDIS_URL", "rediss://" + strict, "REDIS_SERVER_NAME", "redis", "REDIS_CA_FILE", files.Path("ca.crt")},
	} {
		log := opened(t, settings...)
		advised := regexp.MustCompile("TLS fails: see rediss://|may not speak TLS|may want TLS") // by who hangs up first
		for end := time.Now().Add(90 * time.Second); !advised.MatchString(log.String()); time.Sleep(20 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%s: the store says\n%s", name, log.String())
			}
		}
		if strings.Contains(log.String(), "store answers") {
			t.Errorf("%s: the store is used:\n%s", name, log.String())
		}
	}
	s, err := load(t.Context(), vars("STORE", "redis", "REDIS_URL", "rediss://redis", "REDIS_CERT_FILE", "/none.crt", "REDIS_KEY_FILE", "/none.key"))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := openStore(s, clock.Real(), prometheus.NewRegistry(), slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "/none.crt") {
		t.Errorf("REDIS_CERT_FILE that is not there: %v", err)
	}
}

// TestRestartServesFromRedis: all forecasters end, the source is gone, and the
// next process serves what the last one published, as old as it is.
func TestRestartServesFromRedis(t *testing.T) {
	server := redistest.Start(t)
	settings := light(lagging(t, 0), "STORE", "redis", "REDIS_URL", "redis://"+server.Addr)
	ctx, stop := context.WithCancel(t.Context())
	var log logtest.Log
	ended := make(chan error, 1)
	settings["HTTP_ADDR"] = "127.0.0.1:0"
	go func() { ended <- run(ctx, settings, &log) }()
	holds(t, server, &log, "kedastral:1:shop/checkout")
	first := regexp.MustCompile(`http=(127\.0\.0\.1:\d+)`).FindStringSubmatch(log.String())
	wait(t, func() bool { // it is counted when the server has answered
		_, metrics := get(t, "http://"+first[1]+"/metrics")
		return regexp.MustCompile(`kedastral_forecaster_store_writes_total\{outcome="stored"\} [1-9]`).MatchString(metrics) &&
			regexp.MustCompile(`kedastral_forecaster_store_reads_total\{outcome="missing"\} [1-9]`).MatchString(metrics)
	})
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	dead := httptest.NewServer(http.NotFoundHandler())
	dead.Close()
	address, again := listening(t, light(dead.URL, "STORE", "redis", "REDIS_URL", "redis://"+server.Addr))
	var status int
	var body string
	wait(t, func() bool {
		status, body = get(t, "http://"+address+"/forecast/current?workload=shop/checkout")
		return status == http.StatusOK
	})
	if !strings.Contains(body, `"workload":"shop/checkout"`) {
		t.Errorf("served after the restart: %s\n%s", body, again.String())
	}
	_, metrics := get(t, "http://"+address+"/metrics")
	for _, told := range []string{"taken_total 1", "up 1", `reads_total\{outcome="found"\} [1-9]`} {
		if !regexp.MustCompile("(?m)^kedastral_forecaster_store_" + told).MatchString(metrics) {
			t.Errorf("it was taken from the shared store, but the metrics have no kedastral_forecaster_store_%s", told)
		}
	}
}

// TestStartsWithoutRedis: forecasts are made and served, and a gauge tells.
func TestStartsWithoutRedis(t *testing.T) {
	down := redistest.Reserve(t)
	address, log := listening(t, light(lagging(t, 0), "STORE", "redis", "REDIS_URL", "redis://"+down.Addr))
	wait(t, func() bool {
		status, _ := get(t, "http://"+address+"/forecast/current?workload=shop/checkout")
		return status == http.StatusOK && strings.Contains(log.String(), "cannot be used")
	})
	metric := func(want string) bool {
		_, metrics := get(t, "http://"+address+"/metrics")
		return strings.Contains(metrics, want)
	}
	if !metric("kedastral_forecaster_store_up 0") || !metric("kedastral_forecaster_store_pending 1") {
		t.Error("metrics do not tell that the shared store is down")
	}
	for _, verb := range []string{"reads", "writes"} {
		wait(t, func() bool { return !metric("kedastral_forecaster_store_" + verb + `_total{outcome="failed"} 0`) })
	}
	down.Run()
	holds(t, down, log, "kedastral:1:shop/checkout")
	wait(t, func() bool { return metric("kedastral_forecaster_store_up 1") })
}

func TestStoreFaults(t *testing.T) {
	for _, tt := range []struct {
		set  []string
		want string
	}{
		{[]string{"STORE", "etcd"}, "STORE=etcd: must be one of memory, redis"},
		{[]string{"STORE", "redis"}, "REDIS_URL: is required"},
		{[]string{"REDIS_URL", "redis://redis"}, "STORE=memory: must be redis"},
		{[]string{"STORE", "redis", "REDIS_URL", "redis://me:hunter2secret@redis"}, "REDIS_URL"},
		{[]string{"STORE", "redis", "REDIS_URL", "redis://a,b"}, "REDIS_MASTER"},
		{[]string{"STORE", "redis", "REDIS_URL", "redis://a", "REDIS_MASTER", "m", "REDIS_CLUSTER", "true"}, "at most one"},
		{[]string{"STORE", "redis", "REDIS_URL", "redis://a", "REDIS_CA_FILE", "/ca"}, "must be rediss://"},
		{[]string{"STORE", "redis", "REDIS_URL", "rediss://a", "REDIS_CERT_FILE", "/c"}, "REDIS_KEY_FILE"},
		{[]string{"STORE", "redis", "REDIS_URL", "redis://a", "REDIS_USERNAME", "me"}, "REDIS_PASSWORD_FILE: is required"},
		{[]string{"STORE", "redis", "REDIS_URL", "redis://a", "REDIS_PASSWORD", "hunter2secret", "REDIS_PASSWORD_FILE", "/f"}, "together with REDIS_PASSWORD"},
		{[]string{"STORE", "redis", "REDIS_URL", "redis://a", "REDIS_PREFIX", "a{b}"}, "REDIS_PREFIX=a{b}"},
		{[]string{"REDIS_URI", "redis://a"}, "did you mean REDIS_URL"},
	} {
		_, err := load(t.Context(), vars(tt.set...))
		if err == nil || !strings.Contains(err.Error(), tt.want) || bytes.Contains(fmt.Append(nil, err), []byte("hunter2secret")) {
			t.Errorf("%v: %v; want a fault that says %q and no secret", tt.set, err, tt.want)
		}
	}
}
