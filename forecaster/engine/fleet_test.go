//go:build unix

package engine_test

import (
	"bytes"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/kedastral/kedastral/forecaster/adapters/prom"
	"github.com/kedastral/kedastral/forecaster/capacity"
	"github.com/kedastral/kedastral/forecaster/engine"
	"github.com/kedastral/kedastral/forecaster/models"
	"github.com/kedastral/kedastral/forecaster/models/catalog"
	"github.com/kedastral/kedastral/forecaster/storage"
	"github.com/kedastral/kedastral/shared/clock"
)

// How much of one core 2,000 workloads of seven days of minutes take, all of
// them forecast every minute from what a Prometheus answers: fitted every five
// minutes, a fifth of them in each, or every hour and sooner where a look every
// five minutes finds that the loads left their band. The Prometheus is in the
// same process and counts, too.
func BenchmarkFleet(b *testing.B) {
	for name, intervals := range map[string][2]time.Duration{
		"fitted-every-5m": {5 * time.Minute, 0}, "looked-at-every-5m": {time.Hour, 5 * time.Minute},
	} {
		b.Run(name, func(b *testing.B) { fleet(b, fleetSize, intervals[0], intervals[1]) })
	}
}

const (
	fleetSize = 2000
	cycles    = 5 // minutes; each workload is due for a fit or a look once
)

func fleet(b *testing.B, n int, train, check time.Duration) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	at := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	server, err := prom.NewServer(prom.Options{URL: loads(b), Timeout: time.Minute})
	if err != nil {
		b.Fatal(err)
	}
	defer server.Close()
	empty := heap()
	all := make([]engine.Workload, n)
	for i := range all {
		source, err := server.Adapter(prom.Query{Metric: "load", PromQL: "load_" + strconv.Itoa(i), Step: time.Minute, Now: func() time.Time { return at }})
		if err != nil {
			b.Fatal(err)
		}
		all[i] = engine.Workload{
			Name: fmt.Sprintf("shop/web-%d", i), Metric: "load", Source: source,
			NewModel: func() (models.Model, error) {
				return catalog.New("auto", models.Options{Levels: []float64{0.1, 0.5, 0.9, 0.95}})
			},
			Step: time.Minute, Interval: time.Minute, TrainInterval: train, CheckInterval: check, Window: 7 * 24 * time.Hour, Horizon: time.Hour,
			Rules: capacity.Rules{Policy: capacity.Policy{TargetPerPod: 100, MinReplicas: 1, MaxReplicas: 100, Quantile: 0.9}},
		}
	}
	reg := prometheus.NewRegistry()
	e, err := engine.New(all, engine.Options{
		Store: storage.NewMemory(), Clock: clock.Real(), Concurrency: 4, MaxDataAge: time.Hour, TickTimeout: time.Minute, Metrics: engine.NewMetrics(reg),
	})
	if err != nil {
		b.Fatal(err)
	}
	e.Cycle(b.Context(), at)
	warm := fits(b, reg)
	began, minutes := busy(b), 0
	for b.Loop() {
		for range cycles {
			at = at.Add(time.Minute)
			e.Cycle(b.Context(), at)
			minutes++
		}
	}
	b.ReportMetric(100*(busy(b)-began).Seconds()/float64(60*minutes), "busy_%_of_a_core")
	b.ReportMetric((fits(b, reg)-warm)/float64(n)/float64(minutes), "fits/workload/min")
	b.ReportMetric(float64(heap()-empty)/float64(n)/1024, "KiB/workload")
	for _, st := range e.Workloads() {
		if !st.GeneratedAt.Equal(at) {
			b.Fatalf("%s at %v was published for %v: %s", st.Workload, at, st.GeneratedAt, st.Reason)
		}
	}
	runtime.KeepAlive(all)
}

// busy is the time that the process has had a core for itself.
func busy(b *testing.B) time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// fits is how many fits the metrics tell of.
func fits(b *testing.B, reg *prometheus.Registry) (n float64) {
	families, err := reg.Gather()
	if err != nil {
		b.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == "kedastral_forecaster_fits_total" {
			for _, one := range family.GetMetric() {
				n += one.GetCounter().GetValue()
			}
		}
	}
	return n
}

// loads is a Prometheus that knows load_0, load_1 and so on: daily waves with
// noise.
func loads(b *testing.B) (url string) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seed, _ := strconv.Atoi(r.FormValue("query")[len("load_"):])
		start, _ := strconv.ParseFloat(r.FormValue("start"), 64)
		end, _ := strconv.ParseFloat(r.FormValue("end"), 64)
		var text bytes.Buffer
		text.WriteString(`{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[`)
		for at := int64(start); at <= int64(end); at += 60 {
			if at > int64(start) {
				text.WriteByte(',')
			}
			hash := math.Sin(float64(at/60+int64(seed)*31)*12.9898) * 43758.5453
			load := 500 + 300*math.Sin(2*math.Pi*float64(at)/86_400) + 40*(hash-math.Floor(hash))
			text.Write(strconv.AppendFloat(append(strconv.AppendInt(append(text.AvailableBuffer(), '['), at, 10), `,"`...), load, 'g', 6, 64))
			text.WriteString(`"]`)
		}
		text.WriteString(`]}]}}`)
		if _, err := text.WriteTo(w); err != nil {
			b.Error(err)
		}
	}))
	b.Cleanup(server.Close)
	return server.URL
}
