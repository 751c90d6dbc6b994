package env_test

import (
	"testing"
	"time"

	"github.com/kedastral/kedastral/shared/env"
)

func TestParseDuration(t *testing.T) {
	const day = 24 * time.Hour
	for text, want := range map[string]time.Duration{
		"90s": 90 * time.Second, "1h30m": 90 * time.Minute, "0": 0, "-5m": -5 * time.Minute, "1.5h": 90 * time.Minute,
		"7d": 7 * day, "2w": 14 * day, "1w2d12h30m": 9*day + 12*time.Hour + 30*time.Minute, "1.5d": 36 * time.Hour, "-1d": -day, "0d": 0,
	} {
		if got, err := env.ParseDuration(text); err != nil || got != want {
			t.Errorf("ParseDuration(%q) = %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "d", "60", "1d2w", "1d-2h", "1d+2h", "1 d", "1D", "1y", "--1d", "1d1d", "15251w", "106751.99d99h", "NaNd", "1e3d"} {
		if got, err := env.ParseDuration(text); err == nil {
			t.Errorf("ParseDuration(%q) = %v; want an error", text, got)
		}
	}
}

func TestFormatDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", time.Minute: "1m", 90 * time.Second: "1m30s", time.Hour: "1h", 90 * time.Minute: "1h30m",
		24 * time.Hour: "1d", 36 * time.Hour: "36h", 14 * 24 * time.Hour: "2w", -time.Minute: "-1m", 10 * time.Minute: "10m",
	} {
		if got := env.FormatDuration(d); got != want {
			t.Errorf("FormatDuration(%d) = %q; want %q", d, got, want)
		}
	}
}

// Every duration survives being written and read, and nothing read panics.
func FuzzDuration(f *testing.F) {
	f.Add("1w2d3h", int64(time.Hour))
	f.Add("-0.5d", int64(-1))
	f.Fuzz(func(t *testing.T, text string, n int64) {
		if d, err := env.ParseDuration(text); err == nil {
			n = int64(d)
		}
		if got, err := env.ParseDuration(env.FormatDuration(time.Duration(n))); err != nil || int64(got) != n {
			t.Errorf("ParseDuration(FormatDuration(%d)) = %d, %v", n, got, err)
		}
	})
}
