package history_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/kedastral/kedastral/forecaster/history"
)

// What the page costs the forecaster: a day of forecasts every minute, of an
// hour of minutes each, remembered for many workloads.
func BenchmarkMemoryOfADay(b *testing.B) {
	const workloads = 100
	var bytes int
	for b.Loop() {
		before := heap()
		r := history.New(24*time.Hour, workloads)
		for i := range workloads {
			s := snapshot(noon, 100)
			s.Workload = fmt.Sprintf("shop/web-%d", i)
			r.Record(s)
		}
		bytes = heap() - before
		if _, ok := r.Newest("shop/web-0"); !ok {
			b.Fatal("nothing is remembered")
		}
	}
	b.ReportMetric(float64(bytes)/workloads, "B/workload")
}

// Recording is a part of every tick.
func BenchmarkRecord(b *testing.B) {
	r := history.New(24*time.Hour, 1)
	s := snapshot(noon, 100)
	b.ReportAllocs()
	for b.Loop() {
		s.GeneratedAt = s.GeneratedAt.Add(time.Minute)
		r.Record(s)
	}
}
