package browser_test

import (
	"testing"

	"github.com/chromedp/chromedp"
)

// A button for more time than is remembered says how much that is, and why,
// and shows all of it; one for less says nothing.
func TestAShortHistoryIsToldOf(t *testing.T) {
	t.Parallel()
	for kept, want := range map[string]string{"2h": "History holds the last 2 h: HISTORY=2h.", "0": "Nothing that was forecast is remembered, only the load: HISTORY=0s."} {
		address := forecaster(t, map[string]string{"HISTORY": kept, "DEFAULT_MODEL": "naive"})
		b := open(t, 1360, 900, "light")
		b.see(t, address+"/#/w/nasa/web", ".facts td")
		b.run(t, chromedp.Click(`[data-window="24h"]`, chromedp.ByQuery))
		b.until(t, `[...document.querySelectorAll(".verdict:not([hidden])")].some((p) => p.textContent === "`+want+`")`)
		b.accessible(t)
		if kept == "2h" {
			b.run(t, chromedp.Click(`[data-window="1h"]`, chromedp.ByQuery))
			b.until(t, `![...document.querySelectorAll(".verdict:not([hidden])")].some((p) => p.textContent.startsWith("History holds"))`)
		}
	}
}
