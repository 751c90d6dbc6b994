package history_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kedastral/kedastral/forecaster/history"
	"github.com/kedastral/kedastral/forecaster/series"
	"github.com/kedastral/kedastral/forecaster/storage"
	"github.com/kedastral/kedastral/forecaster/storage/storetest"
	"github.com/kedastral/kedastral/shared/forecast"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// snapshot forecasts an hour of minutes at the given load plus a hundredth of
// each minute ahead, and plans one replica a ten, plus the minutes ahead.
func snapshot(at time.Time, load float64) forecast.Snapshot {
	s := forecast.Snapshot{
		Workload: "shop/web", Metric: "requests", Model: "fake", Mode: forecast.Predictive,
		GeneratedAt: at, IntervalSeconds: 60, StepSeconds: 60, HorizonSeconds: 3600,
		Observed: &forecast.Observation{Value: load, At: at},
		Skill:    &forecast.Skill{Origins: 1, Coverage: []forecast.Coverage{{Level: 0.9, Measured: 0.8}, {Level: 0.95, Measured: 0.94}}},
	}
	var median, high []float64
	for i := range 60 {
		median = append(median, load+float64(i)/100)
		high = append(high, 2*load+float64(i)/100)
		s.DesiredReplicas = append(s.DesiredReplicas, int(load/10)+i)
	}
	s.Values = median
	s.Quantiles = []forecast.Quantile{{Level: 0.5, Values: median}, {Level: 0.95, Values: high}, {Level: 0.99, Values: high}}
	return s
}

// loads is a workload whose load at a minute is 100 plus the minute.
type loads struct{ until time.Time }

func (l loads) Observed(workload string) (series.DataFrame, error) {
	if workload != "shop/web" {
		return series.DataFrame{}, fmt.Errorf("%w: %s", forecast.ErrNotFound, workload)
	}
	frame := series.DataFrame{Start: l.until.Add(-time.Hour), Step: time.Minute}
	for i := range 60 {
		frame.Values = append(frame.Values, 100+float64(i))
	}
	frame.Values[30] = math.NaN()
	return frame, nil
}

func (loads) Need(_ string, load float64) (int, bool) {
	return int(math.Ceil(load / 10)), !math.IsNaN(load)
}

func TestStoreContractHoldsThroughTheRecorder(t *testing.T) {
	storetest.Run(t, func(*testing.T) storage.Store {
		return history.New(time.Hour, 2).Through(storage.NewMemory())
	})
}

func TestRecorderSeesOnlyWhatWasStored(t *testing.T) {
	r := history.New(time.Hour, 1)
	store := r.Through(storage.NewMemory())
	bad := snapshot(noon, 100)
	bad.Values = nil
	if err := store.Put(t.Context(), bad); err == nil {
		t.Fatal("Put of a snapshot without values = nil; want an error")
	}
	if n, ok := r.Newest("shop/web"); ok {
		t.Errorf("Newest = %+v; want nothing", n)
	}
}

// A forecast made earlier stands at the time it was made for, and the count
// asked for at the time it was asked for.
func TestReportLaysThePastOverOneAxis(t *testing.T) {
	r := history.New(24*time.Hour, 1)
	for i := range 60 {
		if i == 40 {
			continue // a tick that did not happen
		}
		r.Record(snapshot(noon.Add(time.Duration(i)*time.Minute), 100+float64(i)))
	}
	end := noon.Add(time.Hour)
	rep, err := report(r, end, "shop/web", history.Query{Now: end, Window: time.Hour, Points: 100})
	if err != nil {
		t.Fatal(err)
	}
	if !rep.Start.Equal(noon) || rep.StepSeconds != 60 || len(rep.Observed) != 60 || rep.Level != 0.95 || len(rep.Leads) != 3 {
		t.Fatalf("Report = start %v, step %d, %d points, level %v, %d leads; want noon, 60, 60, 0.95, 3", rep.Start, rep.StepSeconds, len(rep.Observed), rep.Level, len(rep.Leads))
	}
	five := rep.Leads[0]
	for _, tt := range []struct {
		what string
		got  float64
		want float64
	}{
		{"observed at 12:10", rep.Observed[10], 110},
		{"observed in the gap", rep.Observed[30], math.NaN()},
		{"needed at 12:11", rep.Needed[11], 12},
		{"needed in the gap", rep.Needed[30], math.NaN()},
		{"asked for at 12:10", rep.Replicas[10], 11},
		{"asked for in the missed tick", rep.Replicas[40], math.NaN()},
		{"forecast for 12:10, made 12:05", five.Median[10], float64(float32(105.05))},
		{"upper for 12:10, made 12:05", five.Upper[10], float64(float32(210.05))},
		{"forecast for 12:04, made before the start", five.Median[4], math.NaN()},
		{"forecast for 12:45, by the missed tick", five.Median[45], math.NaN()},
		{"asked for at 12:10 by five minutes of lead", five.Replicas[10], 11 + 4},
	} {
		if tt.got != tt.want && !(math.IsNaN(tt.got) && math.IsNaN(tt.want)) {
			t.Errorf("%s = %v; want %v", tt.what, tt.got, tt.want)
		}
	}
}

// report asks the recorder with loads up to an instant.
func report(r *history.Recorder, until time.Time, workload string, q history.Query) (history.Report, error) {
	return history.Reporter{Recorder: r, Loads: loads{until}}.Report(workload, q)
}

// A clock set back leaves a past that is still to come. What is recorded by the
// clock as it is now takes its place, as it does in the store.
func TestAClockSetBack(t *testing.T) {
	r := history.New(4*time.Hour, 1)
	store := r.Through(storage.NewMemory())
	put := func(at, received time.Time, load float64, mode forecast.Mode) {
		s := snapshot(at, load)
		s.Received, s.Mode = received, mode
		if err := store.Put(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	early, back := noon.Add(-90*time.Minute), noon.Add(-time.Hour)
	put(early, early, 300, forecast.Predictive)
	for i := range 60 {
		at := noon.Add(time.Duration(i) * time.Minute)
		put(at, at, 900, forecast.Reactive)
	}
	put(back, back, 100, forecast.Predictive)
	put(back.Add(-time.Minute), back, 500, forecast.Shadow) // an older one that comes late
	if n, _ := r.Newest("shop/web"); !n.GeneratedAt.Equal(back) {
		t.Errorf("the newest is of %v; want %v", n.GeneratedAt, back)
	}
	rep, err := report(r, back, "shop/web", history.Query{Now: back.Add(time.Minute), Window: 4 * time.Hour, Points: 241})
	if err != nil {
		t.Fatal(err)
	}
	for i, n := range rep.Replicas {
		want, at := math.NaN(), rep.Start.Add(time.Duration(i)*time.Minute)
		switch {
		case at.Equal(early):
			want = 30
		case at.Equal(back):
			want = 10
		}
		if n != want && !(math.IsNaN(n) && math.IsNaN(want)) {
			t.Errorf("asked for at %v: %v; want %v", at, n, want)
		}
	}
	if len(rep.Events) != 1 || rep.Events[0].Mode != forecast.Predictive {
		t.Errorf("events %+v; want the change to predictive alone", rep.Events)
	}
}

func TestReportKeepsPeaksWhenThinned(t *testing.T) {
	r := history.New(24*time.Hour, 1)
	rep, err := report(r, noon, "shop/web", history.Query{Now: noon, Window: time.Hour, Points: 13})
	if err != nil {
		t.Fatal(err)
	}
	want := history.Numbers{104, 109, 114, 119, 124, 129, 134, 139, 144, 149, 154, 159}
	if diff := cmp.Diff(want, rep.Observed); diff != "" || rep.StepSeconds != 300 {
		t.Errorf("step %d, want 300; observed (-want +got):\n%s", rep.StepSeconds, diff)
	}
}

// Nothing said is six hours, or as much as there may be.
func TestReportHasADefaultWindow(t *testing.T) {
	for keep, want := range map[time.Duration]time.Duration{24 * time.Hour: 6 * time.Hour, 3 * time.Hour: 3 * time.Hour, time.Minute: time.Hour, 0: 6 * time.Hour} {
		rep, err := report(history.New(keep, 1), noon, "shop/web", history.Query{Now: noon, Points: 1000})
		if got := noon.Sub(rep.Start); err != nil || got != want {
			t.Errorf("HISTORY=%v: a report of %v, %v; want %v", keep, got, err, want)
		}
	}
}

func TestReportRefuses(t *testing.T) {
	r := history.New(24*time.Hour, 1)
	for _, tt := range []struct {
		workload string
		query    history.Query
		want     string
	}{
		{"shop/other", history.Query{Window: time.Hour, Points: 10}, "not found"},
		{"shop/web", history.Query{Window: 25 * time.Hour, Points: 10}, "window=25h: must be positive and at most 1d"},
		{"shop/web", history.Query{Window: -time.Hour, Points: 10}, "must be positive"},
		{"shop/web", history.Query{Window: time.Hour, Points: 1}, "points=1: must be between 2 and 2000"},
		{"shop/web", history.Query{Window: time.Hour, Points: 2001}, "must be between"},
	} {
		tt.query.Now = noon
		if _, err := report(r, noon, tt.workload, tt.query); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Report(%s, %+v) = %v; want %q", tt.workload, tt.query, err, tt.want)
		}
	}
	if _, err := report(r, noon, "shop/other", history.Query{Now: noon, Window: time.Hour, Points: 10}); !errors.Is(err, forecast.ErrNotFound) {
		t.Errorf("an unknown workload = %v; want %v", err, forecast.ErrNotFound)
	}
}

func TestEventsAreChangesAndBounded(t *testing.T) {
	r := history.New(time.Hour, 1)
	for i := range 500 {
		s := snapshot(noon.Add(time.Duration(i)*time.Minute), 100)
		if i/2%2 == 1 {
			s.Mode, s.Reason = forecast.Reactive, "no skill"
		}
		r.Record(s)
	}
	end := noon.Add(500 * time.Minute)
	rep, err := report(r, end, "shop/web", history.Query{Now: end, Window: time.Hour, Points: 100})
	if err != nil {
		t.Fatal(err)
	}
	if len(rep.Events) != 64 || rep.Events[63].Mode != forecast.Reactive || !rep.Events[63].At.Equal(noon.Add(498*time.Minute)) {
		t.Errorf("%d events, the last %+v; want 64, the last at minute 498", len(rep.Events), rep.Events[len(rep.Events)-1])
	}
}

// Whatever the interval, one workload costs at most 64 KiB and a bit, and many
// share 256 MiB; the whole span stays, coarser.
func TestMemoryIsBounded(t *testing.T) {
	const many = 200
	r := history.New(24*time.Hour, many)
	before := heap()
	for i := range many {
		s := snapshot(noon, 100)
		s.Workload = fmt.Sprintf("shop/web-%d", i)
		r.Record(s)
	}
	per := (heap() - before) / many
	runtime.KeepAlive(r)
	if per > 66<<10 || per < 20<<10 {
		t.Errorf("a workload costs %d bytes; want about 60 KiB", per)
	}

	crowded := history.New(24*time.Hour, 100_000) // 2,684 bytes each
	for i := range 24 * 60 {
		crowded.Record(snapshot(noon.Add(time.Duration(i)*time.Minute), 100))
	}
	end := noon.Add(24 * time.Hour)
	rep, err := report(crowded, end, "shop/web", history.Query{Now: end, Window: 24 * time.Hour, Points: 1500})
	if err != nil {
		t.Fatal(err)
	}
	var first, known int
	for i, v := range rep.Replicas {
		if !math.IsNaN(v) {
			if known == 0 {
				first = i
			}
			known++
		}
	}
	if known == 0 || known > 2684/40 || first > 60 {
		t.Errorf("%d points, the first at minute %d; want few over the whole day", known, first)
	}
}

func heap() int {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

func TestKeepNothing(t *testing.T) {
	r := history.New(0, 1)
	r.Record(snapshot(noon, 100))
	rep, err := report(r, noon, "shop/web", history.Query{Now: noon, Window: time.Hour, Points: 100})
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range rep.Replicas {
		if !math.IsNaN(v) {
			t.Errorf("replicas at %d = %v; want nothing recorded", i, v)
		}
	}
	if n, ok := r.Newest("shop/web"); !ok || n.Replicas[0] != 10 {
		t.Errorf("Newest = %+v, %t; want the plan all the same", n, ok)
	}
}

func TestNewestAtLooksAheadByTheClock(t *testing.T) {
	r := history.New(time.Hour, 1)
	r.Record(snapshot(noon, 100)) // 10 replicas, one more every minute
	n, _ := r.Newest("shop/web")
	for _, tt := range []struct {
		now, ahead time.Duration
		want       int
		ok         bool
	}{
		{0, 0, 10, true},
		{0, 5 * time.Minute, 14, true}, // five minutes see five steps, not six
		{90 * time.Second, 0, 11, true},
		{90 * time.Second, time.Minute, 12, true},
		{59 * time.Minute, time.Hour, 69, true},
		{time.Hour, 0, 0, false},
		{-time.Minute, 0, 10, true},
	} {
		if got, ok := n.At(noon.Add(tt.now), tt.ahead); got != tt.want || ok != tt.ok {
			t.Errorf("At(noon%+v, %v) = %d, %t; want %d, %t", tt.now, tt.ahead, got, ok, tt.want, tt.ok)
		}
	}
	if n.Coverage == nil || n.Coverage.Measured != 0.94 {
		t.Errorf("Coverage = %+v; want that of 0.95", n.Coverage)
	}
}

func TestNumbersAreJSON(t *testing.T) {
	got, err := json.Marshal(history.Numbers{1, math.NaN(), math.Inf(-1), 1234567, 0.1234567, 1e300, -0.5})
	if want := "[1,null,null,1234567,0.123457,1e+300,-0.5]"; err != nil || string(got) != want {
		t.Errorf("Marshal = %s, %v; want %s", got, err, want)
	}
	if got, err := json.Marshal(history.Numbers(nil)); err != nil || string(got) != "[]" {
		t.Errorf("Marshal(nil) = %s, %v; want []", got, err)
	}
}
