package auto

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/kedastral/kedastral/forecaster/features"
	"github.com/kedastral/kedastral/forecaster/models/internal/order"
)

// Inside, because the pieces are what the package doc gives formulas for, and
// only the ensemble is exported.

var (
	nan    = math.NaN()
	monday = time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
)

func equal(t *testing.T, what string, got, want any, tolerance float64) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateApprox(0, tolerance), cmpopts.EquateNaNs()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// laid is a workspace with a history of the given step laid out, unscaled.
func laid(t *testing.T, step time.Duration, values ...float64) *workspace {
	t.Helper()
	w := new(workspace)
	f := features.Frame{Start: monday, Step: step, Observed: values, Horizon: 1}
	if err := w.lay(f, scaling{unit: 1, signed: true}); err != nil {
		t.Fatal(err)
	}
	return w
}

func repeat(n int, at func(i int) float64) []float64 {
	v := make([]float64, n)
	for i := range v {
		v[i] = at(i)
	}
	return v
}

func TestScaling(t *testing.T) {
	s := new(workspace).measure([]float64{1, nan, 3, math.Inf(1), 0, 4})
	if s.unit != 2 || s.signed {
		t.Errorf("measure: %+v; want the mean of what was observed, 2, unsigned", s)
	}
	if z := s.in(8); z != 2 || s.out(z) != 8 {
		t.Errorf("in(8) = %v and back %v; want 2 and 8", z, s.out(z))
	}
	if got := s.out(-1); got != 0 {
		t.Errorf("out(-1) = %v; want 0: no demand is negative", got)
	}
	if s := new(workspace).measure([]float64{-4, 4}); s.out(s.in(-2)) != -2 {
		t.Error("a metric that goes below zero does not keep its sign")
	}
	if s := new(workspace).measure([]float64{math.MaxFloat64, math.MaxFloat64}); math.IsInf(s.unit, 0) || math.IsInf(s.out(10), 0) {
		t.Errorf("the largest numbers overflow: %+v, %v", s, s.out(10))
	}
}

func TestFillJoinsHoles(t *testing.T) {
	// Two steps are bridged by a line; a hole at the start takes the first value.
	w := laid(t, time.Hour, nan, 1, nan, nan, 4, 5)
	equal(t, "short holes", w.grid.z, []float64{1, 1, 2, 3, 4, 5}, 1e-12)
	// A long hole has yesterday's shape, joined to both ends: a day of 0…23, then
	// 10 higher, with hours 6 to 11 missing.
	day := repeat(48, func(i int) float64 {
		if i >= 30 && i < 36 {
			return nan
		}
		return float64(i%24*(i%24)) + float64(i/24*10)
	})
	w = laid(t, time.Hour, day...)
	equal(t, "long hole", w.grid.z[30:36], []float64{46, 59, 74, 91, 110, 131}, 1e-9)
	if slices.Contains(w.grid.ok[30:36], true) {
		t.Error("what was filled passes for observed")
	}
}

func TestAgoAcrossAClockChange(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip("no zone data:", err)
	}
	// Clocks went forward at 01:00 UTC on 29 March 2026.
	f := features.Frame{
		Start: time.Date(2026, 3, 28, 0, 0, 0, 0, time.UTC), Step: time.Hour, Horizon: 1,
		Observed: repeat(60, func(int) float64 { return 1 }), Calendar: features.Calendar{Location: berlin},
	}
	w := new(workspace)
	if err := w.lay(f, scaling{unit: 1}); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ at, want int }{{20, -4}, {30, 7}, {50, 26}} {
		if got := w.grid.ago(tt.at, 1); got != tt.want {
			t.Errorf("ago(%d, 1) = %d; want %d", tt.at, got, tt.want)
		}
	}
	equal(t, "local hours around the change", w.grid.slot[23:27], []int32{0, 1, 3, 4}, 0)
}

// A season on a trend with one wild day: the season comes out centred, without
// the trend and without the day.
func TestSeasonIsRobust(t *testing.T) {
	shape := []float64{0, 3, -1, -2}
	v := repeat(4*9+2, func(i int) float64 {
		if i/4 == 4 {
			return 500
		}
		return shape[i%4] + 0.5*float64(i)
	})
	w := laid(t, 6*time.Hour, v...)
	w.detrend()
	got := make([]float64, 4)
	w.season(got, len(v))
	equal(t, "season", got, shape, 0.1)
}

// A season as of a step does not know what comes after it.
func TestSeasonIsCausal(t *testing.T) {
	v := repeat(4*12, func(i int) float64 { return float64(i % 4) })
	w := laid(t, 6*time.Hour, v...)
	w.detrend()
	before, after := make([]float64, 4), make([]float64, 4)
	w.season(before, 24)
	for i := 24; i < len(v); i++ {
		v[i] = 1000 * float64(i%3)
	}
	w = laid(t, 6*time.Hour, v...)
	w.detrend()
	w.season(after, 24)
	equal(t, "season as of step 24 under another future", after, before, 0)
}

func TestSlotsNeverSeenAreBridged(t *testing.T) {
	s := []float64{nan, 1, nan, nan, 4, nan}
	bridgeSlots(s)
	equal(t, "bridged around the day", s, []float64{2, 1, 2, 3, 4, 3}, 1e-12)
}

func TestPeriod(t *testing.T) {
	for _, tt := range []struct {
		name string
		want int
		at   func(i int, noise float64) float64
	}{
		{"a job every 90 steps", 90, func(i int, noise float64) float64 {
			if i%90 < 5 {
				return 10 + noise
			}
			return noise
		}},
		{"noise", 0, func(_ int, noise float64) float64 { return noise }},
		{"a trend", 0, func(i int, noise float64) float64 { return float64(i) + noise }},
	} {
		random := rand.New(rand.NewPCG(1, 2))
		v := repeat(900, func(i int) float64 { return tt.at(i, random.Float64()) })
		if got := laid(t, time.Minute, v...).period(false); got != tt.want {
			t.Errorf("%s: period %d; want %d", tt.name, got, tt.want)
		}
	}
}

// The autocorrelation is the sum of products at every lag, however found.
func TestCorrelate(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	for _, size := range []int{4, 8, 64, 1024} {
		n := size * 3 / 5
		v := make([]float64, size)
		for i := range n {
			v[i] = random.NormFloat64()
		}
		want := make([]float64, size-n+1)
		for lag := range want {
			for i := range n - lag {
				want[lag] += v[i] * v[i+lag]
			}
		}
		new(correlator).correlate(v)
		unit := v[0] / want[0]
		for lag := range want {
			want[lag] *= unit
		}
		equal(t, "autocorrelation", v[:len(want)], want, 1e-9*v[0])
	}
}

// Where truth is a combination of features plus rare wild misses, the
// regression finds the combination.
func TestRidgeIsRobust(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	var r ridge
	r.reset(1, 3)
	for i := range 4000 {
		f := []float64{random.NormFloat64(), random.NormFloat64(), random.NormFloat64()}
		y := 2*f[0] - f[1]
		if i%50 == 49 {
			y += 100
		}
		r.learn(0, f, y)
		if i%100 == 99 {
			r.solve(0)
		}
	}
	equal(t, "coefficients", r.beta, []float64{2, -1, 0}, 0.25)
	r.reset(1, 2)
	r.solve(0)
	equal(t, "coefficients of nothing", r.beta, []float64{0, 0}, 0)
}

func TestWeights(t *testing.T) {
	var c combiner
	c.reset(2, 3, nil)
	equal(t, "before anything is known", c.weigh(0), []float64{1. / 3, 1. / 3, 1. / 3}, 1e-12)
	for range 20 {
		c.learn(0, []float32{1, 0.95, 2}, 1)
		c.learn(1, []float32{1, 0.95, 2}, 1)
	}
	w := c.weigh(0)
	if want := math.Pow(0.95, 24); math.Abs(w[0]/w[1]-want) > 1e-6 || w[2] != 0 {
		t.Errorf("weights %v; want a ratio of 0.95²⁴ = %.3f, and none for half the skill", w, want)
	}
	c.reset(1, 2, []float64{1, 2})
	c.learn(0, []float32{1, 0.9}, 1)
	if w := c.weigh(0); w[0] < w[1] {
		t.Errorf("one origin outweighs what experts are worth in general: %v", w)
	}
	c.reset(1, 2, nil)
	c.learn(0, []float32{0, 0}, 1)
	equal(t, "experts without fault", c.weigh(0), []float64{0.5, 0.5}, 0)
}

func TestConformal(t *testing.T) {
	misses := []order.Weighted{{Value: 4, Weight: 1}, {Value: 1, Weight: 1}, {Value: 3, Weight: 1}, {Value: 2, Weight: 1}}
	law := make([]float64, 3)
	conformal(law, misses, []float64{0.25, 0.5, 0.95})
	equal(t, "even weights", law, []float64{1, 2, 4}, 0)
	conformal(law, []order.Weighted{{Value: 1, Weight: 8}, {Value: 9, Weight: 1}, {Value: 5, Weight: 1}}, []float64{0.5, 0.85, 0.95})
	equal(t, "weighted", law, []float64{1, 5, 9}, 0)
	conformal(law, nil, []float64{0.25, 0.5, 0.95})
	equal(t, "no misses", law, []float64{0, 0, 0}, 0)
}

// Student's 95 % quantile with two degrees is 2.920, the normal one 1.645
// (Fisher and Yates, Statistical Tables, III).
func TestWiden(t *testing.T) {
	law := []float64{0, 1}
	widen(law, []float64{0.5, 0.95}, 2)
	equal(t, "law on two misses", law, []float64{0, 2.920 / 1.645}, 1e-3)
	widen(law, []float64{0.5, 0.95}, 1000)
	equal(t, "law on many", law, []float64{0, 2.920 / 1.645}, 1e-3)
}

func TestQuantileOfAMixture(t *testing.T) {
	levels, law := []float64{0.5, 0.9}, []float64{10, 20}
	for _, tt := range []struct{ level, gone, want float64 }{
		{0.5, 0, 10},
		{0.7, 0, 15},
		{0.99, 0, 20},
		{0.1, 0, 10},
		{0.5, 0.6, 0},
		{0.8, 0.6, 10},
		{0.5, 0.5, 0},
	} {
		if got := quantile(levels, law, tt.level, tt.gone); math.Abs(got-tt.want) > 1e-9 {
			t.Errorf("quantile(%v, gone %v) = %v; want %v", tt.level, tt.gone, got, tt.want)
		}
	}
}

func TestLosses(t *testing.T) {
	steady := func(i int) float64 { return 1000 + float64(i%3) }
	for _, tt := range []struct {
		name string
		want bool // step 700 of 864, five-minute steps, is a loss
		at   func(i int) float64
	}{
		{"a sudden zero", true, func(i int) float64 { return when(i == 700, 0, steady(i)) }},
		{"zeros at that time of every day", false, func(i int) float64 { return when(i%288 == 700%288, 0, steady(i)) }},
		{"zeros are common", false, func(i int) float64 { return when(i%7 == 0, 0, steady(i)) }},
		{"near zero anyway", false, func(i int) float64 { return when(i == 700, 0, float64(1+i*7%5)) }},
		{"switched off", false, func(i int) float64 { return when(i >= 500, 0, steady(i)) }},
	} {
		v := repeat(864, tt.at)
		w := new(workspace)
		if err := w.lay(features.Frame{Start: monday, Step: 5 * time.Minute, Observed: v, Horizon: 1}, w.measure(v)); err != nil {
			t.Fatal(err)
		}
		if lost := w.grid.n <= 700 || !w.grid.ok[700]; lost != tt.want {
			t.Errorf("%s: lost %v; want %v", tt.name, lost, tt.want)
		}
	}
}

func TestSpikes(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	calm := repeat(864, func(int) float64 { return 100 + 5*random.Float64() })
	for _, tt := range []struct {
		name string
		want bool // step 700 is set aside
		at   func(i int) float64
	}{
		{"a lone spike", true, func(i int) float64 { return when(i == 700, 900, calm[i]) }},
		{"a lone dip", true, func(i int) float64 { return when(i == 700, 10, calm[i]) }},
		{"a spike at that time of every day", false, func(i int) float64 { return when(i%288 == 700%288, 900, calm[i]) }},
		{"a new level", false, func(i int) float64 { return when(i >= 700, 900, calm[i]) }},
		{"one of many bursts", false, func(i int) float64 { return when(i%35 == 0, 900, calm[i]) }},
		{"noise", false, func(i int) float64 { return calm[i] }},
	} {
		v := repeat(864, tt.at)
		w := new(workspace)
		if err := w.lay(features.Frame{Start: monday, Step: 5 * time.Minute, Observed: v, Horizon: 1}, new(workspace).measure(v)); err != nil {
			t.Fatal(err)
		}
		if w.grid.ok[700] == tt.want {
			t.Errorf("%s: set aside %v; want %v", tt.name, !w.grid.ok[700], tt.want)
		}
	}
}

func TestMiddleOfFive(t *testing.T) {
	random := rand.New(rand.NewPCG(9, 10))
	for range 2000 {
		v := repeat(5, func(int) float64 { return float64(random.IntN(6)) })
		got := middle5(v[0], v[1], v[2], v[3], v[4])
		if want := order.Median(slices.Clone(v)); got != want {
			t.Fatalf("middle5(%v) = %v; want %v", v, got, want)
		}
	}
}

func when(is bool, a, b float64) float64 {
	if is {
		return a
	}
	return b
}

func TestKnots(t *testing.T) {
	equal(t, "knotsOf(30)", knotsOf(30), []int{1, 2, 4, 8, 16, 30}, 0)
	equal(t, "knotsOf(1)", knotsOf(1), []int{1}, 0)
	for _, tt := range []struct {
		h, k int
		x    float64
	}{{1, 0, 0}, {6, 2, 0.5}, {30, 5, 0}, {90, 5, 0}} {
		if k, x := between(knotsOf(30), tt.h); k != tt.k || x != tt.x {
			t.Errorf("between(%d) = %d, %v; want %d, %v", tt.h, k, x, tt.k, tt.x)
		}
	}
}

// Exponential smoothing and damped trends against their formulas by hand:
// α = 1 − ½ at a half-life of one step.
func TestBank(t *testing.T) {
	var b bank
	b.reset(30*time.Minute, 3)
	equal(t, "rate at a half-life of a step", b.rate[min30], 0.5, 1e-12)
	equal(t, "damped sums of ½", b.reach[slopeReach], []float64{0, 0.5, 0.75, 0.875}, 1e-12)
	g := grid{z: []float64{4, 8, 1000, 6}, ok: []bool{true, true, false, true}}
	b.follow(&g, &curves{}, 0, 2, []int{flat})
	b.follow(&g, &curves{}, 2, 4, []int{flat})
	equal(t, "level after 4, 8, 6", b.state.level[flat][min30], 6., 1e-12)
	equal(t, "last value", b.state.level[flat][last], 6., 0)
}

// Where the level shifts by more than noise ever moves it, the slow levels are
// at the new one within half an hour; noise alone leaves them slow.
func TestBankFollowsAShift(t *testing.T) {
	random := rand.New(rand.NewPCG(11, 12))
	for _, tt := range []struct {
		shift, least, most float64 // of the two-hour level after it
	}{{10, 18, 22}, {0, 9.5, 10.5}} {
		var b bank
		b.reset(5*time.Minute, 1)
		g := grid{z: repeat(400, func(i int) float64 { return 10 + when(i >= 394, tt.shift, 0) + random.NormFloat64()/2 })}
		g.ok = make([]bool, len(g.z))
		for i := range g.ok {
			g.ok[i] = true
		}
		b.follow(&g, &curves{}, 0, len(g.z), []int{flat})
		if got := b.state.level[flat][hours2]; got < tt.least || got > tt.most {
			t.Errorf("half an hour after a shift by %v from 10 the slow level is %v; want %v to %v", tt.shift, got, tt.least, tt.most)
		}
	}
}

// Beside a season a shift is a step, not a slope: twenty minutes after it every level is the
// mean of what came since, and no trend has been read into it.
func TestBankStartsAnewAtAShift(t *testing.T) {
	random := rand.New(rand.NewPCG(13, 14))
	var b bank
	b.reset(time.Minute, 60)
	g := grid{z: repeat(620, func(i int) float64 { return 10 + when(i >= 600, 10, 0) + random.NormFloat64()/4 })}
	g.ok = make([]bool, len(g.z))
	for i := range g.ok {
		g.ok[i] = true
	}
	var season curves
	season.at[daily] = make([]float64, len(g.z))
	b.follow(&g, &season, 0, 610, []int{daily})
	b.follow(&g, &season, 610, len(g.z), []int{daily})
	for _, rate := range []int{min9, min30, hours2, hours8} {
		equal(t, "level twenty minutes after a shift to 20", b.state.level[daily][rate], 20., 0.5)
	}
	for i := range followed[daily].trends {
		ahead := b.state.base[daily][i] + b.state.slope[daily][i]*b.reach[i][60]
		equal(t, "trend an hour ahead", ahead, 20., 1.)
	}
	b.follow(&g, &season, len(g.z), len(g.z), []int{daily}) // nothing new, as in a refresh within the step
	equal(t, "level after nothing", b.state.level[daily][min30], 20., 0.5)
}

// The first season is one day's values as they are, the oldest day's: beside the
// newest day's the level would vanish, for they contain it.
func TestFirstSeasonIsTheOldestDay(t *testing.T) {
	w := laid(t, 6*time.Hour, 1, 2, 3, 2, 11, 12, 13)
	w.detrend()
	s := make([]float64, 4)
	w.season(s, 7)
	equal(t, "season of a day and three quarters", s, []float64{-1, 0, 1, 0}, 1e-12)
}

func TestMirrored(t *testing.T) {
	sizes := accumulate([]order.Weighted{{Value: 4, Weight: 1}, {Value: 1, Weight: 1}, {Value: 3, Weight: 1}, {Value: 2, Weight: 1}})
	for _, tt := range []struct{ level, want float64 }{
		{0.5, 0}, {0.6, 1}, {0.625, 1}, {0.65, 2}, {0.95, 4}, {0.4, -1}, {0.05, -4},
	} {
		if got := mirrored(sizes, tt.level); got != tt.want {
			t.Errorf("mirrored(1 2 3 4, %v) = %v; want %v", tt.level, got, tt.want)
		}
	}
	if got := mirrored(nil, 0.9); got != 0 {
		t.Errorf("mirrored(none, 0.9) = %v; want 0", got)
	}
}

// A mixture against its definition: the least value of either kind that enough
// of the mixture is at or below.
func TestMixed(t *testing.T) {
	random := rand.New(rand.NewPCG(15, 16))
	for range 200 {
		const ratio = 2.0
		own, sizes := make([]order.Weighted, random.IntN(6)), make([]order.Weighted, 1+random.IntN(6))
		for i := range own {
			own[i] = order.Weighted{Value: random.NormFloat64(), Weight: random.Float64()}
		}
		for i := range sizes {
			sizes[i] = order.Weighted{Value: random.ExpFloat64(), Weight: random.Float64()}
		}
		accumulate(own)
		accumulate(sizes)
		share := 0.05 + 0.9*random.Float64()
		if len(own) == 0 {
			share = 1
		}
		reached := func(x float64) float64 {
			sum, before := 0.0, 0.0
			for _, m := range own {
				if m.Value <= x {
					sum += (1 - share) * (m.Weight - before)
				}
				before = m.Weight
			}
			before = 0
			for _, m := range sizes {
				for _, side := range []float64{-1, 1} {
					if side*m.Value*ratio <= x {
						sum += share * (m.Weight - before) / 2
					}
				}
				before = m.Weight
			}
			return sum
		}
		levels := []float64{0.07, 0.31, 0.69, 0.93}
		law := make([]float64, len(levels))
		mixed(law, own, sizes, ratio, share, levels)
		for j, l := range levels {
			if at, under := reached(law[j]), reached(law[j]-1e-9); at < l-1e-9 || under > l+1e-9 {
				t.Fatalf("level %v is %v: %v of the mixture is at or below, %v below", l, law[j], at, under)
			}
		}
	}
}
