// Package browser_test looks at the page as a person does: Chromium against
// the real forecaster replaying the demo's recording. It is a module of its
// own so that the product's go.mod stays free of a browser's protocol.
//
// It needs Chromium (CHROMIUM names it, chromium otherwise) and axe-core under
// forecaster/dashboard/web/node_modules; scripts/browser sees to both. With
// SHOTS=DIR every page looked at is left there as a PNG.
package browser_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/performance"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/kedastral/kedastral/e2e/process/processtest"
)

const root = "../.."

// binary builds the forecaster once.
var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "kedastral-browser-")
	if err != nil {
		return "", err
	}
	name := filepath.Join(dir, "forecaster")
	build := exec.Command("go", "build", "-o", name, "./forecaster")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the forecaster: %w\n%s", err, out)
	}
	return name, nil
})

// forecaster replays the demo's recording for the workloads until the test
// ends, and answers with its address once it is ready.
func forecaster(t *testing.T, vars map[string]string) string {
	t.Helper()
	name, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	tape, err := filepath.Abs(filepath.Join(root, "e2e/demo/nasa-http.csv"))
	if err != nil {
		t.Fatal(err)
	}
	environment := map[string]string{
		"HTTP_ADDR": "127.0.0.1:0", "FORECASTER_AUTH": "none", "SOURCE": "recorded", "RECORDED_FILE": tape, "RECORDED_FROM": "1995-07-12T14:00:00Z", "RECORDED_SPEED": "60",
		"DEFAULT_TARGET_PER_POD": "10", "DEFAULT_METRIC": "requests a minute", "WORKLOADS": "nasa/web",
	}
	maps.Copy(environment, vars)
	p := processtest.Start(t, name, environment)
	t.Cleanup(func() { processtest.Stop(t, p, 15*time.Second) })
	for range 1200 {
		time.Sleep(100 * time.Millisecond)
		found := regexp.MustCompile(`http=(127\.0\.0\.1:\d+)`).FindStringSubmatch(p.Log.String())
		if found == nil {
			continue
		}
		if resp, err := http.Get("http://" + found[1] + "/readyz"); err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK || vars["NEVER_READY"] != "" {
				return "http://" + found[1]
			}
		}
	}
	t.Fatalf("not ready:\n%s", p.Log.String())
	return ""
}

// tab is one page of a browser and what went wrong in it.
type tab struct {
	context.Context
	mu     sync.Mutex
	faults []string
}

func open(t *testing.T, width, height int, scheme string) *tab {
	t.Helper()
	path := os.Getenv("CHROMIUM")
	if path == "" {
		path = "chromium"
	}
	if _, err := exec.LookPath(path); err != nil {
		t.Skipf("no browser: %v", err)
	}
	profile, err := os.MkdirTemp("", "kedastral-browser-") //nolint:usetesting // see below
	if err != nil {
		t.Fatal(err)
	}
	// The browser's helpers may still write while it ends: what is left then is not a fault of the page.
	t.Cleanup(func() { _ = os.RemoveAll(profile) })
	flags := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(profile), chromedp.NoFirstRun,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true), chromedp.WSURLReadTimeout(time.Minute))
	allocated, stop := chromedp.NewExecAllocator(t.Context(), flags...)
	t.Cleanup(stop)
	page, leave := chromedp.NewContext(allocated)
	t.Cleanup(leave)
	b := &tab{Context: page}
	chromedp.ListenTarget(page, b.listen)
	b.run(t, cdplog.Enable(), runtime.Enable(), performance.Enable(),
		emulation.SetDeviceMetricsOverride(int64(width), int64(height), 1, width < 600),
		emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}))
	t.Cleanup(func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, fault := range b.faults {
			t.Errorf("the browser says: %s", fault)
		}
	})
	return b
}

// listen collects what a developer would see in red or yellow.
func (b *tab) listen(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		b.faults = append(b.faults, e.ExceptionDetails.Error())
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.APITypeError || e.Type == runtime.APITypeWarning {
			text, _ := json.Marshal(e.Args)
			b.faults = append(b.faults, string(text))
		}
	case *cdplog.EventEntryAdded:
		if e.Entry.Level == cdplog.LevelError || e.Entry.Level == cdplog.LevelWarning {
			b.faults = append(b.faults, e.Entry.Text+" "+e.Entry.URL)
		}
	}
}

func (b *tab) run(t *testing.T, actions ...chromedp.Action) {
	t.Helper()
	limited, stop := context.WithTimeout(b.Context, time.Minute)
	defer stop()
	run := chromedp.Run
	if err := run(b.first(limited), actions...); err != nil {
		t.Fatal(err)
	}
}

// first keeps the browser alive when the first, limited, context ends.
func (b *tab) first(limited context.Context) context.Context {
	if chromedp.FromContext(b.Context).Browser == nil {
		return b.Context
	}
	return limited
}

func (b *tab) see(t *testing.T, address, selector string) {
	t.Helper()
	b.run(t, chromedp.Navigate(address), chromedp.WaitVisible(selector, chromedp.ByQuery), chromedp.Sleep(500*time.Millisecond))
}

func (b *tab) ask(t *testing.T, script string, answer any) {
	t.Helper()
	b.run(t, chromedp.Evaluate(script, answer, func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }))
}

// accessible runs axe-core over the page.
func (b *tab) accessible(t *testing.T) {
	t.Helper()
	axe, err := os.ReadFile(filepath.Join(root, "forecaster/dashboard/web/node_modules/axe-core/axe.min.js"))
	if err != nil {
		t.Fatalf("axe-core is missing, scripts/browser brings it: %v", err)
	}
	var found struct {
		Violations []string `json:"violations"`
		Passes     int      `json:"passes"`
	}
	b.ask(t, string(axe)+`;axe.run(document, {resultTypes: ["violations"]}).then((r) => ({passes: r.passes.length,
		violations: r.violations.map((v) => v.id + ": " + v.help + ": " + v.nodes.map((n) => n.html.slice(0, 200) + " " + (n.any[0]?.message ?? "")).slice(0, 4).join(" | "))}))`, &found)
	for _, v := range found.Violations {
		t.Errorf("axe: %s", v)
	}
	if found.Passes < 10 {
		t.Errorf("axe passed %d rules; want many, or it did not look", found.Passes)
	}
}

func (b *tab) shoot(t *testing.T, name string) {
	t.Helper()
	dir := os.Getenv("SHOTS")
	if dir == "" {
		return
	}
	var png []byte
	b.run(t, chromedp.FullScreenshot(&png, 100))
	save(t, dir, name, png)
}

// shootScreen is for pages too long for one picture.
func (b *tab) shootScreen(t *testing.T, name string) {
	t.Helper()
	dir := os.Getenv("SHOTS")
	if dir == "" {
		return
	}
	var png []byte
	b.run(t, chromedp.CaptureScreenshot(&png))
	save(t, dir, name, png)
}

func save(t *testing.T, dir, name string, png []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o600); err != nil {
		t.Fatal(err)
	}
}

// The list and a workload, in every size and colour: nothing in the console,
// nothing that axe finds.
func TestPages(t *testing.T) {
	address := forecaster(t, map[string]string{
		"WORKLOADS": "nasa/web,nasa/unskilled,nasa/watched", "WORKLOAD_NASA_UNSKILLED_MODEL": "naive", "WORKLOAD_NASA_WATCHED_SHADOW": "true",
	})
	time.Sleep(20 * time.Second) // twenty minutes of the recording
	for _, look := range []struct {
		name          string
		width, height int
		scheme        string
	}{
		{"light", 1360, 900, "light"},
		{"dark", 1360, 900, "dark"},
		{"tablet", 820, 1100, "light"},
		{"phone", 390, 844, "dark"},
	} {
		t.Run(look.name, func(t *testing.T) {
			b := open(t, look.width, look.height, look.scheme)
			b.see(t, address+"/", ".list tbody a")
			b.accessible(t)
			b.shoot(t, "list-"+look.name)
			for _, name := range []string{"web", "unskilled", "watched"} {
				if name == "watched" && look.name != "light" {
					continue
				}
				b.see(t, address+"/#/w/nasa/"+name, ".u-legend")
				b.run(t, chromedp.WaitVisible(".facts td", chromedp.ByQuery))
				b.accessible(t)
				b.shoot(t, name+"-"+look.name)
			}
			var wider bool
			b.ask(t, `document.documentElement.scrollWidth > innerWidth`, &wider)
			if wider {
				t.Error("the page is wider than the screen")
			}
		})
	}
}

// A recording that has ended: old data is called old, and the page says why.
func TestStale(t *testing.T) {
	address := forecaster(t, map[string]string{"RECORDED_FROM": "1995-07-21T18:00:00Z", "RECORDED_SPEED": "3600", "MAX_DATA_AGE": "30m", "DEFAULT_MODEL": "naive"})
	b := open(t, 1360, 900, "light")
	b.see(t, address+"/", ".list .badge.stale")
	b.accessible(t)
	b.shoot(t, "list-stale")
	b.see(t, address+"/#/w/nasa/web", ".u-legend")
	b.run(t, chromedp.WaitVisible(".reason", chromedp.ByQuery))
	b.accessible(t)
	b.shoot(t, "stale")
	var text string
	b.run(t, chromedp.Text(".summary", &text, chromedp.ByQuery))
	if !strings.Contains(text, "No forecast: ") {
		t.Errorf("the summary of a stale workload says %q", text)
	}
}

// Behind a path that a proxy strips, every address still leads there.
func TestBasePath(t *testing.T) {
	target, err := url.Parse(forecaster(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	behind := http.NewServeMux()
	behind.Handle("/tools/kedastral/", http.StripPrefix("/tools/kedastral", httputil.NewSingleHostReverseProxy(target)))
	server := httptest.NewServer(behind)
	t.Cleanup(server.CloseClientConnections)
	b := open(t, 1000, 700, "light")
	b.see(t, server.URL+"/tools/kedastral/", ".list tbody a")
	b.run(t, chromedp.WaitVisible(".live.live.live", chromedp.ByQuery), chromedp.Click(".list tbody a", chromedp.ByQuery), chromedp.WaitVisible(".u-legend", chromedp.ByQuery))
}

// An install that forecasts nothing yet says what to do.
func TestEmpty(t *testing.T) {
	pages := http.NewServeMux()
	assets := filepath.Join(root, "forecaster/dashboard/assets")
	pages.Handle("/assets/", http.StripPrefix("/assets", http.FileServer(http.Dir(assets))))
	pages.HandleFunc("/{$}", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFile(w, r, filepath.Join(assets, "index.html"))
	})
	none := `{"revision":"a.1","now":"2026-03-02T12:00:00Z","leadSeconds":[300],"total":0,"rows":[]}`
	pages.HandleFunc("/dashboard/workloads", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, none) })
	pages.HandleFunc("/dashboard/events", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprintf(w, "event: rows\ndata: %s\n\n", none)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	server := httptest.NewServer(pages)
	t.Cleanup(server.CloseClientConnections)
	b := open(t, 1360, 700, "dark")
	b.see(t, server.URL, ".empty pre")
	b.accessible(t)
	b.shoot(t, "empty")
}

// Two thousand workloads: found, sorted, scrolled and reached by keyboard, with
// few rows in the document.
func TestTwoThousand(t *testing.T) {
	var names []string
	for i := range 2000 {
		names = append(names, fmt.Sprintf("team-%02d/service-%04d", i%40, i))
	}
	address := forecaster(t, map[string]string{
		"WORKLOADS": strings.Join(names, ","), "DEFAULT_MODEL": "naive", "DEFAULT_WINDOW": "1d", "RECORDED_SPEED": "1", "DEFAULT_STEP": "5m", "MAX_DATA_AGE": "1h",
	})
	b := open(t, 1360, 900, "light")
	b.see(t, address+"/", ".list tbody a")
	var seen struct {
		Rows, Count int
		Paint, Load float64
	}
	facts := `({Rows: document.querySelectorAll(".list tbody tr").length, Count: Number(document.querySelector(".list").getAttribute("aria-rowcount")),
		Paint: performance.getEntriesByName("first-contentful-paint")[0].startTime,
		Load: performance.getEntriesByType("resource").find((e) => e.name.includes("dashboard/workloads")).responseEnd})`
	b.ask(t, facts, &seen)
	if seen.Count != 2001 || seen.Rows > 80 {
		t.Errorf("%d rows in the document of %d; want few of 2001", seen.Rows, seen.Count)
	}
	var heap float64
	b.run(t, chromedp.ActionFunc(func(ctx context.Context) error {
		metrics, err := performance.GetMetrics().Do(ctx)
		for _, m := range metrics {
			if m.Name == "JSHeapUsedSize" {
				heap = m.Value
			}
		}
		return err
	}))
	t.Logf("first paint %.0f ms, list loaded at %.0f ms, JavaScript heap %.1f MiB", seen.Paint, seen.Load, heap/(1<<20))
	b.accessible(t)
	b.shootScreen(t, "list-2000")
	var name string
	b.ask(t, `scrollTo(0, document.body.scrollHeight); new Promise((done) => setTimeout(() => done([...document.querySelectorAll(".list tbody a")].at(-1).textContent), 300))`, &name)
	if name != "team-39/service-1999" {
		t.Errorf("the last row after scrolling is %q; want team-39/service-1999", name)
	}
	b.run(t, chromedp.SendKeys("input[type=search]", "1234", chromedp.ByQuery), chromedp.Sleep(200*time.Millisecond))
	b.ask(t, `[...document.querySelectorAll(".list tbody a")].map((a) => a.textContent).join()`, &name)
	if name != "team-34/service-1234" {
		t.Errorf("searching 1234 finds %q; want team-34/service-1234", name)
	}
}
