package engine_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kedastral/kedastral/forecaster/adapters"
)

// Who reads the log at night finds each change once: that there are forecasts,
// that they go on without the source, that they no longer do, and that all is
// well again.
func TestAnOutageIsToldInFourLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		o := options()
		o.Log = slog.New(slog.NewTextHandler(&log, nil))
		w := workload("shop/web")
		from := w.Source.(*source)
		begin(t, o, w)
		pass(5 * time.Minute)
		from.fail(errors.New("connection refused"))
		pass(30 * time.Minute)
		from.fail(nil)
		pass(5 * time.Minute)
		lines := strings.Split(strings.TrimSpace(log.String()), "\n")
		want := []string{
			`level=INFO msg="ready, every workload has had its first tick" workloads=1 published=1`,
			`level=WARN msg="tick failed, forecast from what was known before" workload=shop/web err="reading the history: connection refused"`,
			`level=WARN msg="tick failed, nothing is published" workload=shop/web err="reading the history: connection refused; publishing the plan: the newest observation`,
			`level=INFO msg="tick succeeded again" workload=shop/web`,
		}
		if len(lines) != len(want) {
			t.Fatalf("%d lines; want %d:\n%s", len(lines), len(want), log.String())
		}
		for i, line := range lines {
			if !strings.Contains(line, want[i]) {
				t.Errorf("line %d: %s\nwant %s", i+1, line, want[i])
			}
		}
	})
}

// A workload that cannot keep up is told of when it falls behind, not at every
// tick that it skips from then on, and again when it does so again.
func TestFallingBehindIsToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		o := options()
		o.Log = slog.New(slog.NewTextHandler(&log, nil))
		o.TickTimeout = 10 * time.Minute
		w := workload("shop/web")
		from := w.Source.(*source)
		e := begin(t, o, w)
		for range 2 {
			from.delay(80 * time.Second)
			pass(20 * time.Minute)
			from.delay(0)
			pass(10 * time.Minute)
		}
		if st := statusOf(t, e, "shop/web"); st.Skipped < 20 {
			t.Errorf("%d ticks skipped; want about 20", st.Skipped)
		}
		if n := strings.Count(log.String(), "level=WARN msg=\"ticks skipped"); n != 2 {
			t.Errorf("told %d times; want 2:\n%s", n, log.String())
		}
	})
}

// suspect is a source whose warnings are told to it, each with a number that
// differs from read to read.
type suspect struct {
	source

	reads atomic.Int64
	kinds atomic.Pointer[[]string]
}

func (s *suspect) Warnings() (all []adapters.Warning) {
	for _, kind := range *s.kinds.Load() {
		all = append(all, adapters.Warning{Kind: kind, Text: fmt.Sprintf("requests: %s, %d", kind, s.reads.Add(1))})
	}
	return all
}

// What looks wrong with a metric is told when it begins to, not at every tick.
func TestASuspectMetricIsToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		o := options()
		o.Log = slog.New(slog.NewTextHandler(&log, nil))
		from := &suspect{source: source{load: flat(400), step: time.Minute}}
		w := workload("shop/web")
		w.Source = from
		say := func(kinds ...string) { from.kinds.Store(&kinds) }
		say(adapters.WarnAverage)
		begin(t, o, w)
		pass(5 * time.Minute)
		say(adapters.WarnAverage, adapters.WarnNegative)
		pass(5 * time.Minute)
		say()
		pass(5 * time.Minute)
		say(adapters.WarnAverage)
		pass(5 * time.Minute)
		var told []string
		for line := range strings.Lines(log.String()) {
			if strings.Contains(line, "looks wrong") {
				told = append(told, line)
			}
		}
		want := []string{"kind=average", "kind=negative", "kind=average"}
		if len(told) != len(want) {
			t.Fatalf("%d lines; want %d:\n%s", len(told), len(want), log.String())
		}
		for i, line := range told {
			if !strings.Contains(line, want[i]) || !strings.Contains(line, `level=WARN msg="the metric looks wrong" workload=shop/web`) || !strings.Contains(line, "requests: ") {
				t.Errorf("line %d: %s\nwant a warning with %s", i+1, line, want[i])
			}
		}
	})
}
