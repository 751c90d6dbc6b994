package dashboard_test

import (
	"strings"
	"testing"
	"time"

	"github.com/kedastral/kedastral/forecaster/storage/storetest"
)

// A source that settles late makes no forecast stale.
func TestALateSourceIsNotStale(t *testing.T) {
	for after, want := range map[time.Duration]string{5 * time.Minute: "predictive", 8 * time.Minute: "stale"} {
		p, _ := pages(t, noon.Add(after))
		s := storetest.Sample("shop/web", noon, 3)
		s.DelaySeconds = 240
		p.Past.Record(s)
		if got := decode(t, get(p, "/dashboard/workloads").Body.Bytes()).Rows[0].Health; got != want {
			t.Errorf("%v after a snapshot published four minutes late: %s; want %s", after, got, want)
		}
	}
}

// The page is told how far back it may ask, and what HISTORY said.
func TestTheBoardTellsWhatIsRemembered(t *testing.T) {
	p, _ := pages(t, noon)
	if body := get(p, "/dashboard/workloads").Body.String(); !strings.Contains(body, `"history":"1h","historySeconds":3600,"longestSeconds":3600,`) {
		t.Errorf("the board is %.200s; want an hour of history", body)
	}
}
