package prom_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/kedastral/kedastral/forecaster/adapters"
	"github.com/kedastral/kedastral/forecaster/adapters/adaptertest"
	"github.com/kedastral/kedastral/forecaster/adapters/prom"
	"github.com/kedastral/kedastral/forecaster/series"
)

var (
	_ adapters.Adapter = (*prom.Adapter)(nil)
	_ adapters.Warner  = (*prom.Adapter)(nil)
)

func TestConformance(t *testing.T) {
	adaptertest.Run(t, func(t *testing.T) adapters.Adapter {
		f := serve(t, answers(func(at time.Time) float64 {
			if at.Before(adaptertest.First) {
				return math.NaN()
			}
			return adaptertest.Load(at)
		}, adaptertest.Hole))
		q := query()
		q.Now = func() time.Time { return adaptertest.Now }
		return open(t, options(f.URL), q)
	})
}

func collect(t testing.TB, a *prom.Adapter, seconds int) series.DataFrame {
	t.Helper()
	frame, err := a.Collect(t.Context(), seconds)
	if err != nil {
		t.Fatal(err)
	}
	return frame
}

func TestQuestion(t *testing.T) {
	f := serve(t, answers(load))
	o := options(f.URL + "/tenants/7/prometheus/?dedup=true")
	o.Headers = map[string]string{"x-scope-orgid": "team-a"}
	frame := collect(t, open(t, o, query()), 300)
	q := f.questions()[0]
	if q.path != "/tenants/7/prometheus/api/v1/query_range" || q.method != http.MethodPost {
		t.Errorf("asked %s %s", q.method, q.path)
	}
	for name, want := range map[string]string{
		"query": promQL, "step": "60", "timeout": "10s", "dedup": "true", "partial_response": "false", "deny_partial_response": "1",
	} {
		if got := q.form.Get(name); got != want {
			t.Errorf("%s=%q; want %q", name, got, want)
		}
	}
	if got := q.header.Get("X-Scope-OrgID"); got != "team-a" {
		t.Errorf("X-Scope-OrgID: %q", got)
	}
	// The value evaluated at the end of a step is the step's.
	if !q.start.Equal(frame.Start.Add(time.Minute)) || !q.end.Equal(end) || !frame.End().Equal(end) {
		t.Errorf("asked for %v to %v for a frame from %v to %v", q.start, q.end, frame.Start, frame.End())
	}
}

func TestAStepCountsOnceItSettled(t *testing.T) {
	f := serve(t, answers(load))
	for _, tt := range []struct {
		past, settle time.Duration
		last         time.Duration // the start of the last step, after 12:00
	}{
		{0, 0, -time.Minute},
		{0, time.Second, -2 * time.Minute},
		{14 * time.Second, 15 * time.Second, -2 * time.Minute},
		{15 * time.Second, 15 * time.Second, -time.Minute},
		{59 * time.Second, 2 * time.Minute, -3 * time.Minute},
	} {
		noon := end.Truncate(time.Hour)
		q := query()
		q.Settle, q.Now = tt.settle, func() time.Time { return noon.Add(tt.past) }
		frame := collect(t, open(t, options(f.URL), q), 600)
		if got := frame.End().Add(-time.Minute); !got.Equal(noon.Add(tt.last)) || frame.LastObserved() != 9 {
			t.Errorf("%v past noon, settled after %v: the last step is %v", tt.past, tt.settle, got)
		}
	}
}

func TestLongWindowsAreReadInParts(t *testing.T) {
	f := serve(t, answers(load))
	const steps = 14*1440 + 7
	frame := collect(t, open(t, options(f.URL), query()), steps*60)
	asked := f.questions()
	if len(asked) != 2 {
		t.Fatalf("asked %d times; want twice for %d steps", len(asked), steps)
	}
	for _, q := range asked {
		if q.points() > 11_000 {
			t.Errorf("asked for %d points at once", q.points())
		}
	}
	if !asked[1].start.Equal(asked[0].end.Add(time.Minute)) {
		t.Errorf("the parts end at %v and go on at %v", asked[0].end, asked[1].start)
	}
	for i, v := range frame.Values {
		if at := frame.Start.Add(time.Duration(i) * time.Minute); v != load(at) {
			t.Fatalf("%v at %v; want %v", v, at, load(at))
		}
	}
}

func TestPartsOfDifferentSeries(t *testing.T) {
	f := serve(t, func(i int, q question, w http.ResponseWriter) {
		fmt.Fprint(w, matrix(streamOf(fmt.Sprintf(`{"pod":"p%d"}`, i), point(q.end, 1))))
	})
	_, err := open(t, options(f.URL), query()).Collect(t.Context(), 14*86_400)
	if adapters.Reason(err) != adapters.ReasonManySeries {
		t.Errorf("Collect = %v; want it to say that these are many series", err)
	}
}

// moving is an adapter whose clock the test turns.
func moving(t testing.TB, f *fake) (*prom.Adapter, *time.Time) {
	at, q := now, query()
	q.Now = func() time.Time { return at }
	return open(t, options(f.URL), q), &at
}

func TestOnlyNewStepsAreRead(t *testing.T) {
	f := serve(t, answers(load))
	a, clock := moving(t, f)
	const day = 1440
	for _, tt := range []struct {
		forward time.Duration
		window  int // steps
		points  int // asked for
	}{
		{0, day, day},
		{0, day, 10},
		{time.Minute, day, 11},
		{time.Hour, day, 70},
		{-time.Minute, day, day}, // the clock was set back
		{time.Minute, day / 2, day / 2},
		{time.Minute, day, day},
		{48 * time.Hour, day, day},
	} {
		*clock = clock.Add(tt.forward)
		before := len(f.questions())
		frame := collect(t, a, tt.window*60)
		asked := f.questions()[before:]
		if len(asked) != 1 || asked[0].points() != tt.points {
			t.Errorf("%v later, for %d steps: asked %d times, for %d points; want %d", tt.forward, tt.window, len(asked), asked[0].points(), tt.points)
		}
		fresh := open(t, options(f.URL), func() prom.Query { q := query(); q.Now = func() time.Time { return *clock }; return q }())
		if diff := cmp.Diff(collect(t, fresh, tt.window*60), frame); diff != "" {
			t.Errorf("%v later, it differs from what a new adapter reads: %s", tt.forward, diff)
		}
	}
}

func TestWhatTheSourceCaughtUpOnIsRead(t *testing.T) {
	outage := true
	began := end.Add(-30 * time.Minute)
	f := serve(t, func(i int, q question, w http.ResponseWriter) {
		answers(func(at time.Time) float64 {
			if outage && !at.Before(began) {
				return math.NaN()
			}
			return load(at)
		})(i, q, w)
	})
	a, _ := moving(t, f)
	if frame := collect(t, a, 7200); frame.LastObserved() != 89 {
		t.Fatalf("in the outage the newest step is %d; want 89", frame.LastObserved())
	}
	outage = false
	if frame := collect(t, a, 7200); frame.Missing() != 0 {
		t.Errorf("after the outage %v of the window is missing", frame.Missing())
	}
}

func TestAFailedReadForgetsNothing(t *testing.T) {
	broken := false
	f := serve(t, func(i int, q question, w http.ResponseWriter) {
		if broken {
			w.WriteHeader(500)
			return
		}
		answers(load)(i, q, w)
	})
	a, clock := moving(t, f)
	collect(t, a, 86_400)
	broken = true
	*clock = clock.Add(time.Minute)
	if _, err := a.Collect(t.Context(), 86_400); err == nil {
		t.Fatal("the failure was not told")
	}
	broken = false
	collect(t, a, 86_400)
	if last := f.questions(); last[len(last)-1].points() != 11 {
		t.Errorf("after a failure %d points were read; want the 11 that are new", last[len(last)-1].points())
	}
}

func TestAnotherSeriesIsReadFromTheStart(t *testing.T) {
	pod := "a"
	f := serve(t, func(_ int, q question, w http.ResponseWriter) {
		fmt.Fprint(w, matrix(streamOf(`{"pod":"`+pod+`"}`, point(q.start, 1), point(q.end, 2))))
	})
	a, clock := moving(t, f)
	collect(t, a, 3600)
	pod = "b"
	*clock = clock.Add(time.Minute)
	collect(t, a, 3600)
	if asked := f.questions(); len(asked) != 3 || asked[2].points() != 60 {
		t.Errorf("asked %d times, last for %d points; want the whole window the third time", len(asked), asked[len(asked)-1].points())
	}
}

func TestAggregate(t *testing.T) {
	f := serve(t, answers(load))
	q := query()
	q.Aggregate = "sum"
	q.PromQL += " # all of them"
	collect(t, open(t, options(f.URL), q), 600)
	if got, want := f.questions()[0].form.Get("query"), "sum(\n"+q.PromQL+"\n)"; got != want {
		t.Errorf("asked for %q; want %q", got, want)
	}
	f = serve(t, says(400, `{"status":"error","errorType":"bad_data","error":"2:7: parse error in secretmetric"}`))
	_, err := open(t, options(f.URL), q).Collect(t.Context(), 600)
	if err == nil || !strings.Contains(err.Error(), "at line 1, column 7") {
		t.Errorf("Collect = %v; want the line of the query as it was given", err)
	}
}

func TestNotNumbersAreMissing(t *testing.T) {
	f := serve(t, func(_ int, q question, w http.ResponseWriter) {
		at := func(i int) int64 { return q.start.Add(time.Duration(i) * q.step).Unix() }
		fmt.Fprint(w, matrix(fmt.Sprintf(
			`{"metric":{},"values":[[%d,"NaN"],[%d,"+Inf"],[%d,"-Inf"],[%d,"0"],[%d,"1e3"]]}`, at(0), at(1), at(2), at(3), at(4))))
	})
	got := collect(t, open(t, options(f.URL), query()), 360).Values
	nan := math.NaN()
	if diff := cmp.Diff([]float64{nan, nan, nan, 0, 1000, nan}, got, cmpopts.EquateNaNs()); diff != "" {
		t.Error(diff)
	}
}

// Whatever the order of points and however often each is told, the frame is
// the one of the points in order, told once; what is in the future is dropped.
func TestOrderDoesNotMatter(t *testing.T) {
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 1))
		f := serve(t, func(_ int, q question, w http.ResponseWriter) {
			var points []string
			add := func(at time.Time, v float64) { points = append(points, point(at, v)) }
			for at := q.start; !at.After(q.end); at = at.Add(q.step) {
				for range 1 + r.IntN(3) {
					add(at, load(at.Add(-q.step)))
				}
			}
			for range 10 {
				add(q.end.Add(time.Duration(1+r.IntN(1e6))*time.Second), -1)
				add(q.start.Add(-time.Duration(60+r.IntN(1e6))*time.Second), -1)
			}
			add(time.UnixMilli(9e15), -1)
			r.Shuffle(len(points), func(i, j int) { points[i], points[j] = points[j], points[i] })
			fmt.Fprint(w, matrix(streamOf(`{}`, points...)))
		})
		frame := collect(t, open(t, options(f.URL), query()), 3600)
		for i, v := range frame.Values {
			if at := frame.Start.Add(time.Duration(i) * time.Minute); v != load(at) {
				t.Fatalf("seed %d: %v at %v; want %v", seed, v, at, load(at))
			}
		}
	}
}

func TestTheLastOfEqualsWins(t *testing.T) {
	f := serve(t, says(200, matrix(streamOf(`{}`, point(end, 1), point(end.Add(-time.Minute), 5), point(end, 2)))))
	if got := collect(t, open(t, options(f.URL), query()), 120).Values; !cmp.Equal(got, []float64{5, 2}) {
		t.Errorf("%v; want [5 2]", got)
	}
}
