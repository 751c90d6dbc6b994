package redis_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/kedastral/kedastral/forecaster/storage"
	"github.com/kedastral/kedastral/forecaster/storage/redis"
	"github.com/kedastral/kedastral/forecaster/storage/storetest"
	"github.com/kedastral/kedastral/shared/forecast"
	"github.com/kedastral/kedastral/shared/redistest"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// open makes a store on a server, with the options as changed.
func open(t *testing.T, server *redistest.Server, change ...func(*redis.Options)) *redis.Store {
	t.Helper()
	o := redis.Options{Address: redis.Address{Hosts: []string{server.Addr}}, Prefix: "test", TTL: time.Hour, Timeout: 5 * time.Second}
	for _, c := range change {
		c(&o)
	}
	s, err := redis.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestStore(t *testing.T) {
	server := redistest.Start(t)
	storetest.Run(t, func(t *testing.T) storage.Store {
		return open(t, server, func(o *redis.Options) { o.Prefix = strings.NewReplacer("/", "-", "#", "-").Replace(t.Name()) })
	})
}

// TestKeyAndExpiry: what a person finds in Redis.
func TestKeyAndExpiry(t *testing.T) {
	server := redistest.Start(t)
	s := open(t, server)
	if err := s.Put(t.Context(), storetest.Sample("shop/web", noon, 3)); err != nil {
		t.Fatal(err)
	}
	if got := server.Ask("GETRANGE", "test:1:shop/web", "0", "25")[1:]; len(got) != 1 || got[0] != "k1 1772452800\n{\"workload\":" {
		t.Errorf("GETRANGE test:1:shop/web = %q", got)
	}
	ms, _ := strconv.Atoi(strings.TrimPrefix(server.Do("PTTL", "test:1:shop/web"), ":"))
	if left := time.Duration(ms) * time.Millisecond; left <= 59*time.Minute || left > time.Hour {
		t.Errorf("PTTL = %v; want the TTL of an hour", left)
	}
	// Put again, it lives on.
	server.Do("PEXPIRE", "test:1:shop/web", "1000")
	if err := s.Put(t.Context(), storetest.Sample("shop/web", noon, 3)); err != nil {
		t.Fatal(err)
	}
	if got := server.Do("PTTL", "test:1:shop/web"); len(got) < 8 {
		t.Errorf("PTTL after the same snapshot was put again = %s ms; want the hour again", got)
	}
	server.Do("DEL", "test:1:shop/web") // evicted
	if got, ok, err := s.GetLatest(t.Context(), "shop/web"); ok || err != nil {
		t.Errorf("GetLatest of what was evicted = %v, %t, %v; want nothing", got, ok, err)
	}
}

// TestRejects: what is no snapshot of the workload is absent, counted by its
// reason, and overwritten by the next one.
func TestRejects(t *testing.T) {
	server := redistest.Start(t)
	other := storetest.Sample("bank/web", noon, 3)
	body := func(s *redis.Store, workload string) string {
		t.Helper()
		if err := s.Put(t.Context(), other); err != nil {
			t.Fatal(err)
		}
		return server.Ask("GET", "test:1:"+workload)[1]
	}
	valid := body(open(t, server), "bank/web")
	for name, tt := range map[string]struct {
		command []string
		reason  string
	}{
		"text":            {[]string{"SET", "hello"}, "foreign"},
		"nothing":         {[]string{"SET", " "}, "foreign"},
		"binary":          {[]string{"SET", "\x00\xff\x00"}, "foreign"},
		"a list":          {[]string{"RPUSH", "1"}, "foreign"},
		"a hash":          {[]string{"HSET", "a", "1"}, "foreign"},
		"a newer format":  {[]string{"SET", "k2 1772452800\nprotobuf"}, "schema"},
		"no instant":      {[]string{"SET", "k1 \n{}"}, "corrupt"},
		"a wild instant":  {[]string{"SET", "k1 99999999999\n{}"}, "corrupt"},
		"a sign":          {[]string{"SET", "k1 -5\n{}"}, "corrupt"},
		"a header alone":  {[]string{"SET", "k1 1772452800\n"}, "corrupt"},
		"half":            {[]string{"SET", valid[:len(valid)/2]}, "corrupt"},
		"another's":       {[]string{"SET", valid}, "corrupt"},
		"another instant": {[]string{"SET", strings.Replace(valid, "k1 1772452800", "k1 1772452860", 1)}, "corrupt"},
		"too large":       {[]string{"SET", "k1 1772452800\n" + strings.Repeat(" ", 4<<20) + "{}"}, "corrupt"},
	} {
		t.Run(name, func(t *testing.T) {
			reg := prometheus.NewPedanticRegistry()
			s := open(t, server, func(o *redis.Options) { o.Metrics = redis.NewMetrics(reg) })
			server.Do("DEL", "test:1:shop/web")
			if got := server.Do(append([]string{tt.command[0], "test:1:shop/web"}, tt.command[1:]...)...); got[0] == '-' {
				t.Fatal(got)
			}
			if got, ok, err := s.GetLatest(t.Context(), "shop/web"); ok || err != nil {
				t.Errorf("GetLatest = %v, %t, %v; want nothing", got, ok, err)
			}
			if n := rejected(t, reg, tt.reason); n != 1 {
				t.Errorf("%v counted as %s; want 1", n, tt.reason)
			}
			if got, err := s.Newer(t.Context(), map[string]time.Time{"shop/web": {}}); len(got) != 0 || err != nil {
				t.Errorf("Newer = %v, %v; want nothing", got, err)
			}
			mine := storetest.Sample("shop/web", noon.Add(time.Hour), 4)
			mine.Received = noon.Add(time.Hour)
			if err := s.Put(t.Context(), mine); err != nil {
				t.Errorf("Put over it = %v", err)
			}
			if got, ok, err := s.GetLatest(t.Context(), "shop/web"); !ok || err != nil || got.DesiredReplicas[0] != 4 {
				t.Errorf("GetLatest after Put over it = %v, %t, %v; want what was put", got, ok, err)
			}
		})
	}
}

func rejected(t *testing.T, reg *prometheus.Registry, reason string) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			if family.GetName() == "kedastral_forecaster_store_rejected_total" && metric.GetLabel()[0].GetValue() == reason {
				return metric.GetCounter().GetValue()
			}
		}
	}
	return -1
}

// TestNewer: only what is newer than known is fetched, of many workloads at
// once.
func TestNewer(t *testing.T) {
	s, than := open(t, redistest.Start(t)), map[string]time.Time{"shop/missing": {}}
	const workloads = 700 // more than one exchange
	for i := range workloads {
		name := fmt.Sprintf("shop/web-%d", i)
		if errs := s.PutAll(t.Context(), []forecast.Snapshot{storetest.Sample(name, noon, i)}); errs[0] != nil {
			t.Fatal(errs)
		}
		than[name] = noon.Add(time.Duration(i%3-1) * time.Minute)
	}
	found, err := s.Newer(t.Context(), than)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, f := range found {
		if !f.GeneratedAt.After(than[f.Workload]) {
			t.Errorf("fetched %s of %v; known is %v", f.Workload, f.GeneratedAt, than[f.Workload])
		}
		seen[f.Workload] = true
	}
	if want := (workloads + 2) / 3; len(seen) != want {
		t.Errorf("%d workloads fetched; want %d", len(seen), want)
	}
}

// TestLinearizable: many clients put and get one workload at once, and what
// they saw is what one register would show that only ever moves on.
func TestLinearizable(t *testing.T) {
	server := redistest.Start(t)
	type operation struct {
		put    bool
		minute int
	}
	model := porcupine.Model{
		Init: func() any { return -1 },
		Step: func(state, input, output any) (bool, any) {
			held, op := state.(int), input.(operation)
			if op.put {
				return true, max(held, op.minute)
			}
			return output.(int) == held, held
		},
		DescribeOperation: func(input, output any) string { return fmt.Sprintf("%+v → %v", input, output) },
	}
	var mu sync.Mutex
	var events []porcupine.Operation
	var all sync.WaitGroup
	for client := range 6 {
		s := open(t, server)
		all.Go(func() {
			random := rand.New(rand.NewPCG(uint64(client), 7))
			for range 60 {
				op, out := operation{random.IntN(2) == 0, random.IntN(200)}, -1
				began := time.Now().UnixNano()
				if op.put {
					if err := s.Put(t.Context(), storetest.Sample("shop/web", noon.Add(time.Duration(op.minute)*time.Minute), 1)); err != nil {
						t.Error(err)
					}
				} else if got, ok, err := s.GetLatest(t.Context(), "shop/web"); err != nil {
					t.Error(err)
				} else if ok {
					out = int(got.GeneratedAt.Sub(noon) / time.Minute)
				}
				mu.Lock()
				events = append(events, porcupine.Operation{ClientId: client, Input: op, Call: began, Output: out, Return: time.Now().UnixNano()})
				mu.Unlock()
			}
		})
	}
	all.Wait()
	if got := porcupine.CheckOperationsTimeout(model, events, 30*time.Second); got != porcupine.Ok {
		t.Errorf("%d operations are %s; want linearizable", len(events), got)
	}
}

// TestRefusals: what a person did wrong is told with the variable to mend, and
// no secret.
func TestRefusals(t *testing.T) {
	const secret = "hunter2secret"
	password := func(p string) func(*redis.Options) {
		return func(o *redis.Options) { o.Password = func() (string, error) { return p, nil } }
	}
	locked := redistest.Start(t, "--requirepass", secret)
	acl := redistest.Start(t)
	acl.Do("ACL", "SETUSER", "reader", "on", ">"+secret, "~test:*", "+getrange")
	full := redistest.Start(t, "--maxmemory", "1", "--maxmemory-policy", "noeviction")
	primary := redistest.Start(t)
	replica := redistest.Start(t, "--replicaof", "127.0.0.1 "+primary.Port())
	down := redistest.Reserve(t)
	cluster := redistest.Start(t, "--cluster-enabled", "yes")
	for name, tt := range map[string]struct {
		server *redistest.Server
		change []func(*redis.Options)
		want   string
	}{
		"no password":    {locked, nil, "REDIS_PASSWORD_FILE"},
		"wrong password": {locked, []func(*redis.Options){password("wrong" + secret)}, "REDIS_PASSWORD"},
		"unreadable":     {locked, []func(*redis.Options){func(o *redis.Options) { o.Password = func() (string, error) { return "", errors.New("no such file") } }}, "no such file"},
		"not allowed":    {acl, []func(*redis.Options){password(secret), func(o *redis.Options) { o.Username = "reader" }}, "+eval"},
		"full":           {full, nil, "maxmemory"},
		"replica":        {replica, nil, "REDIS_MASTER"},
		"down":           {down, nil, "connection refused"},
		"cluster":        {cluster, nil, "cluster"},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, tt.server, tt.change...)
			err := s.Put(t.Context(), storetest.Sample("shop/web", noon, 3))
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), secret) {
				t.Errorf("Put = %v; want an error that says %q and no secret", err, tt.want)
			}
			t.Log(err)
		})
	}
	open(t, locked, password(secret)) // and rightly
	if err := open(t, locked, password(secret)).Put(t.Context(), storetest.Sample("shop/web", noon, 3)); err != nil {
		t.Errorf("Put with the right password = %v", err)
	}
}

// TestPutAllStopsAtASilentServer: a server that hangs costs one time-out,
// however many snapshots there are.
func TestPutAllStopsAtASilentServer(t *testing.T) {
	server := redistest.Start(t)
	s := open(t, server, func(o *redis.Options) { o.Timeout = 200 * time.Millisecond })
	var many []forecast.Snapshot
	for i := range 1000 {
		many = append(many, storetest.Sample(fmt.Sprintf("shop/web-%d", i), noon, 1))
	}
	server.Hang()
	began := time.Now()
	errs := s.PutAll(t.Context(), many)
	server.Wake()
	if took := time.Since(began); took > 3*time.Second || len(errs) != len(many) {
		t.Errorf("PutAll took %v and answered %d times; want about 200ms and %d", took, len(errs), len(many))
	}
	for i, err := range errs {
		if err == nil || !strings.Contains(err.Error(), "in time") {
			t.Fatalf("snapshot %d: %v; want that it does not answer in time", i, err)
		}
	}
}

func TestMetricsLint(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	redis.NewMetrics(reg)
	if problems, err := testutil.GatherAndLint(reg); err != nil || len(problems) > 0 {
		t.Errorf("GatherAndLint = %v, %v", problems, err)
	}
}
