package browser_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/kedastral/kedastral/e2e/process/processtest"
)

const root = "../.."

// binary is the forecaster that TestMain built.
var binary string

// build makes the forecaster into dir.
func build(dir string) (string, error) {
	name := filepath.Join(dir, "forecaster")
	build := exec.Command("go", "build", "-o", name, "./forecaster")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the forecaster: %w\n%s", err, out)
	}
	return name, nil
}

// forecaster replays the demo's recording for the workloads until the test
// ends, and answers with its address once it is ready.
func forecaster(t *testing.T, vars map[string]string) string {
	t.Helper()
	tape, err := filepath.Abs(filepath.Join(root, "e2e/demo/nasa-http.csv"))
	if err != nil {
		t.Fatal(err)
	}
	environment := map[string]string{
		"HTTP_ADDR": "127.0.0.1:0", "FORECASTER_AUTH": "none", "SOURCE": "recorded", "RECORDED_FILE": tape, "RECORDED_FROM": "1995-07-12T14:00:00Z", "RECORDED_SPEED": "120",
		"DEFAULT_TARGET_PER_POD": "10", "DEFAULT_METRIC": "requests a minute", "WORKLOADS": "nasa/web",
	}
	maps.Copy(environment, vars)
	p := processtest.Start(t, binary, environment)
	t.Cleanup(func() { processtest.Stop(t, p, 15*time.Second) })
	for range 1200 {
		time.Sleep(100 * time.Millisecond)
		found := regexp.MustCompile(`http=(127\.0\.0\.1:\d+)`).FindStringSubmatch(p.Log.String())
		if found == nil {
			continue
		}
		if resp, err := http.Get("http://" + found[1] + "/readyz"); err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return "http://" + found[1]
			}
		}
	}
	t.Fatalf("not ready:\n%s", p.Log.String())
	return ""
}

// answer is what the forecaster says at a path.
func answer(t *testing.T, url string, into any) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
		t.Fatalf("GET %s: %d %v", url, resp.StatusCode, err)
	}
}

// await asks until the answer is yes.
func await(t *testing.T, what string, yes func() bool) {
	t.Helper()
	for range 1200 {
		if yes() {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("%s: not within a minute", what)
}
