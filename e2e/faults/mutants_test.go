package faults_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// mutant is the product with one thing broken on purpose, and which rows have to
// notice by which invariants.
type mutant struct {
	what     string
	file     string // of the product
	was, now string // text that is there once, and what is in its place
	run      string // the tests that are to fail
	breaks   []invariant
}

func mutants() []mutant {
	return []mutant{
		{
			"a stale forecast is served as if it were fresh", "scaler/keda/state.go",
			"	case age > q.staleAfter && !s.Overdue(q.now):\n		return q.stale(impatient)\n	case age > q.staleAfter:\n		return q.stale(tooOld)\n	case !s.Overdue(q.now):",
			"	case age >= 0:",
			"^TestForecasterStuck$/^F5$",
			[]invariant{stale},
		},
		{
			"null is taken for a number", "shared/forecast/wire.go",
			"			if n == nil {", "			if n == nil && i < 0 {",
			"^TestForecasterLies$/^.*$/^F4k$",
			[]invariant{told},
		},
		{
			"what is no number is taken for no load", "forecaster/adapters/prom/read.go",
			"Value: float64(v.Value)})", "Value: max(0, min(float64(v.Value), 1e9))})",
			"^TestSourceLies$/^.*$/^M11",
			[]invariant{told, expected},
		},
		{
			"the plan is read by position instead of by time", "scaler/lead/lead.go",
			"s.Highest(age, window)", "s.Highest(age*0, window)",
			"^TestForecasterStuck$/^F5$",
			[]invariant{told},
		},
		{
			"a forecaster's answer is read to its end, whatever its size", "shared/forecast/wire.go",
			"body, err := io.ReadAll(io.LimitReader(r, int64(maxBytes)+1))", "maxBytes = 1 << 40\n	body, err := io.ReadAll(r)",
			"^TestForecasterLies$/^.*$/^F4j$",
			[]invariant{told, bounded},
		},
		{
			"a source's answer is read to its end, whatever its size", "forecaster/adapters/prom/transport.go",
			"resp.Body = &bounded{ReadCloser: resp.Body, limit: t.limit, left: t.limit}", "resp.Body = &bounded{ReadCloser: resp.Body, limit: 1 << 40, left: 1 << 40}",
			"^TestSourceLies$/^.*$/^M8",
			[]invariant{bounded, expected},
		},
		{
			"an older forecast takes the place of a newer one", "scaler/cache/entry.go",
			"&& !outlives(s, old.snapshot):", "&& !outlives(s, old.snapshot) && s.Workload == \"\":",
			"^TestForecastersDisagree$",
			[]invariant{told, forward},
		},
		{
			"not knowing is a small number", "scaler/keda/state.go",
			"	return verdict{state: Stale, replicas: q.fallback, why: why, answered: q.fallback > 0}",
			"	return verdict{state: Stale, replicas: max(1, q.fallback), why: why, answered: true}",
			"^TestScalerStartsCold$/^S1$",
			[]invariant{told},
		},
		{
			"an answer waits for the forecaster, within its budget", "scaler/cache/cache.go",
			"		c.metrics.hits.Inc()\n", "		c.metrics.hits.Inc()\n		_, _ = c.source.Latest(ctx, workload)\n",
			"^TestForecasterConnection$/^F3G$",
			[]invariant{budget},
		},
		{
			"an answer waits for the forecaster, whatever its budget", "scaler/cache/cache.go",
			"		c.metrics.hits.Inc()\n", "		c.metrics.hits.Inc()\n		_, _ = c.source.Latest(context.WithoutCancel(ctx), workload)\n",
			"^TestForecasterStuck$/^F3b$",
			[]invariant{budget},
		},
		{
			"every call waits a little before the scaler times it", "scaler/keda/intercept.go",
			"	begin := time.Now()\n", "	time.Sleep(60 * time.Millisecond)\n	begin := time.Now()\n",
			"^TestForecasterConnection$/^F3G$",
			[]invariant{budget},
		},
		{
			"newer forecasts are asked for too late", "scaler/cache/run.go",
			"	pause := c.Interval\n", "	pause := 5 * c.Interval\n",
			"^TestForecasterConnection$/^F3G$",
			[]invariant{expected},
		},
		{
			"names that nobody forecasts are remembered like others", "scaler/cache/run.go",
			"		return min(c.Idle, c.Interval/2)\n", "		return c.Idle\n",
			"^TestScalerStartsCold$/^S1b$",
			[]invariant{bounded},
		},
		{
			"questions of any size are read", "scaler/keda/transport.go",
			"	maxMessage    = 64 << 10\n", "	maxMessage    = 64 << 20\n",
			"^TestScalerBesieged$/^S9f$",
			[]invariant{expected},
		},
		{
			"streams may be reset without end", "scaler/keda/resets.go",
			"maxResets   = 20 * maxConcurrent\n", "maxResets   = 1 << 40\n",
			"^TestScalerBesieged$/^S9c$",
			[]invariant{expected},
		},
	}
}

// A suite that passes whatever it is given proves nothing: each of these must
// be found out, and for the right reason.
func TestMutants(t *testing.T) {
	if os.Getenv("FAULTS_BIN") != "" {
		t.Skip("these binaries are mutants themselves")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for i, m := range mutants() {
		id := "X" + strconv.Itoa(i+1)
		t.Run(id, func(t *testing.T) {
			t.Parallel()
			f := newFinding(id, "mutant: "+m.what, "go build -overlay of "+m.file)
			results.add(f)
			m.caught(t, f, self)
			f.Seconds = time.Since(f.began).Seconds()
		})
	}
}

// caught builds the mutant and has the suite run on it.
func (m mutant) caught(t *testing.T, f *finding, self string) {
	t.Helper()
	dir := t.TempDir()
	if err := build(dir, "-overlay", m.overlay(t, dir)); err != nil {
		f.broke(expected, "the mutant does not build: %v", err)
		t.Fatal(err)
	}
	report := filepath.Join(dir, "report.json")
	command := exec.Command(self, "-test.run", m.run, "-test.timeout", "3m")
	command.Env = append(os.Environ(), "FAULTS_BIN="+dir, "FAULTS_REPORT="+report, "FAULTS_ANSWERS=")
	out, err := command.CombinedOutput()
	broken := brokenIn(t, report)
	f.remark("red: %v", broken)
	switch {
	case err == nil:
		f.broke(expected, "the suite passes it")
		t.Errorf("the suite passes a product in which %s:\n%s", m.what, tail(string(out), 3000))
	case !slices.ContainsFunc(m.breaks, func(i invariant) bool { return slices.Contains(broken, i) }):
		f.broke(expected, "the suite fails it for %v and not for %v", broken, m.breaks)
		t.Errorf("the suite fails a product in which %s for %v; want one of %v:\n%s", m.what, broken, m.breaks, tail(string(out), 3000))
	default:
		f.ok(expected)
		f.Verdict = "caught"
	}
}

// overlay is the file by which the build takes the patched source for the
// product's. A patch whose place is gone is a fault of the suite.
func (m mutant) overlay(t *testing.T, dir string) string {
	t.Helper()
	original, err := filepath.Abs(filepath.Join("..", "..", m.file))
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile(original)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(source), m.was); n != 1 {
		t.Fatalf("the mutant %q no longer applies: %s holds the text to replace %d times, want once:\n%s", m.what, m.file, n, m.was)
	}
	patched, overlay := filepath.Join(dir, "patched.go"), filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(patched, []byte(strings.Replace(string(source), m.was, m.now, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(map[string]map[string]string{"Replace": {original: patched}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(overlay, body, 0o600); err != nil {
		t.Fatal(err)
	}
	return overlay
}

// brokenIn are the invariants that a report says are broken.
func brokenIn(t *testing.T, path string) (all []invariant) {
	t.Helper()
	body, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("the suite left no report of the mutant: %v", err)
	}
	var r report
	if err := json.Unmarshal(body, &r); err != nil {
		t.Fatal(err)
	}
	for _, f := range r.Findings {
		for i, checked := range f.Checked {
			if checked != "ok" && !slices.Contains(all, i) {
				all = append(all, i)
			}
		}
	}
	slices.Sort(all)
	return all
}
