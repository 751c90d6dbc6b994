// Package calendar is what people know about load before it comes: public
// holidays, announced events, and stretches of the past to forget.
//
// The one thing to know: a calendar knows factors. A holiday's load is what
// its weekday would have had times what the history says a Sunday has to that
// weekday, hour by hour; an event's factor is declared. [Model] divides the
// history by the factors, lets any model forecast the ordinary load that is
// left, and multiplies the forecast by the factors again. So a model needs to
// know nothing of calendars, an odd day in the past does not spoil the days
// after it, and inside a holiday the newest observations still set the level.
//
// Days and hours are those of the workload's time zone.
package calendar

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rickar/cal/v2"
)

// Calendar knows which days are holidays and what happens when. The zero value
// knows nothing.
type Calendar struct {
	zone     *time.Location
	holidays []*cal.Holiday
	events   []Event
}

// New is the calendar of a country's public holidays and of events, in a zone.
// Country is an ISO 3166 code or empty; events are as [ParseEvents] reads them.
func New(zone *time.Location, country, events string) (Calendar, error) {
	if zone == nil {
		zone = time.UTC
	}
	c := Calendar{zone: zone}
	var holidayErr, eventErr error
	if country != "" {
		var known bool
		if c.holidays, known = countries()[strings.ToUpper(country)]; !known {
			holidayErr = fmt.Errorf("country %q: must be one of %s", country, strings.Join(Countries(), ", "))
		}
	}
	c.events, eventErr = ParseEvents(events, zone)
	return c, errors.Join(holidayErr, eventErr)
}

// Empty reports a calendar that knows nothing.
func (c Calendar) Empty() bool { return len(c.holidays) == 0 && len(c.events) == 0 }

// Holiday reports whether an instant's day is a public holiday, or the day one
// is observed on instead.
func (c Calendar) Holiday(at time.Time) bool {
	y, m, d := at.In(c.zone).Date()
	for _, h := range c.holidays {
		// A holiday early in January may be observed in the year before.
		for _, year := range []int{y, y + 1} {
			actual, observed := h.Calc(year)
			if same(actual, y, m, d) || same(observed, y, m, d) {
				return true
			}
		}
	}
	return false
}

func same(day time.Time, y int, m time.Month, d int) bool {
	dy, dm, dd := day.Date()
	return dy == y && dm == m && dd == d
}

// between are the starts of the holidays in a stretch of time, by local
// midnight, ascending.
func (c Calendar) between(from, to time.Time) []time.Time {
	if len(c.holidays) == 0 {
		return nil
	}
	var days []time.Time
	y, m, d := from.In(c.zone).Date()
	for i := 0; ; i++ {
		day := time.Date(y, m, d+i, 0, 0, 0, 0, c.zone)
		if !day.Before(to) {
			return days
		}
		if c.Holiday(day) {
			days = append(days, day)
		}
	}
}

// Countries are the codes whose holidays are known, ascending.
func Countries() []string {
	var codes []string
	for code := range countries() {
		codes = append(codes, code)
	}
	slices.Sort(codes)
	return codes
}
