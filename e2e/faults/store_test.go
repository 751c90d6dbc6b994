package faults_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/kedastral/kedastral/shared/redistest"
)

// shared is what forecasters with a store in Redis are told.
func shared(address string) map[string]string {
	return map[string]string{"STORE": "redis", "REDIS_URL": "redis://" + address}
}

// storeUp is whether every forecaster says so of its store.
func (w *world) storeUp(want float64) error {
	for _, s := range w.forecasters {
		all, err := s.metrics(w.t.Context())
		if err != nil {
			return err
		}
		if up := sum(all, "kedastral_forecaster_store_up"); up != want {
			return fmt.Errorf("store_up is %v; want %v", up, want)
		}
	}
	return nil
}

// A shared store that is away, hangs, is full, read-only or holds garbage is
// told of, and no answer depends on it.
func TestStore(t *testing.T) {
	t.Parallel()
	server := redistest.Reserve(t)
	w := newWorld(t, plan{forecasters: 2, forecaster: shared(server.Addr)})
	server.Run()
	command := func(words ...string) { server.Do(words...) }
	eventually(t, 20*time.Second, "a store that was away at the start is used", func() error { return w.storeUp(1) })
	for _, x := range []struct {
		id, what, made string
		strike, mend   func()
		down           bool // for the store to be told down
	}{
		{"R1", "the store is away, at the start and later", "SIGKILL; it had not run when the forecasters began", server.Kill, server.Run, true},
		{"R2", "the store hangs", "SIGSTOP, SIGCONT", server.Hang, server.Wake, true},
		{"R3", "the store is a replica and takes no writes", "REPLICAOF of nobody", func() { command("REPLICAOF", "127.0.0.1", "1") }, func() { command("REPLICAOF", "NO", "ONE") }, false},
		{"R5", "the store is full", "CONFIG SET maxmemory 1", func() { command("CONFIG", "SET", "maxmemory", "1") }, func() { command("CONFIG", "SET", "maxmemory", "0") }, false},
		{"R5b", "the store has lost everything", "FLUSHALL", func() { command("FLUSHALL") }, func() {}, false},
		{"R6", "the store holds garbage", "SET of every key", func() {
			for _, workload := range w.workloads {
				command("SET", "kedastral:1:"+workload, "k1 99999999999\n{garbage\x00")
			}
		}, func() {}, false},
		{
			"R7", "the store refuses the user", "ACL SETUSER",
			func() { command("ACL", "SETUSER", "default", "-@all", "+acl") }, func() { command("ACL", "SETUSER", "default", "+@all") }, true,
		},
	} {
		w.row(t, fault{
			id: x.id, what: x.what, made: "a real Redis: " + x.made,
			strike: x.strike, mend: x.mend, lasts: 4 * time.Second, heals: 10 * time.Second, quiet: true,
			during: func(f *finding) {
				if err := w.storeUp(0); x.down && err != nil {
					f.broke(expected, "%v", err)
				}
				if x.id == "R7" && strings.Count(w.forecasters[0].log.String(), "NOPERM") > 3 {
					f.broke(expected, "a refusal is told again and again")
				}
			},
			well: func(mended time.Time) error {
				if err := w.storeUp(1); err != nil {
					return err
				}
				return w.since(mended)
			},
		})
	}
}
