package prom_test

import (
	"fmt"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kedastral/kedastral/forecaster/adapters"
	"github.com/kedastral/kedastral/forecaster/adapters/prom"
)

// kinds are those of an adapter's warnings, whose texts must be discreet.
func kinds(t *testing.T, a *prom.Adapter) []string {
	t.Helper()
	var all []string
	for _, w := range a.Warnings() {
		discreet(t, w.Text)
		if !strings.HasPrefix(w.Text, "http_rps: ") {
			t.Errorf("%q does not name the metric", w.Text)
		}
		all = append(all, w.Kind)
	}
	return all
}

func minute(t time.Time) int { return int(t.Unix()/60) % 100_000 }

func TestQueriesThatLookWrong(t *testing.T) {
	for promQL, want := range map[string][]string{
		`sum(rate(http_requests_total[1m]))`:                                                    nil,
		`sum by (job) (irate(http_requests_total{path="/avg("}[1m])) # avg(x)`:                  nil,
		`sum(avg_over_time(in_flight[1m]))`:                                                     nil,
		`job:http_requests:rate5m`:                                                              nil,
		`histogram_quantile(0.9, sum by (le) (rate(latency_bucket[5m])))`:                       nil,
		`avg(rate(http_requests_total[1m]))`:                                                    {adapters.WarnAverage},
		`AVG by (job) (in_flight)`:                                                              {adapters.WarnAverage},
		`avg without(pod)(in_flight)`:                                                           {adapters.WarnAverage},
		`sum(rate(x_total[1m])) / count(x_total)`:                                               {adapters.WarnAverage},
		`sum(rate(x_total[1m]))/scalar(count by (app) (up))`:                                    {adapters.WarnAverage},
		`sum by(app)(rate(x_total[1m])) / on (app) group_left (y) (sum(up))`:                    {adapters.WarnAverage},
		`rate(x_total[1m]) / on(app) kube_deployment_status_replicas_ready`:                     {adapters.WarnAverage},
		`sum(rate(x_total[1m])) / scalar(sum(kube_deployment_spec_replicas))`:                   {adapters.WarnAverage},
		`sum(rate(x_total[1m])) / ignoring(pod) count without(pod)(kube_pod_info)`:              {adapters.WarnAverage},
		`sum(rate(x_total[1m])) / 60`:                                                           nil,
		`sum(rate(x_seconds_sum[1m])) / sum(rate(x_seconds_count[1m]))`:                         nil,
		`sum(rate(x_total[1m]) * on (pod) group_left () kube_pod_labels{label_app="replicas"})`: nil,
		`count(session_open)`:                                                                   nil,
		`sum(upstream_requests) + sum by (up) (in_flight)`:                                      nil,
		`kube_deployment_status_replicas{deployment="web"}`:                                     {adapters.WarnReplicas},
		`max(kube_horizontalpodautoscaler_status_desired_replicas)`:                             {adapters.WarnReplicas},
		`sum(load1) by (app) * on (app) kube_deployment_status_replicas`:                        nil,
		`count(up{job="web"} == 1)`:                                                             {adapters.WarnReplicas},
		`sum by (job) (up)`:                                                                     {adapters.WarnReplicas},
		`count(kube_pod_info{pod=~"web-.*"})`:                                                   {adapters.WarnReplicas},
		`sum(http_requests_total)`:                                                              {adapters.WarnCounter},
		`sum(http_requests_total{note="rate("})`:                                                {adapters.WarnCounter},
		`avg(latency_count)`:                                                                    {adapters.WarnAverage, adapters.WarnCounter},
	} {
		f := serve(t, answers(func(at time.Time) float64 { return 100 + 50*math.Sin(float64(minute(at))/9) }))
		q := query()
		q.PromQL = promQL
		a := open(t, options(f.URL), q)
		if got := kinds(t, a); got != nil {
			t.Errorf("%s: warns of %v before it was read", promQL, got)
		}
		collect(t, a, 7200)
		if diff := cmp.Diff(want, kinds(t, a)); diff != "" {
			t.Errorf("%s: %s", promQL, diff)
		}
	}
}

func TestValuesThatLookWrong(t *testing.T) {
	for _, tt := range []struct {
		name string
		load func(time.Time) float64
		want []string
	}{
		{"a load", func(at time.Time) float64 { return 100 + 50*math.Sin(float64(minute(at))/9) }, nil},
		{"a constant", func(time.Time) float64 { return 7 }, nil},
		{"steps up and down", func(at time.Time) float64 { return float64(100 * (minute(at) / 20 % 2)) }, nil},
		{"a counter", func(at time.Time) float64 { return float64(40 * minute(at)) }, []string{adapters.WarnCounter}},
		{"a counter that is reset", func(at time.Time) float64 { return float64(40 * (minute(at) % 50)) }, []string{adapters.WarnCounter}},
		{"a morning that dips now and then", func(at time.Time) float64 { return float64(5*minute(at)) * (1 - 0.1*float64(minute(at)%40/39)) }, nil},
		{"a sawtooth", func(at time.Time) float64 { return float64(minute(at) % 7) }, nil},
		{"negative", func(at time.Time) float64 { return float64(minute(at)%7 - 3) }, []string{adapters.WarnNegative}},
	} {
		f := serve(t, answers(tt.load))
		q := query()
		q.PromQL = "queue_length"
		a := open(t, options(f.URL), q)
		frame := collect(t, a, 7200)
		if diff := cmp.Diff(tt.want, kinds(t, a)); diff != "" {
			t.Errorf("%s: %s", tt.name, diff)
		}
		for i, v := range frame.Values {
			at := frame.Start.Add(time.Duration(i) * time.Minute)
			if want := tt.load(at); want >= 0 && v != want || want < 0 && !math.IsNaN(v) {
				t.Fatalf("%s: %v at %v, which the source told as %v", tt.name, v, at, want)
			}
		}
	}
}

func TestRoundingBelowZeroIsZero(t *testing.T) {
	f := serve(t, says(200, matrix(streamOf(`{}`, point(end.Add(-time.Minute), 1e6), point(end, -1e-7)))))
	a := open(t, options(f.URL), query())
	if got := collect(t, a, 120).Values; !cmp.Equal(got, []float64{1e6, 0}) {
		t.Errorf("%v; want [1e6 0]", got)
	}
	if got := kinds(t, a); got != nil {
		t.Errorf("warns of %v", got)
	}
}

func TestClockSkew(t *testing.T) {
	for _, tt := range []struct {
		date  time.Duration // of the source's clock, ahead of ours
		point time.Duration // of its newest value, after ours
		age   string
		want  []string
	}{
		{0, 0, "", nil},
		{50 * time.Second, 0, "", nil},
		{-50 * time.Second, 0, "", nil},
		{2 * time.Minute, 0, "", []string{adapters.WarnClockSkew}},
		{-2 * time.Minute, 0, "", []string{adapters.WarnClockSkew}},
		{-2 * time.Minute, 0, "120", nil}, // an old answer from a cache
		{0, time.Minute, "", nil},
		{0, 2 * time.Minute, "", []string{adapters.WarnClockSkew}},
		{0, 1e6 * time.Hour, "", []string{adapters.WarnClockSkew}},
	} {
		f := serve(t, func(i int, q question, w http.ResponseWriter) {
			if i > 0 {
				answers(load)(i, q, w)
				return
			}
			w.Header().Set("Date", now.Add(tt.date).Format(http.TimeFormat))
			w.Header().Set("Age", tt.age)
			fmt.Fprint(w, matrix(streamOf(`{}`, point(end, 5), point(now.Add(tt.point), 9))))
		})
		a := open(t, options(f.URL), query())
		frame := collect(t, a, 600)
		if frame.Values[9] != 5 {
			t.Errorf("%+v: %v; want that what is in the future is dropped", tt, frame.Values)
		}
		if diff := cmp.Diff(tt.want, kinds(t, a)); diff != "" {
			t.Errorf("%+v: %s", tt, diff)
		}
		collect(t, a, 600)
		if got := kinds(t, a); got != nil {
			t.Errorf("%+v: warns of %v when it is over", tt, got)
		}
	}
}

// Beyond what data may be old, a clock that is wrong is a failed read: what
// would be taken for the present is the past, or is not known yet.
func TestClocksTooFarApart(t *testing.T) {
	for _, tt := range []struct {
		date time.Duration // of the source's clock, ahead of ours
		fits bool
	}{
		{0, true},
		{14 * time.Minute, true},
		{-14 * time.Minute, true},
		{16 * time.Minute, false},
		{-16 * time.Minute, false},
		{-24 * 365 * time.Hour, false},
	} {
		f := serve(t, func(i int, q question, w http.ResponseWriter) {
			if i == 0 {
				w.Header().Set("Date", now.Add(tt.date).Format(http.TimeFormat))
			}
			answers(load)(i, q, w)
		})
		q := query()
		q.MaxSkew = 15 * time.Minute
		a := open(t, options(f.URL), q)
		_, err := a.Collect(t.Context(), 600)
		if tt.fits != (err == nil) || !tt.fits && (adapters.Reason(err) != adapters.ReasonClockSkew || !strings.Contains(err.Error(), "synchronise them")) {
			t.Errorf("clocks %v apart: Collect = %v", tt.date, err)
		}
		if err != nil {
			discreet(t, err.Error())
		}
		collect(t, a, 600) // and heals with the clock
	}
}
