package calendar

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Event is a stretch of time whose load is known to differ.
type Event struct {
	Start, End time.Time // [Start, End)
	Factor     float64   // the load is this many times the ordinary; 0: forget what was observed
}

// Bounds of a declared factor.
const lowestFactor, highestFactor = 0.01, 100

// ParseEvents reads events separated by semicolons, each a stretch of time and
// what is special about it:
//
//	2026-11-27T08:00/2026-11-27T23:00 x2.5
//	2026-12-24/2026-12-26 x0.4
//	2026-10-03T10:00/2026-10-03T16:00[Europe/Berlin] ignore
//
// The load of an event is x times the ordinary; ignore forgets what was
// observed, an incident or a load test. Times are local to the zone, or to the
// one in brackets; a date means its midnight, and as an end the end of that day.
func ParseEvents(text string, zone *time.Location) ([]Event, error) {
	var events []Event
	var errs []error
	for part := range strings.SplitSeq(text, ";") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		e, err := parseEvent(part, zone)
		if err != nil {
			errs = append(errs, fmt.Errorf("event %q: %w", part, err))
			continue
		}
		events = append(events, e)
	}
	return events, errors.Join(errs...)
}

func parseEvent(text string, zone *time.Location) (e Event, err error) {
	when, what, ok := strings.Cut(text, " ")
	if !ok {
		return e, errors.New("must be START/END xFACTOR, or START/END ignore")
	}
	if open := strings.IndexByte(when, '['); open >= 0 {
		name, closed := strings.CutSuffix(when[open+1:], "]")
		if !closed {
			return e, errors.New("the zone's bracket must be closed")
		}
		if zone, err = time.LoadLocation(name); err != nil {
			return e, err
		}
		when = when[:open]
	}
	from, to, ok := strings.Cut(when, "/")
	if !ok {
		return e, errors.New("must have a start and an end, START/END")
	}
	if e.Start, _, err = parseInstant(from, zone); err != nil {
		return e, err
	}
	end, date, err := parseInstant(to, zone)
	if err != nil {
		return e, err
	}
	if e.End = end; date {
		e.End = end.AddDate(0, 0, 1)
	}
	if !e.Start.Before(e.End) {
		return e, errors.New("must end after it starts")
	}
	e.Factor, err = parseFactor(strings.TrimSpace(what))
	return e, err
}

func parseInstant(text string, zone *time.Location) (at time.Time, date bool, err error) {
	for _, layout := range []string{"2006-01-02T15:04", "2006-01-02T15:04:05"} {
		if at, err := time.ParseInLocation(layout, text, zone); err == nil {
			return at, false, nil
		}
	}
	if at, err := time.ParseInLocation(time.DateOnly, text, zone); err == nil {
		return at, true, nil
	}
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at, false, nil
	}
	return time.Time{}, false, fmt.Errorf("time %q: must be like 2026-11-27T08:00 or 2026-11-27", text)
}

func parseFactor(text string) (float64, error) {
	if text == "ignore" {
		return 0, nil
	}
	number, ok := strings.CutPrefix(text, "x")
	f, err := strconv.ParseFloat(number, 64)
	if !ok || err != nil || math.IsNaN(f) || f < lowestFactor || f > highestFactor {
		return 0, fmt.Errorf("%q: must be ignore, or x and a factor from %g to %g", text, lowestFactor, float64(highestFactor))
	}
	return f, nil
}
