package engine_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
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
			`level=WARN msg="tick failed, forecast from what was known before" workload=shop/web err="collect: connection refused"`,
			`level=WARN msg="tick failed, nothing is published" workload=shop/web err="collect: connection refused; put: the newest observation`,
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
