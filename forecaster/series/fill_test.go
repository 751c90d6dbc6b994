package series_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/kedastral/kedastral/forecaster/series"
)

func TestFilledShort(t *testing.T) {
	d := minutes(0, nan, 2, nan, nan, 8, nan)
	equal(t, "Filled", d.Filled(), minutes(0, 2, 2, 4, 6, 8, 8))
	equal(t, "the original", d, minutes(0, nan, 2, nan, nan, 8, nan))
	equal(t, "nothing observed", minutes(0, nan, nan).Filled(), minutes(0, nan, nan))
}

// A four-hour hole in a daily wave takes the wave's shape, at the level of the
// day it is in.
func TestFilledLong(t *testing.T) {
	wave := func(i int) float64 {
		return 100 + 40*math.Sin(float64(i)*2*math.Pi/288) + 10*float64(i/288)
	}
	d := series.DataFrame{Start: at(0), Step: 5 * time.Minute, Values: make([]float64, 3*288)}
	for i := range d.Values {
		d.Values[i] = wave(i)
	}
	hole := func(from, to int) {
		for i := from; i < to; i++ {
			d.Values[i] = nan
		}
	}
	hole(288+60, 288+108) // four hours of the second day
	hole(3*288-30, 3*288) // an outage to now
	filled := d.Filled()
	for i, v := range filled.Values {
		if math.Abs(v-wave(i)) > 1e-6 {
			t.Fatalf("step %d filled with %v; want %v", i, v, wave(i))
		}
	}
}

// Whatever is missing, a filled copy keeps every observation, has no gap if
// anything was observed, and is not negative if nothing observed was.
func TestFilledKeepsWhatWasObserved(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 100 {
		d := series.DataFrame{Start: at(0), Step: 30 * time.Minute, Values: make([]float64, 1+rng.IntN(400))}
		for i := range d.Values {
			d.Values[i] = 10 * rng.Float64()
		}
		for range rng.IntN(6) {
			from := rng.IntN(len(d.Values))
			for i := from; i < min(len(d.Values), from+rng.IntN(60)); i++ {
				d.Values[i] = nan
			}
		}
		filled := d.Filled()
		for i, v := range d.Values {
			switch got := filled.Values[i]; {
			case series.Observed(v) && got != v:
				t.Fatalf("step %d: observed %v became %v", i, v, got)
			case d.Missing() < 1 && (!series.Observed(got) || got < 0):
				t.Fatalf("step %d filled with %v", i, got)
			}
		}
	}
}
