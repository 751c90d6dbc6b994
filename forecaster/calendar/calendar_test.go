package calendar_test

import (
	"context"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kedastral/kedastral/forecaster/calendar"
	"github.com/kedastral/kedastral/forecaster/features"
	"github.com/kedastral/kedastral/forecaster/models"
	"github.com/kedastral/kedastral/forecaster/models/modeltest"
)

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func TestHoliday(t *testing.T) {
	newYork, berlin := zone(t, "America/New_York"), zone(t, "Europe/Berlin")
	for _, tt := range []struct {
		country string
		zone    *time.Location
		at      string
		want    bool
	}{
		{"US", newYork, "2026-11-26T12:00:00-05:00", true}, // Thanksgiving, the fourth Thursday
		{"us", newYork, "2026-11-26T12:00:00-05:00", true},
		{"US", newYork, "2026-11-19T12:00:00-05:00", false},
		{"US", newYork, "2026-07-04T12:00:00-04:00", true}, // a Saturday …
		{"US", newYork, "2026-07-03T12:00:00-04:00", true}, // … observed on the Friday
		{"US", newYork, "2021-12-31T12:00:00-05:00", true}, // next year's first day, observed in this one
		{"US", newYork, "2026-11-26T04:30:00Z", false},     // still the evening before there
		{"DE", berlin, "2026-04-03T10:00:00+02:00", true},  // Good Friday
		{"DE", berlin, "2026-10-03T00:00:00+02:00", true},
		{"DE", berlin, "2026-11-26T12:00:00+01:00", false},
		{"", berlin, "2026-12-25T12:00:00+01:00", false},
	} {
		c, err := calendar.New(tt.zone, tt.country, "")
		if err != nil {
			t.Fatal(err)
		}
		at, err := time.Parse(time.RFC3339, tt.at)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Holiday(at); got != tt.want {
			t.Errorf("%q: Holiday(%s) = %v; want %v", tt.country, tt.at, got, tt.want)
		}
	}
}

func TestParseEvents(t *testing.T) {
	berlin := zone(t, "Europe/Berlin")
	got, err := calendar.ParseEvents("2026-11-27T08:00/2026-11-27T23:00 x2.5; 2026-12-24/2026-12-26 x0.4;"+
		"2026-03-29T00:00/2026-03-29T06:00[America/New_York] ignore ;", berlin)
	if err != nil {
		t.Fatal(err)
	}
	utc := func(text string) time.Time {
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	want := []calendar.Event{
		{Start: utc("2026-11-27T07:00:00Z"), End: utc("2026-11-27T22:00:00Z"), Factor: 2.5},
		{Start: utc("2026-12-23T23:00:00Z"), End: utc("2026-12-26T23:00:00Z"), Factor: 0.4}, // the last day is whole
		{Start: utc("2026-03-29T04:00:00Z"), End: utc("2026-03-29T10:00:00Z")},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestBadCalendarsAreToldInFull(t *testing.T) {
	_, err := calendar.New(nil, "XX", "tomorrow x2; 2026-01-02/2026-01-01 x2; 2026-01-01/2026-01-02 x0; 2026-01-01/2026-01-02 xNaN; "+
		"2026-01-01/2026-01-02; 2026-01-01T00:00/2026-01-02[Mars/Olympus] x2; 2026-01-01/2026-01-02[UTC x2")
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{`country "XX"`, "US", `"tomorrow x2"`, "must end after it starts", `"x0"`, `"xNaN"`, "START/END xFACTOR", "Mars/Olympus", "bracket"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error lacks %q:\n%v", want, err)
		}
	}
}

// week is a load by the hour: busy by day, and half of it on Sundays.
func week(at time.Time) float64 {
	v := 100.0
	if h := at.Hour(); h >= 8 && h < 20 {
		v = 400
	}
	if at.Weekday() == time.Sunday {
		v /= 2
	}
	return v
}

func hourly(from time.Time, days, horizon int, load func(time.Time) float64) features.Frame {
	f := features.Frame{Start: from, Step: time.Hour, Horizon: horizon, Calendar: features.Calendar{Location: time.UTC}}
	for i := range days * 24 {
		f.Observed = append(f.Observed, load(from.Add(time.Duration(i)*time.Hour)))
	}
	return f
}

func forecast(t *testing.T, c calendar.Calendar, f features.Frame) []float64 {
	t.Helper()
	m := calendar.Adjust(models.NewSeasonalNaive(models.Options{Levels: []float64{0.5, 0.9}}), c)
	if err := m.Train(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	got, err := m.Predict(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	return got.Values
}

// A holiday on a weekday is forecast as a Sunday, from the midnight before and
// from within, and the day after is ordinary again.
func TestHolidayIsASunday(t *testing.T) {
	c, err := calendar.New(time.UTC, "US", "")
	if err != nil {
		t.Fatal(err)
	}
	thanksgiving := time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC)
	load := func(at time.Time) float64 {
		if at.YearDay() == thanksgiving.YearDay() || at.Equal(time.Date(2026, 11, 11, at.Hour(), 0, 0, 0, time.UTC)) { // Veterans Day, too
			return week(at.AddDate(0, 0, (7-int(at.Weekday()))%7))
		}
		return week(at)
	}
	for _, origin := range []time.Time{thanksgiving, thanksgiving.Add(10 * time.Hour), thanksgiving.Add(24 * time.Hour)} {
		f := hourly(origin.AddDate(0, 0, -21), 21, 12, load)
		for h, got := range forecast(t, c, f) {
			at := origin.Add(time.Duration(h) * time.Hour)
			if want := load(at); math.Abs(got-want) > 1e-6*want {
				t.Errorf("from %s, %s: %v; want %v", origin.Format(time.DateTime), at.Format(time.DateTime), got, want)
			}
		}
	}
}

// An event's factor is met before it begins, is not taken for the new level
// within it, and leaves no trace after it.
func TestEvent(t *testing.T) {
	sale := time.Date(2026, 11, 17, 9, 0, 0, 0, time.UTC)
	c, err := calendar.New(time.UTC, "", "2026-11-17T09:00/2026-11-17T17:00 x3")
	if err != nil {
		t.Fatal(err)
	}
	load := func(at time.Time) float64 {
		if !at.Before(sale) && at.Before(sale.Add(8*time.Hour)) {
			return 3 * week(at)
		}
		return week(at)
	}
	for _, origin := range []time.Time{sale.Add(-4 * time.Hour), sale.Add(3 * time.Hour), sale.Add(22 * time.Hour)} {
		f := hourly(origin.AddDate(0, 0, -15), 15, 12, load)
		for h, got := range forecast(t, c, f) {
			at := origin.Add(time.Duration(h) * time.Hour)
			if want := load(at); math.Abs(got-want) > 1e-6*want {
				t.Errorf("from %s, %s: %v; want %v", origin.Format(time.DateTime), at.Format(time.DateTime), got, want)
			}
		}
	}
}

// A stretch to ignore is as if it had not been observed.
func TestIgnore(t *testing.T) {
	c, err := calendar.New(time.UTC, "", "2026-11-16T00:00/2026-11-16T12:00 ignore")
	if err != nil {
		t.Fatal(err)
	}
	from := time.Date(2026, 11, 3, 0, 0, 0, 0, time.UTC)
	spoiled := hourly(from, 14, 12, func(at time.Time) float64 {
		if at.Day() == 16 && at.Hour() < 12 {
			return 1e6
		}
		return week(at)
	})
	before := append([]float64(nil), spoiled.Observed...)
	gap := hourly(from, 14, 12, func(at time.Time) float64 {
		if at.Day() == 16 && at.Hour() < 12 {
			return math.NaN()
		}
		return week(at)
	})
	if diff := cmp.Diff(forecast(t, calendar.Calendar{}, gap), forecast(t, c, spoiled)); diff != "" {
		t.Errorf("a stretch to ignore is not a gap: -gap +ignored\n%s", diff)
	}
	if diff := cmp.Diff(before, spoiled.Observed); diff != "" {
		t.Errorf("the frame was changed:\n%s", diff)
	}
}

func TestConformance(t *testing.T) {
	c, err := calendar.New(time.UTC, "US", "2026-01-01/2026-12-31 x2")
	if err != nil {
		t.Fatal(err)
	}
	modeltest.Run(t, func(o models.Options) models.Model { return calendar.Adjust(models.NewBaseline(o), c) })
}

func TestAnEmptyCalendarIsNoModel(t *testing.T) {
	inner := models.NewNaive(models.Options{})
	if got := calendar.Adjust(inner, calendar.Calendar{}); got != models.Model(inner) {
		t.Errorf("Adjust with nothing known = %T; want the model itself", got)
	}
}

// A model that answers with the wrong length is an error, not a panic.
type short struct{ models.Model }

func (short) Predict(context.Context, features.Frame) (models.Forecast, error) {
	return models.Forecast{Values: []float64{1}}, nil
}

func TestWrongLength(t *testing.T) {
	c, err := calendar.New(time.UTC, "", "2026-11-01/2026-11-30 x2")
	if err != nil {
		t.Fatal(err)
	}
	m := calendar.Adjust(short{models.NewNaive(models.Options{})}, c)
	if _, err := m.Predict(t.Context(), hourly(time.Date(2026, 11, 3, 0, 0, 0, 0, time.UTC), 3, 12, week)); err == nil {
		t.Error("a forecast of 1 step for 12: no error")
	}
}
