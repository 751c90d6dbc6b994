package faults_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// fuzzed is what reads what others write, and its fuzz target.
type fuzzed struct{ what, room, target string }

func targets() []fuzzed {
	return []fuzzed{
		{"a snapshot as JSON", "shared/forecast", "FuzzDecode"},
		{"a workload's name", "shared/forecast", "FuzzParseWorkload"},
		{"Prometheus's answers", "forecaster/adapters/prom", "FuzzAnswer"},
		{"requests of the HTTP API", "forecaster/api", "FuzzRouter"},
		{"requests of KEDA", "scaler/keda", "FuzzRequests"},
		{"environment variables", "shared/env", "FuzzLoad"},
		{"durations", "shared/env", "FuzzDuration"},
		{"lengths of time and steps", "scaler/lead", "FuzzReplicas"},
		{"loads to plan for", "forecaster/capacity", "FuzzToReplicas"},
		{"recorded history", "forecaster/series", "FuzzReadCSV"},
		{"answers of a model's service", "forecaster/models/byom", "FuzzReply"},
		{"values found in Redis", "forecaster/storage/redis", "FuzzReadValue"},
		{"addresses of Redis", "forecaster/storage/redis", "FuzzParseAddress"},
		{"leases", "forecaster/lease", "FuzzRead"},
	}
}

// Every decoder is fuzzed from its corpus for FUZZ_SECONDS, 5 where it is not
// set; 0 runs the corpora alone.
func TestFuzz(t *testing.T) {
	t.Parallel()
	seconds := 5
	if text := os.Getenv("FUZZ_SECONDS"); text != "" {
		var err error
		if seconds, err = strconv.Atoi(text); err != nil || seconds < 0 {
			t.Fatalf("FUZZ_SECONDS=%s: must be whole seconds", text)
		}
	}
	for i, x := range targets() {
		t.Run(x.target, func(t *testing.T) {
			f := newFinding("Z"+strconv.Itoa(i+1), "fuzzed: "+x.what, x.target+" of "+x.room)
			results.add(f)
			args := []string{"go", "test", "-run", "^" + x.target + "$"}
			if seconds > 0 {
				args = append(args, "-fuzz", "^"+x.target+"$", "-fuzztime", strconv.Itoa(seconds)+"s", "-parallel", "1")
			}
			command := patient(append(args, "./"+x.room)...)
			command.Dir = filepath.Join("..", "..")
			out, err := command.CombinedOutput()
			f.Seconds = time.Since(f.began).Seconds()
			if err != nil {
				f.broke(expected, "%v", err)
				t.Errorf("%s\n%s", f.Made, tail(string(out), 4000))
				return
			}
			f.ok(expected)
			f.Verdict = "proven"
			lines := strings.Split(strings.TrimSpace(string(out)), "\n")
			spent := command.ProcessState.UserTime() + command.ProcessState.SystemTime() // the compiler's included
			f.remark("%d s, %.0f of a processor: %s", seconds, spent.Seconds(), lines[max(0, len(lines)-3)])
		})
	}
}
