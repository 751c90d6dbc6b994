package faults_test

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// handled is how long a scaler says that its answers took it, as far as they
// were numbers: how many by the bound of their bucket, in seconds. The machine
// has little part in it. What a scaler does for an answer from memory takes
// microseconds, and it is hardly ever interrupted in the midst of them.
type handled struct {
	by  *process
	of  float64
	all map[float64]float64
}

// handled is that of every scaler that tells.
func (w *world) handled() map[*service]handled {
	all := map[*service]handled{}
	for _, s := range w.scalers {
		if h, err := s.handled(w.t.Context()); err == nil {
			all[s] = h
		}
	}
	return all
}

func (s *service) handled(ctx context.Context) (handled, error) {
	samples, err := s.metrics(ctx)
	h := handled{by: s.process, all: map[float64]float64{}}
	for series, n := range samples {
		name, labels, _ := strings.Cut(series, "{")
		if !strings.Contains(labels, `code="OK"`) || strings.Contains(labels, "GetMetricSpec") {
			continue // the specification is a constant
		}
		switch name {
		case "kedastral_scaler_grpc_request_duration_seconds_count":
			h.of += n
		case "kedastral_scaler_grpc_request_duration_seconds_bucket":
			_, bound, _ := strings.Cut(labels, `le="`)
			if le, err := strconv.ParseFloat(bound[:strings.IndexByte(bound, '"')], 64); err == nil {
				h.all[le] += n
			}
		}
	}
	return h, err
}

// since is what came after an earlier look, or all where another process runs
// by now.
func (h handled) since(before handled) handled {
	if h.by != before.by {
		return h
	}
	h.of -= before.of
	for le, n := range before.all {
		h.all[le] -= n
	}
	return h
}

// quantile is a time that so many answers took at most, as the buckets tell it.
func (h handled) quantile(q float64) time.Duration {
	for _, le := range slices.Sorted(maps.Keys(h.all)) {
		if h.all[le] >= q*h.of {
			return time.Duration(le * float64(time.Second))
		}
	}
	return time.Hour
}

// What answers from memory may take a scaler by its own measure: microseconds,
// but for those that are interrupted in the midst of them.
const (
	inside      = 5 * time.Millisecond  // 9 of 10
	interrupted = 25 * time.Millisecond // 99 of 100
)

// judgeHandled is whether the scalers took no longer for their answers than it
// takes to find them in memory, by what they say themselves. One that is new has
// fetched each of them once.
func (w *world) judgeHandled(f *finding, before map[*service]handled, x fault) {
	usual, rare := inside, interrupted
	if x.waits {
		usual, rare = most, most
	}
	for _, s := range w.scalers {
		h, err := s.handled(w.t.Context())
		was, known := before[s]
		if h = h.since(was); err != nil || h.of < 50 {
			if !x.down && !x.again && x.slow == 0 {
				f.broke(budget, "a scaler says of %.0f answers how long they took it: %v", h.of, err)
			}
			continue
		}
		fresh := !known || h.by != was.by
		f.remark("by a scaler's own measure answers took at most %v (9 of 10) and %v (99 of 100)", h.quantile(0.9), h.quantile(0.99))
		if h.quantile(0.9) > usual || !fresh && h.quantile(0.99) > rare {
			f.broke(budget, "by a scaler's own measure answers took %v (9 of 10) and %v (99 of 100), by its buckets; allowed are %v and %v", h.quantile(0.9), h.quantile(0.99), usual, rare)
		}
	}
}
