package env

import (
	"math"
	"regexp"
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
	parts := regexp.MustCompile(`^([+-]?)((?:[0-9]+(?:\.[0-9]+)?w)?)((?:[0-9]+(?:\.[0-9]+)?d)?)(.*)$`).FindStringSubmatch(text)
	if parts == nil || text == "" {
		return 0, rule
	}
	sign, weeks, days, rest := parts[1], parts[2], parts[3], parts[4]
	if weeks+days == "" {
		d, err := time.ParseDuration(text)
		if err != nil {
			return 0, rule
		}
		return d, nil
	}
	var small time.Duration
	if rest != "" {
		var err error
		if small, err = time.ParseDuration(rest); err != nil || rest[0] == '-' || rest[0] == '+' {
			return 0, rule
		}
	}
	total := count(weeks, "w")*float64(week) + count(days, "d")*float64(day) + float64(small)
	if total >= math.MaxInt64 {
		return 0, broken("is too long for a duration")
	}
	d := time.Duration(count(weeks, "w")*float64(week)) + time.Duration(count(days, "d")*float64(day)) + small
	if sign == "-" {
		d = -d
	}
	return d, nil
}

// count is the number before a unit; the pattern above let nothing else by.
func count(text, unit string) float64 {
	n, err := strconv.ParseFloat(strings.TrimSuffix(text, unit), 64)
	if err != nil {
		return 0
	}
	return n
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
