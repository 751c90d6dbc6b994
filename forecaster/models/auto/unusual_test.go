package auto_test

import (
	"math"
	"slices"
	"testing"
	"time"
)

// A week ago the load was ten times as high for ten hours, once. When that hour
// of the week comes round again nothing of it is repeated.
func TestIncidentIsNotRepeated(t *testing.T) {
	const day, began, lasted = 288, 12 * 12, 10 * 12 // on Monday, from noon to ten
	at := func(i int) float64 {
		v := 100 * (1 + 0.1*math.Sin(2*math.Pi*float64(i)/day)) * (1 + 0.05*noise(i))
		if i >= began && i < began+lasted {
			v *= 10
		}
		return v
	}
	for hours := -2; hours <= 12; hours++ {
		n := 7*day + began + 12*hours
		from := max(0, n-8*day)
		f := frame(n-from, 5*time.Minute, 12, func(i int) float64 { return at(from + i) })
		f.Start = f.Start.Add(time.Duration(from) * f.Step)
		got, missed := forecast(t, f), 0.0
		for h, v := range got.Values {
			missed += math.Abs(v-at(n+h)) / at(n+h) / 12
		}
		if missed > 0.06 {
			t.Errorf("%d hours after it began a week ago, the forecasts are off by %.1f %%; want no more than chance, 6 %%", hours, 100*missed)
		}
	}
}

// Saturdays and Sundays with several times the load, seen from Friday's last
// hours: two days in seven are no oddity, however far from the others.
func TestBusyWeekendIsKept(t *testing.T) {
	const end = 4*7*24 - 2*24 - 3
	at := func(i int) float64 {
		base := 1000 + 500*math.Sin(2*math.Pi*float64(i%24)/24)
		if d := i / 24 % 7; d >= 5 {
			base *= 5
		}
		return base * (1 + 0.02*noise(i))
	}
	got := forecast(t, frame(end, time.Hour, 24, at))
	for _, h := range []int{6, 12, 20} {
		if v, want := got.Values[h], at(end+h); math.Abs(v-want) > 0.2*want {
			t.Errorf("%d hours ahead, on Saturday: %.0f; want %.0f", h+1, v, want)
		}
	}
}

// Jobs start at two minutes past, in one hour of four, and last five minutes.
// Nobody can say in which hour, but at which minute.
func TestBurstsHaveTheirMinute(t *testing.T) {
	at := func(i int) float64 {
		v := 100 + 5*noise(i)
		if m := i % 60; m >= 2 && m < 7 && noise(7*(i/60)) > 0.5 {
			v += 300
		}
		return v
	}
	f := frame(4*1440, time.Minute, 60, at)
	got := forecast(t, f).Quantiles[slices.Index(levels, 0.95)].Values
	if burst, calm := got[4]-100, slices.Max(got[15:55])-100; burst < 4*calm {
		t.Errorf("95 %% of the load is at most %.0f above the usual at four past and %.0f from a quarter past on; want several times as much", burst, calm)
	}
	if median := forecast(t, f).Values[4]; median > 150 {
		t.Errorf("at four past the median is %.0f; want 100: there is no job in three hours of four", median)
	}
}
