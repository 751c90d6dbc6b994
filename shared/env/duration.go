package env

import (
	"math"
	"strconv"
	"strings"
	"time"
)

const (
	day  = 24 * time.Hour
	week = 7 * day
)

// ParseDuration reads Go's durations with days and weeks before them: 90s,
// 1h30m, 7d, 2w, 1w2d12h, 1.5d, -1d. A day is 24 hours.
func ParseDuration(text string) (time.Duration, error) {
	const rule = broken("must be a duration such as 90s, 5m, 1h30m, 7d or 2w")
	if !strings.ContainsAny(text, "wd") {
		d, err := time.ParseDuration(text)
		if err != nil {
			return 0, rule
		}
		return d, nil
	}
	if after, negative := strings.CutPrefix(text, "-"); negative {
		if after == "" || after[0] == '-' {
			return 0, rule
		}
		d, err := ParseDuration(after)
		return -d, err
	}
	rest := text
	var total time.Duration
	for _, unit := range []struct {
		letter string
		length time.Duration
	}{{"w", week}, {"d", day}} {
		count, after, found := strings.Cut(rest, unit.letter)
		if !found {
			continue
		}
		n, err := strconv.ParseFloat(count, 64)
		if err != nil || strings.Trim(count, "0123456789.") != "" {
			return 0, rule
		}
		if n*float64(unit.length)+float64(total) >= math.MaxInt64 {
			return 0, broken("is too long for a duration")
		}
		total += time.Duration(n * float64(unit.length))
		rest = after
	}
	if rest == "" {
		return total, nil
	}
	small, err := time.ParseDuration(rest)
	if err != nil || rest[0] == '-' || rest[0] == '+' {
		return 0, rule
	}
	if total > math.MaxInt64-small {
		return 0, broken("is too long for a duration")
	}
	return total + small, nil
}

// FormatDuration is the shortest text that ParseDuration reads back as d.
func FormatDuration(d time.Duration) string {
	switch {
	case d == 0:
		return "0s"
	case d%week == 0:
		return strconv.Itoa(int(d/week)) + "w"
	case d%day == 0:
		return strconv.Itoa(int(d/day)) + "d"
	}
	text := d.String() // 1h0m0s
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
