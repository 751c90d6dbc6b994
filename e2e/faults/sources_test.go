package faults_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// untruth is an answer of the source, and the reason it is refused for; none
// if it is to be taken for what is true in it.
type untruth struct {
	id, what, reason string
	mood             mood
	silent           bool // nothing need be published meanwhile
}

func untruths() []untruth {
	refusal := func(kind string) string {
		return fmt.Sprintf(`{"status":"error","errorType":%q,"error":"1:5: parse error in queryS3cret"}`, kind)
	}
	return []untruth{
		{"M4a", "refuses the query", "config", says(400, refusal("bad_data")), false},
		{"M4b", "refuses the credentials", "auth", says(401, "tokenS3cret"), false},
		{"M4c", "cannot execute the query", "config", says(422, refusal("execution")), false},
		{"M5a", "asks to be asked less", "rate_limited", says(429, "", "Retry-After", "1"), true},
		{"M5b", "is not available for a second", "server_error", says(503, "", "Retry-After", "1"), true},
		{"M6a", "fails with a page", "server_error", says(500, "<html>queryS3cret"), false},
		{"M6b", "answers with a page", "bad_response", says(200, "<html>queryS3cret"), false},
		{"M6c", "answers 200 with an error", "server_error", says(200, refusal("timeout")), false},
		{"M7a", "answers half", "bad_response", says(200, `{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[[1,"1"],[2,`), false},
		{"M7b", "answers with wrong types", "bad_response", says(200, `{"status":"success","data":{"resultType":"matrix","result":[{"metric":3,"values":{"a":[]}}]}}`), false},
		{"M7c", "nests without end", "bad_response", says(200, strings.Repeat(`{"data":[`, 200_000)), false},
		{"M8a", "answers 100 MB", "too_large", flood, false},
		{"M8b", "answers a bomb of gzip", "too_large", bomb(), false},
		{"M9", "answers with a vector", "result_type", says(200, `{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"1"]}]}}`), false},
		{"M10", "answers with two series", "many_series", twice, false},
		{"M11a", "answers with NaN for what is newest", "", unlike(func(age time.Duration, _ string) string { return either(age < 4*time.Second, "NaN") }), false},
		{"M11b", "answers with infinities for what is newest", "", unlike(func(age time.Duration, _ string) string { return either(age < 4*time.Second, "+Inf") }), false},
		{"M12", "answers out of order, twice, and for the future", "", shuffled, false},
		{"M13a", "has gaps", "", unlike(func(age time.Duration, v string) string {
			if age/time.Second%3 == 1 {
				return ""
			}
			return v
		}), false},
		{"M13b", "answers with nothing, which is a gap, and then data too old", "old_data", says(200, `{"status":"success","data":{"resultType":"matrix","result":[]}}`), true},
		{"M16a", "warns of a partial answer", "partial", func(w http.ResponseWriter, _ *http.Request, i []time.Time) {
			matrix(w, `"warnings":["a store did not answer"],`, points(i, func(time.Time) string { return "3" }))
		}, false},
		{"M16b", "marks the answer as partial", "partial", func(w http.ResponseWriter, _ *http.Request, i []time.Time) {
			matrix(w, `"isPartial":true,`, points(i, func(time.Time) string { return "3" }))
		}, false},
		{"M18", "lives an hour from here", "clock_skew", func(w http.ResponseWriter, r *http.Request, i []time.Time) {
			w.Header().Set("Date", time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat))
			truthful(w, r, i)
		}, false},
	}
}

func either(holds bool, text string) string {
	if holds {
		return text
	}
	return "\x00"
}

// unlike answers truly but where something else is said of a value by its age.
func unlike(of func(age time.Duration, v string) string) mood {
	return func(w http.ResponseWriter, _ *http.Request, instants []time.Time) {
		now := time.Now()
		matrix(w, "", points(instants, func(at time.Time) string {
			v := value(demand(at.Add(-time.Second)))
			if other := of(now.Sub(at), v); other != "\x00" {
				return other
			}
			return v
		}))
	}
}

func shuffled(w http.ResponseWriter, _ *http.Request, instants []time.Time) {
	all := points(instants, func(at time.Time) string { return value(demand(at.Add(-time.Second))) })
	slices.Reverse(all)
	future := points([]time.Time{time.Now().Add(time.Hour)}, func(time.Time) string { return "99999" })
	matrix(w, "", slices.Concat(all, future, all))
}

func twice(w http.ResponseWriter, _ *http.Request, instants []time.Time) {
	values := strings.Join(points(instants, func(time.Time) string { return "1" }), ",")
	fmt.Fprintf(w, `{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"a":"1"},"values":[%s]},{"metric":{"a":"2"},"values":[%s]}]}}`, values, values)
}

func flood(w http.ResponseWriter, _ *http.Request, _ []time.Time) {
	w.Header().Set("Content-Type", "application/json")
	pour(w.Write)
}

// bomb is small on the way and large when it is unpacked.
func bomb() mood {
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	pour(zip.Write)
	_ = zip.Close() // into memory
	return says(200, packed.String(), "Content-Type", "application/json", "Content-Encoding", "gzip")
}

// pour writes 100 MB of what could be a beginning.
func pour(write func([]byte) (int, error)) {
	_, err := write([]byte(`{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[[1,"1"]`))
	part := []byte(strings.Repeat(`,[1,"1"]`, 8<<10))
	for i := 0; i < 1600 && err == nil; i++ {
		_, err = write(part)
	}
}

// A source that answers anything but what was asked for is not believed: the
// forecasts go on from what is known, and the reason is told.
func TestSourceLies(t *testing.T) {
	all := untruths()
	const worlds = 3
	for part := range worlds {
		t.Run(strconv.Itoa(part), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, plan{forecasters: 1})
			for i := part; i < len(all); i += worlds {
				w.deceived(t, all[i])
			}
		})
	}
}

// deceived is the row of one untruth.
func (w *world) deceived(t *testing.T, x untruth) {
	t.Helper()
	f := w.forecasters[0]
	counted := func() float64 {
		all, err := f.metrics(w.t.Context())
		if err != nil {
			return -1
		}
		return sum(all, "kedastral_forecaster_errors_total", `reason="`+x.reason+`"`)
	}
	before := counted()
	w.row(t, fault{
		id: x.id, what: "the source " + x.what, made: "a Prometheus of the suite's own",
		strike: func() { w.source.set(x.mood) }, mend: func() { w.source.set(truthful) },
		lasts: 4500 * time.Millisecond, heals: 10 * time.Second,
		well: func(mended time.Time) error {
			all, err := f.metrics(w.t.Context())
			if up := sum(all, "kedastral_forecaster_source_up"); err == nil && up != float64(len(w.workloads)) {
				err = fmt.Errorf("the source is up for %v of %d workloads", up, len(w.workloads))
			}
			return errors.Join(err, w.since(mended))
		},
		during: func(found *finding) {
			for _, workload := range w.workloads {
				if list := w.relays[0].history(workload); !x.silent && list[len(list)-1].GeneratedAt.Before(found.began.Add(-500*time.Millisecond)) {
					found.broke(expected, "no forecast of %s was made from what is known", workload)
				}
			}
			if now := counted(); x.reason != "" && now <= before {
				found.broke(expected, "%v reads failed as %s; there were %v before", now, x.reason, before)
			}
			if size := f.resident("VmHWM"); size > 160<<20 {
				found.broke(bounded, "the forecaster grew to %d MiB", size>>20)
			}
		},
		after: func(found *finding) {
			if off := w.relays[0].misled(); off > 0.5 {
				found.broke(expected, "a load was told as observed that is off by %.0f", off)
			}
		},
	})
}

// A source that sends elsewhere is not followed there with the credentials.
func TestSourceRedirects(t *testing.T) {
	t.Parallel()
	var came atomic.Int64
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { came.Add(1) }))
	t.Cleanup(elsewhere.Close)
	w := newWorld(t, plan{forecasters: 1})
	w.deceived(t, untruth{"M21", "redirects to another host", "redirect", says(307, "", "Location", elsewhere.URL+"/api/v1/query_range"), false})
	if came.Load() > 0 {
		t.Errorf("the redirect was followed %d times", came.Load())
	}
}
