package browser_test

import (
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// What a person does with the page, mostly without a pointer.
func TestBehaviour(t *testing.T) {
	t.Parallel()
	address := forecaster(t, map[string]string{"WORKLOADS": "nasa/a,nasa/b,nasa/c", "DEFAULT_MODEL": "naive", "WORKLOAD_NASA_B_TARGET_PER_POD": "1"})
	b := open(t, 1360, 900, "light")
	b.see(t, address+"/", ".list tbody a")
	names := func(want string) {
		t.Helper()
		b.until(t, `[...document.querySelectorAll(".list tbody a > span")].map((a) => a.textContent).join() === "`+want+`"`)
	}
	b.until(t, `document.querySelector("#live").textContent === "Live"`)
	names("nasa/a,nasa/b,nasa/c")

	// What is new comes without a reload: two minutes a second, and a mark that a reload would take away.
	var load string
	b.ask(t, `window.notReloaded = true, document.querySelector(".list tbody td.observed").textContent`, &load)
	b.until(t, `window.notReloaded && document.querySelector(".list tbody td.observed").textContent !== "`+load+`"`)

	// Sorted by the count of now, either way, and told to those who do not see the arrow.
	b.run(t, chromedp.Click("th.replicas button", chromedp.ByQuery), chromedp.Click("th.replicas button", chromedp.ByQuery))
	names("nasa/b,nasa/a,nasa/c")
	b.until(t, `document.querySelector("th.replicas").getAttribute("aria-sort") === "descending"`)

	// Searched from the keyboard, and what is found is told.
	b.run(t, chromedp.KeyEvent("/"))
	b.until(t, `document.activeElement.type === "search"`)
	b.run(t, chromedp.Evaluate(`document.activeElement.value = ""`, nil)) // a protocol's key is typed even where a person's would not be
	b.run(t, chromedp.KeyEvent("/c"))
	names("nasa/c")
	b.until(t, `document.querySelector(".found").textContent === "1 of 3 workloads"`)
	b.run(t, chromedp.KeyEvent("zzz"))
	b.until(t, `document.querySelector(".empty").textContent.includes("No workload matches")`)
	b.run(t, chromedp.Click(".empty button", chromedp.ByQuery))
	names("nasa/b,nasa/a,nasa/c")
	b.run(t, chromedp.Click(`.chips [data-state="reactive"]`, chromedp.ByQuery))
	b.until(t, `document.querySelector('.chips [data-state="reactive"]').getAttribute("aria-pressed") === "true"`)

	// The lead time that is chosen is the column's and the explanation's.
	choose := func(id, value string) {
		t.Helper()
		b.run(t, chromedp.Evaluate(`(() => { const s = document.getElementById("`+id+`"); s.value = "`+value+`"; s.dispatchEvent(new Event("change")) })()`, nil))
	}
	choose("lead", "1800")
	b.until(t, `document.querySelector("th.atLead").textContent === "In 30 min"`)
	b.run(t, chromedp.Focus(".list tbody a", chromedp.ByQuery), chromedp.KeyEvent(kb.Enter))
	b.until(t, `location.hash === "#/w/nasa/b" && document.querySelector(".summary").textContent.includes("for a lead time of 30m")`)
	choose("lead", "600")
	b.until(t, `document.querySelector(".summary").textContent.includes("for a lead time of 10m")`)

	b.readsValues(t)
	b.zones(t, choose)

	// The numbers behind the plot, and the way back.
	b.run(t, chromedp.Click("section details > summary", chromedp.ByQuery))
	b.until(t, `document.querySelectorAll(".wide tbody tr").length > 60`)
	b.run(t, chromedp.Click("nav a", chromedp.ByQuery), chromedp.WaitVisible(".list tbody a", chromedp.ByQuery))

	// A workload that is not there is said to be not there.
	b.run(t, chromedp.Navigate(address+"/#/w/nasa/nobody"))
	b.until(t, `document.querySelector(".notice").textContent.includes("workload not found: nasa/nobody")`)
	b.expected("status of 404") // which Chromium reports by itself
}

// readsValues moves over a chart with keys and pointer, and hides a line.
func (b *tab) readsValues(t *testing.T) {
	t.Helper()
	b.until(t, `document.querySelector(".legend .when").textContent === "Now" && document.querySelector(".legend b").textContent !== "–"`)
	b.run(t, chromedp.Focus(".plot", chromedp.ByQuery), chromedp.KeyEvent(kb.ArrowLeft), chromedp.KeyEvent(kb.ArrowLeft))
	b.until(t, `/: .*Observed \d/.test(document.querySelector(".chart [role=status]").textContent) && document.querySelector(".legend .when").textContent !== "Now"`)
	b.run(t, chromedp.Blur(".plot", chromedp.ByQuery))
	b.until(t, `document.querySelector(".legend .when").textContent === "Now"`)
	b.run(t, chromedp.Evaluate(`(() => { const o = document.querySelector(".u-over"), r = o.getBoundingClientRect();
		o.dispatchEvent(new MouseEvent("mouseenter", { clientX: r.left + r.width / 2, clientY: r.top + 20 }));
		o.dispatchEvent(new MouseEvent("mousemove", { clientX: r.left + r.width / 2, clientY: r.top + 20, bubbles: true })) })()`, nil))
	b.until(t, `[...document.querySelectorAll(".legend .when")].every((w) => w.textContent !== "Now")`) // both charts at once
	b.run(t, chromedp.Click(".legend button", chromedp.ByQuery))
	b.until(t, `document.querySelector(".legend button").getAttribute("aria-pressed") === "false"`)
	b.accessible(t)
}

// zones tells the same instant in two time zones.
func (b *tab) zones(t *testing.T, choose func(id, value string)) {
	t.Helper()
	for zone, name := range map[string]string{"UTC": "UTC", "Asia/Tokyo": "GMT+9"} {
		choose("zone", zone)
		b.until(t, `document.querySelector(".facts").textContent.includes("`+name+`")`)
	}
}
