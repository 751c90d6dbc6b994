package browser_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/performance"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// tab is one page of a browser and what went wrong in it.
type tab struct {
	context.Context
	mu     sync.Mutex
	faults []string
}

// browser is the one that TestMain started; every test has tabs of its own, and
// by its own forecaster's address a storage of its own.
var browser context.Context

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "kedastral-browser-")
	if err == nil {
		// The browser's helpers may still write while it ends: what is left then is not a fault of the page.
		defer func() { _ = os.RemoveAll(dir) }()
		binary, err = build(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	path := cmp.Or(os.Getenv("CHROMIUM"), "chromium")
	flags := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(filepath.Join(dir, "profile")), chromedp.NoFirstRun,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true), chromedp.WSURLReadTimeout(time.Minute))
	allocated, stop := chromedp.NewExecAllocator(context.Background(), flags...)
	defer stop()
	started, leave := chromedp.NewContext(allocated)
	defer leave()
	if err := chromedp.Run(started); err != nil {
		fmt.Fprintf(os.Stderr, "starting %s, which CHROMIUM may name: %v: scripts/browser installs Debian's\n", path, err)
		return 1
	}
	browser = started //nolint:fatcontext // one browser for all tests, as one binary
	return m.Run()
}

func open(t *testing.T, width, height int, scheme string) *tab {
	t.Helper()
	page, leave := chromedp.NewContext(browser)
	t.Cleanup(leave)
	b := &tab{Context: page}
	chromedp.ListenTarget(page, b.listen)
	if err := chromedp.Run(page, cdplog.Enable(), runtime.Enable(), performance.Enable(),
		emulation.SetDeviceMetricsOverride(int64(width), int64(height), 1, width < 600),
		emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}})); err != nil {
		t.Fatal(err)
	}
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

// expected leaves out the faults so far that are no fault of the page.
func (b *tab) expected(what string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.faults = slices.DeleteFunc(b.faults, func(fault string) bool { return strings.Contains(fault, what) })
}

func (b *tab) run(t *testing.T, actions ...chromedp.Action) {
	t.Helper()
	limited, stop := context.WithTimeout(b.Context, time.Minute)
	defer stop()
	if err := chromedp.Run(limited, actions...); err != nil {
		var png []byte
		if dir := os.Getenv("SHOTS"); dir != "" && chromedp.Run(b.Context, chromedp.CaptureScreenshot(&png)) == nil {
			save(t, dir, "failed-"+filepath.Base(t.Name()), png)
		}
		t.Fatal(err)
	}
}

// see goes to an address and waits for what must be there.
func (b *tab) see(t *testing.T, address, selector string) {
	t.Helper()
	b.run(t, chromedp.Navigate(address), chromedp.WaitVisible(selector, chromedp.ByQuery))
}

// until waits for a condition in the page. What it asks about may not be there
// yet: that throws, and is no answer.
func (b *tab) until(t *testing.T, condition string) {
	t.Helper()
	limited, stop := context.WithTimeout(b.Context, time.Minute)
	defer stop()
	if err := chromedp.Run(limited, chromedp.Poll("(() => { try { return "+condition+" } catch { return false } })()", nil, chromedp.WithPollingInterval(50*time.Millisecond))); err != nil {
		var text string
		_ = chromedp.Run(b.Context, chromedp.Text("main", &text, chromedp.ByQuery))
		t.Fatalf("%s: %v; the page says\n%.2000s", condition, err, text)
	}
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
