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
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/performance"
	"github.com/chromedp/chromedp"

	"github.com/kedastral/kedastral/shared/shard"
)

// remembered waits until so many forecasts of the workload were recorded.
func remembered(t *testing.T, address, workload string, steps int) {
	t.Helper()
	await(t, "forecasts of "+workload+" to compare with what came", func() bool {
		var report struct{ Leads []struct{ Median []*float64 } }
		answer(t, address+"/forecast/history?window=1h&workload="+workload, &report)
		known := 0
		if len(report.Leads) > 0 {
			for _, v := range report.Leads[0].Median {
				if v != nil {
					known++
				}
			}
		}
		return known >= steps
	})
}

// The list and a workload, in every size and colour: nothing in the console,
// nothing that axe finds.
func TestPages(t *testing.T) {
	t.Parallel()
	old := filepath.Join(t.TempDir(), "old.csv")
	if err := os.WriteFile(old, []byte("timestamp,value\n0,1\n60,2\n120,3\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	address := forecaster(t, map[string]string{
		"WORKLOADS": "nasa/web,nasa/unskilled,nasa/watched,nasa/silent", "WORKLOAD_NASA_UNSKILLED_MODEL": "naive", "WORKLOAD_NASA_WATCHED_SHADOW": "true",
		"WORKLOAD_NASA_SILENT_RECORDED_FILE": old, "RECORDED_LOOP": "false",
	})
	remembered(t, address, "nasa/web", 12)
	for _, look := range []struct {
		name          string
		width, height int
		scheme        string
		workloads     []string
	}{
		{"light", 1360, 900, "light", []string{"web", "unskilled", "watched", "silent"}},
		{"dark", 1360, 900, "dark", []string{"web", "unskilled"}},
		{"tablet", 820, 1100, "light", []string{"web"}},
		{"phone", 390, 844, "dark", []string{"web", "unskilled", "silent"}},
	} {
		t.Run(look.name, func(t *testing.T) {
			t.Parallel()
			b := open(t, look.width, look.height, look.scheme)
			b.see(t, address+"/", ".list tbody a")
			b.accessible(t)
			b.narrow(t)
			b.shoot(t, "list-"+look.name)
			for _, name := range look.workloads {
				b.see(t, address+"/#/w/nasa/"+name, ".facts td")
				drawn := 2
				if name == "silent" {
					drawn = 0
				}
				b.until(t, fmt.Sprintf(`document.querySelectorAll(".chart:not([hidden]) canvas").length === %d && `, drawn)+`document.querySelector("h2").textContent.endsWith("`+name+`")`)
				b.agrees(t)
				b.accessible(t)
				b.narrow(t)
				b.shoot(t, name+"-"+look.name)
			}
		})
	}
}

// agrees fails when the numbers at the top are not those of the explanation.
func (b *tab) agrees(t *testing.T) {
	t.Helper()
	both := `(() => { const row = [...document.querySelectorAll(".facts tr")].find((r) => r.firstChild.textContent === "Load observed");
		return [document.querySelector(".tiles b").textContent, row ? row.querySelector("b").textContent : "–"] })()`
	var said []string
	if b.ask(t, both, &said); said[0] != said[1] {
		t.Errorf("the load observed is %s at the top and %s below", said[0], said[1])
	}
}

// narrow fails when the page is wider than its screen.
func (b *tab) narrow(t *testing.T) {
	t.Helper()
	var wider bool
	if b.ask(t, `document.documentElement.scrollWidth > innerWidth`, &wider); wider {
		t.Error("the page is wider than the screen")
	}
}

// A recording that has ended: old data is called old, and the page says why,
// in the words of the API.
func TestStale(t *testing.T) {
	t.Parallel()
	address := forecaster(t, map[string]string{"RECORDED_FROM": "1995-07-22T03:00:00Z", "RECORDED_SPEED": "1200", "MAX_DATA_AGE": "30m", "DEFAULT_MODEL": "naive"})
	await(t, "the end of the recording, and half an hour", func() bool {
		var list struct{ Workloads []struct{ State string } }
		answer(t, address+"/workloads", &list)
		return list.Workloads[0].State == "silent"
	})
	b := open(t, 1360, 900, "light")
	b.see(t, address+"/", ".list .badge.stale")
	b.until(t, `document.querySelector(".list .why").textContent.includes("the recording ended at 22 Jul 1995")`)
	b.accessible(t)
	b.shoot(t, "list-stale")
	b.see(t, address+"/#/w/nasa/web", ".facts td")
	b.run(t, chromedp.SetValue("#zone", "UTC", chromedp.ByQuery), chromedp.Evaluate(`document.getElementById("zone").dispatchEvent(new Event("change"))`, nil))
	b.accessible(t)
	b.shoot(t, "stale")
	var text string
	b.run(t, chromedp.Text(".summary", &text, chromedp.ByQuery))
	if !strings.HasPrefix(text, "No forecast: ") || !strings.Contains(text, "the recording ended at 22 Jul 1995, 04:00:00 UTC") || !strings.Contains(text, "RECORDED_LOOP=true") {
		t.Errorf("the summary of a stale workload is %q; want the reason and the next step", text)
	}
	direct := open(t, 1360, 900, "light") // by its own address, without the list before: no question that is refused
	direct.see(t, address+"/#/w/nasa/web", ".facts td")
}

// Behind a path that a proxy strips, every address still leads there.
func TestBasePath(t *testing.T) {
	t.Parallel()
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
	b.shoot(t, "list-one")
	b.run(t, chromedp.WaitVisible(".live.live.live", chromedp.ByQuery), chromedp.Click(".list tbody a", chromedp.ByQuery), chromedp.WaitVisible(".facts td", chromedp.ByQuery))
	b.shoot(t, "one")

	// A stream that breaks is said to have, and is taken up again.
	b.until(t, `document.querySelector("#live").textContent === "Live"`)
	server.CloseClientConnections()
	b.until(t, `document.querySelector("#live").textContent.startsWith("Not connected")`)
	b.until(t, `document.querySelector("#live").textContent === "Live"`)
	b.expected("net::ERR_") // which Chromium reports by itself
}

// A forecaster that has nothing to forecast says what to do. WORKLOADS may not
// be empty, but a shard's part of them may.
func TestEmpty(t *testing.T) {
	t.Parallel()
	const shards = 3
	idle := 0
	for ordinal := range shards {
		if !shard.Computes("nasa/web", ordinal, shards) {
			idle = ordinal
		}
	}
	address := forecaster(t, map[string]string{"SHARD_COUNT": strconv.Itoa(shards), "POD_NAME": fmt.Sprintf("forecaster-%d", idle)})
	b := open(t, 1360, 700, "dark")
	b.see(t, address, ".empty pre")
	b.until(t, `document.querySelector("#live").textContent === "Live"`)
	b.accessible(t)
	b.shoot(t, "empty")
}

// Two thousand workloads: found, sorted, scrolled and reached by keyboard, with
// few rows in the document.
func TestTwoThousand(t *testing.T) {
	tape := filepath.Join(t.TempDir(), "tape.csv") // short: every workload holds its own
	var rows strings.Builder
	for i := range 600 {
		fmt.Fprintf(&rows, "%d,%.0f\n", 1_000_000_200+300*i, 200+100*math.Sin(float64(i)/40)+float64(i*7%13))
	}
	if err := os.WriteFile(tape, []byte(rows.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	var names []string
	for i := range 2000 {
		names = append(names, fmt.Sprintf("team-%02d/service-%04d", i%40, i))
	}
	address := forecaster(t, map[string]string{
		"WORKLOADS": strings.Join(names, ","), "DEFAULT_MODEL": "naive", "DEFAULT_WINDOW": "1d", "RECORDED_SPEED": "1", "DEFAULT_STEP": "5m", "MAX_DATA_AGE": "1h",
		"RECORDED_FILE": tape, "RECORDED_FROM": "2001-09-10T12:00:00Z",
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
	if heap > 40<<20 {
		t.Errorf("the page holds %.1f MiB; want 40 at most", heap/(1<<20))
	}
	named := func(condition string) {
		b.until(t, `(() => { const names = [...document.querySelectorAll(".list tbody a > span")].map((a) => a.textContent); return `+condition+` })()`)
	}
	b.run(t, chromedp.Evaluate(`scrollTo(0, document.body.scrollHeight)`, nil))
	named(`names.at(-1) === "team-39/service-1999"`)
	b.shootScreen(t, "list-2000-end")
	b.run(t, chromedp.SendKeys("input[type=search]", "1234", chromedp.ByQuery))
	named(`names.join() === "team-34/service-1234"`)
}
