package main

import (
	"fmt"
	"math"
	"os"
	"time"
	_ "time/tzdata" // the replayed day is a day of the recorded place

	"github.com/kedastral/kedastral/forecaster/series"
)

// trace is the recorded load, a value a minute.
type trace struct{ minutes series.DataFrame }

func readTrace(path string) (trace, error) {
	f, err := os.Open(path)
	if err != nil {
		return trace{}, fmt.Errorf("reading the trace: %w", err)
	}
	defer f.Close()
	samples, err := series.ReadCSV(f)
	if err != nil {
		return trace{}, fmt.Errorf("reading the trace %s: %w", path, err)
	}
	if len(samples) == 0 {
		return trace{}, fmt.Errorf("reading the trace %s: it is empty", path)
	}
	minutes, err := series.Span(samples, time.Minute, samples[len(samples)-1].At.Add(time.Minute))
	if err != nil {
		return trace{}, fmt.Errorf("reading the trace %s: %w", path, err)
	}
	return trace{minutes}, nil
}

// lastDay is the local midnight that the trace's last whole day starts at.
func (t trace) lastDay() time.Time {
	place, err := time.LoadLocation(zone)
	if err != nil {
		place = time.UTC
	}
	end := t.minutes.End().In(place)
	return time.Date(end.Year(), end.Month(), end.Day(), 0, 0, 0, 0, place).AddDate(0, 0, -1)
}

// at is the load in the minute that holds an instant; NaN where none was recorded.
func (t trace) at(instant time.Time) float64 {
	i := int(instant.Sub(t.minutes.Start) / t.minutes.Step)
	if i < 0 || i >= t.minutes.Len() {
		return math.NaN()
	}
	return t.minutes.Values[i]
}

// measured is what a metrics pipeline knows at an instant: the last complete
// minute, seen fifteen seconds late.
func (t trace) measured(instant time.Time) float64 {
	return t.at(instant.Add(-15 * time.Second).Add(-time.Minute))
}
