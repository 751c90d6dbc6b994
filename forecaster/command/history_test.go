package command_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	replaying "github.com/kedastral/kedastral/forecaster/adapters/recorded"
	"github.com/kedastral/kedastral/forecaster/command"
	"github.com/kedastral/kedastral/forecaster/series"
)

// A file laid on coarser steps is the same load to a backtest as it is to a
// forecaster that replays it: a rate's mean, and not its last minute.
func TestACoarserStepIsTheSameToBacktestAndReplay(t *testing.T) {
	var text strings.Builder
	text.WriteString("timestamp,value\n")
	start := time.Date(2026, 1, 5, 0, 2, 0, 0, time.UTC) // not on the grid of five minutes
	for i := range 600 {
		if i%97 > 3 { // with gaps
			fmt.Fprintf(&text, "%d,%d\n", start.Add(time.Duration(i)*time.Minute).Unix(), 100+i*i%37)
		}
	}
	path := filepath.Join(t.TempDir(), "load.csv")
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	samples, err := series.ReadCSV(strings.NewReader(text.String()))
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute} {
		got, err := command.History(path, step)
		if err != nil {
			t.Fatal(err)
		}
		replay, err := replaying.New(replaying.Options{Samples: samples, Step: step, Now: got.End})
		if err != nil {
			t.Fatal(err)
		}
		want, err := replay.Collect(t.Context(), int(got.End().Sub(got.Start)/time.Second))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateNaNs()); diff != "" {
			t.Errorf("-step %v: -replayed +tested\n%s", step, diff)
		}
	}
	if _, err := command.History(path, 90*time.Second); err == nil || !strings.Contains(err.Error(), "recorded every 1m") {
		t.Errorf("-step 90s of a file of minutes: %v; want a fault that names both", err)
	}
}
