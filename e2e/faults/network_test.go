package faults_test

import (
	"errors"
	"fmt"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// omit reports a row that cannot be made here, and skips the test; where
// FAULTS_WHOLE says that nothing may be left out it fails it.
func omit(t *testing.T, why string, rows ...string) {
	t.Helper()
	if os.Getenv("FAULTS_WHOLE") != "" {
		t.Fatalf("%v cannot be made here: %s", rows, why)
	}
	for _, id := range rows {
		f := newFinding(id, t.Name(), "")
		f.Verdict = "SKIPPED: " + why
		results.add(f)
	}
	t.Skip(why)
}

func root(tools ...string) error {
	if os.Getuid() != 0 {
		return errors.New("needs root")
	}
	for _, name := range tools {
		if _, err := exec.LookPath(name); err != nil {
			return fmt.Errorf("needs %s", name)
		}
	}
	return nil
}

func sh(script string) error {
	if out, err := exec.Command("sh", "-ec", script).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", script, err, out)
	}
	return nil
}

// island is a network of its own, with one cable to here. Either end has two
// addresses, so that one pair can lose sight of each other while the other
// does not.
type island struct{ name, cable, here, us, callers, theirs string }

func newIsland(t *testing.T) (*island, error) {
	t.Helper()
	if err := root("ip"); err != nil {
		return nil, err
	}
	n := os.Getpid() % 250
	i := &island{
		name: fmt.Sprintf("kd%d", n), cable: fmt.Sprintf("kd%db", n), here: fmt.Sprintf("kd%da", n),
		us: fmt.Sprintf("10.213.%d.3", n), theirs: fmt.Sprintf("10.213.%d.2", n), callers: fmt.Sprintf("10.213.%d.4", n),
	}
	t.Cleanup(func() { _ = sh("ip netns del " + i.name) }) // the cable goes with it
	return i, sh(strings.NewReplacer("NS", i.name, "THERE", i.cable, "HERE", i.here, "NET", fmt.Sprintf("10.213.%d", n)).Replace(`
		ip netns add NS
		ip link add HERE type veth peer name THERE netns NS
		ip addr add NET.1/24 dev HERE; ip addr add NET.3/24 dev HERE; ip link set HERE up
		ip -n NS addr add NET.2/24 dev THERE; ip -n NS addr add NET.4/24 dev THERE; ip -n NS link set THERE up; ip -n NS link set lo up`))
}

// nowhere is where packets go that are lost.
const nowhere = "lladdr 02:00:00:00:00:99 nud permanent"

// deafen loses what the island sends to our second address, or what we send to
// its first; the rest still comes through.
func (i *island) deafen(t *testing.T, outward, inward bool) {
	t.Helper()
	if outward {
		if err := sh("ip -n " + i.name + " neigh replace " + i.us + " dev " + i.cable + " " + nowhere); err != nil {
			t.Error(err)
		}
	}
	if inward {
		if err := sh("ip neigh replace " + i.theirs + " dev " + i.here + " " + nowhere); err != nil {
			t.Error(err)
		}
	}
}

func (i *island) hear(t *testing.T) {
	t.Helper()
	if err := sh("ip -n " + i.name + " neigh flush nud permanent dev " + i.cable + "; ip neigh flush nud permanent dev " + i.here); err != nil {
		t.Error(err)
	}
}

// moved is a relay at an address, with its port or at any.
func moved(t *testing.T, r *relay, address string) {
	t.Helper()
	if !strings.Contains(address, ":") {
		address += ":0"
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	r.Server = &httptest.Server{Listener: l, Config: httptest.NewUnstartedServer(r).Config}
	r.Start()
}

// A scaler and its forecaster lose sight of each other, in either direction and
// in both, without anybody being told so.
func TestPartition(t *testing.T) {
	t.Parallel()
	i, err := newIsland(t)
	if err != nil {
		omit(t, err.Error(), "S12a", "S12b", "S12c")
	}
	w := newWorld(t, plan{island: i})
	for _, x := range []struct {
		id, what        string
		outward, inward bool
		lasts           time.Duration
		becomes         string
	}{
		{"S12a", "what the scaler sends to the forecaster is lost", true, false, 5 * time.Second, "held"},
		{"S12b", "what the forecaster sends to the scaler is lost", false, true, 5 * time.Second, "held"},
		{"S12c", "scaler and forecaster are cut off, until forecasts are stale", true, true, staleAfter + 2*time.Second, "stale"},
	} {
		w.row(t, fault{
			id: x.id, what: x.what, made: "network namespace, packets sent to an address that nobody has",
			strike: func() { i.deafen(t, x.outward, x.inward) }, mend: func() { i.hear(t) },
			lasts: x.lasts, becomes: x.becomes, heals: 10 * time.Second, lossy: true,
		})
	}
}

// A scaler that loses its name service goes on over the connections it has, and
// without any when the name is back.
func TestNameService(t *testing.T) {
	t.Parallel()
	if err := root("unshare", "mount"); err != nil {
		omit(t, err.Error(), "S13a", "S13b")
	}
	dir := t.TempDir()
	hosts, resolv := filepath.Join(dir, "hosts"), filepath.Join(dir, "resolv.conf")
	write := func(path, text string) {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil { //nolint:gosec // as the system's own
			t.Error(err)
		}
	}
	write(hosts, "127.0.0.1 forecaster.test\n")
	write(resolv, "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n") // where none is
	w := newWorld(t, plan{
		name:   "forecaster.test",
		prefix: []string{"unshare", "-m", "--", "sh", "-ec", fmt.Sprintf(`mount --bind %s /etc/hosts; mount --bind %s /etc/resolv.conf; exec "$0" "$@"`, hosts, resolv)},
	})
	w.row(t, fault{
		id: "S13a", what: "the forecaster's name is gone, connections are not", made: "/etc/hosts of a mount namespace",
		strike: func() { write(hosts, "\n") }, mend: func() { write(hosts, "127.0.0.1 forecaster.test\n") },
		lasts: 7 * time.Second, heals: 5 * time.Second, quiet: true,
	})
	w.row(t, fault{
		id: "S13b", what: "the forecaster's name is gone, and all connections", made: "/etc/hosts of a mount namespace, connections closed",
		strike: func() { write(hosts, "\n"); time.Sleep(6 * time.Second); w.relays[0].CloseClientConnections() },
		mend:   func() { write(hosts, "127.0.0.1 forecaster.test\n") },
		lasts:  5 * time.Second, becomes: "held", heals: 14 * time.Second,
	})
}

// Both services need nowhere to write.
func TestReadOnly(t *testing.T) {
	t.Parallel()
	if err := root("unshare", "mount"); err != nil {
		omit(t, err.Error(), "F14")
	}
	w := newWorld(t, plan{forecasters: 1, prefix: []string{"unshare", "-m", "--", "sh", "-ec", `mount -o remount,bind,ro /; exec "$0" "$@"`}})
	w.row(t, fault{
		id: "F14", what: "there is nowhere to write", made: "mount namespace, everything read-only",
		lasts: 4 * time.Second, heals: 5 * time.Second, quiet: true,
	})
}

// ration makes a control group that bounds one resource of a process.
func ration(t *testing.T, controller, name string, settings map[string]string) (enter func(*process), err error) {
	t.Helper()
	if err := root(); err != nil {
		return nil, err
	}
	dir := filepath.Join("/sys/fs/cgroup", controller, fmt.Sprintf("kedastral-faults-%d-%s", os.Getpid(), name))
	if err := os.Mkdir(dir, 0o755); err != nil { //nolint:gosec // as its siblings
		return nil, fmt.Errorf("needs control groups, version 1: %w", err)
	}
	t.Cleanup(func() {
		if _, err := within(5*time.Second, func() error { return os.Remove(dir) }); err != nil {
			t.Errorf("removing the control group: %v", err)
		}
	})
	for name, value := range settings {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(value), 0o600); err != nil {
			return nil, fmt.Errorf("needs %s: %w", name, err)
		}
	}
	return func(p *process) {
		if err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), fmt.Append(nil, p.cmd.Process.Pid), 0o600); err != nil {
			t.Error(err)
		}
	}, nil
}

// leave puts a process back where all are.
func leave(t *testing.T, controller string, p *process) {
	t.Helper()
	if err := os.WriteFile(filepath.Join("/sys/fs/cgroup", controller, "cgroup.procs"), fmt.Append(nil, p.cmd.Process.Pid), 0o600); err != nil {
		t.Error(err)
	}
}

// A scaler with a twentieth of a processor answers late or not, but in time
// again as soon as it has more. No other world runs meanwhile, and the witness
// has as little: it tells what is left of that on a busy machine.
func TestStarved(t *testing.T) {
	twentieth := map[string]string{"cpu.cfs_period_us": "100000", "cpu.cfs_quota_us": "5000"}
	scaler, err := ration(t, "cpu", "scaler", twentieth)
	if err != nil {
		omit(t, err.Error(), "S15")
	}
	witness, err := ration(t, "cpu", "witness", twentieth)
	if err != nil {
		omit(t, err.Error(), "S15")
	}
	w := newWorld(t, plan{})
	both := []*process{w.scalers[0].process, w.load.witness.process}
	w.row(t, fault{
		id: "S15", what: "the scaler has a twentieth of a processor", made: "control group, 5 ms of every 100",
		strike: func() { scaler(both[0]); witness(both[1]) },
		mend: func() {
			for _, p := range both {
				leave(t, "cpu", p)
			}
		},
		lasts: 6 * time.Second, heals: 5 * time.Second, rationed: true,
	})
}

// A scaler at its limit of memory lives, whatever names it is asked for.
func TestCramped(t *testing.T) {
	t.Parallel()
	enter, err := ration(t, "memory", "scaler", map[string]string{"memory.limit_in_bytes": "64M"})
	if err != nil {
		omit(t, err.Error(), "S14")
	}
	w := newWorld(t, plan{scaler: map[string]string{"GOMEMLIMIT": "58MiB"}})
	w.row(t, fault{
		id: "S14", what: "the scaler has 64 MiB and is asked for ten thousand names", made: "control group; GetMetrics from 16 callers",
		strike: func() { enter(w.scalers[0].process) }, beside: w.askForNobody, mend: func() { leave(t, "memory", w.scalers[0].process) },
		lasts: 2 * time.Second, heals: 5 * time.Second, quiet: true, waits: true, // for the collector, which is at work all the time
	})
}
