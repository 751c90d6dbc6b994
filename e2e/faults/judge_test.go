package faults_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// judge knows what was delivered to the scaler and says of each answer whether
// it may be so.
//
// A snapshot's age is told in whole seconds and counted from the question, so
// by the scaler's measure it is up to a second younger than it is, and older by
// as long as the answer took. Every age in between is allowed; so is every
// snapshot that may or may not have been taken in yet.
type judge struct {
	relays     []*relay
	lead       time.Duration
	staleAfter time.Duration
	fallback   map[string]int                         // of the workloads whose trigger has one
	several    bool                                   // scalers answer in turns: what one was told the other was not
	forgetful  bool                                   // the scaler's cache is too small: it may have to fetch first
	stood      func(from, to time.Time) time.Duration // for which the machine stood still

	mu   sync.Mutex
	past map[string][]spoken // by workload, the last answers
}

// spoken is an answer and when it was asked for and given.
type spoken struct {
	from, to time.Time
	value    float64
}

const (
	rounding  = 1100 * time.Millisecond // a whole second, and clocks read one after another
	refreshes = 1350 * time.Millisecond // from one question of a scaler to the next, with jitter and until it looks what is due
	digestion = 1500 * time.Millisecond // from the relay's answer to the scaler's use of it
)

// digested is when a snapshot was delivered at the latest that is in use at an
// instant.
func (j *judge) digested(at time.Time) time.Time {
	before := at.Add(-digestion)
	if j.several {
		before = before.Add(-refreshes) // another scaler was the first to ask
	}
	return before.Add(-j.stood(before, at))
}

// candidates are the snapshots that an answer between two instants may be made
// from.
func (j *judge) candidates(workload string, from, to time.Time) []delivery {
	var settled *delivery
	settledBy := j.digested(from)
	var maybe []delivery
	for _, r := range j.relays {
		for _, d := range r.history(workload) {
			switch {
			case d.at.After(to):
			case d.maybe, d.at.After(settledBy):
				maybe = append(maybe, d)
			case settled == nil || !d.GeneratedAt.Before(settled.GeneratedAt):
				settled = &d
			}
		}
	}
	if settled == nil {
		return maybe
	}
	maybe = slices.DeleteFunc(maybe, func(d delivery) bool { return d.GeneratedAt.Before(settled.GeneratedAt) })
	return append(maybe, *settled)
}

// ages are the least and the most that a snapshot may be old by the scaler's
// measure.
func (d delivery) ages(from, to time.Time) (least, most time.Duration) {
	least = max(0, from.Sub(d.GeneratedAt)+d.older-rounding)
	return least, to.Sub(d.GeneratedAt) + d.older + d.took + 300*time.Millisecond
}

// highest are all counts that the plan may ask for at an age between two.
func (d delivery) highest(least, most, lead time.Duration) (counts []int) {
	for age := least; ; age += d.Step() / 2 {
		if n, ok := d.Highest(min(age, most), lead); ok && !slices.Contains(counts, n) {
			counts = append(counts, n)
		}
		if age >= most {
			return counts
		}
	}
}

// hears is an answer of GetMetrics, asked for and given at these instants.
func (j *judge) hears(f *finding, workload string, from, to time.Time, value float64, err error) {
	if err != nil {
		j.refused(f, workload, from, to, err)
		return
	}
	if math.IsNaN(value) || math.IsInf(value, 0) || value != math.Trunc(value) || value < 0 || value >= 1<<31 {
		f.broke(number, "%s: told %v", workload, value)
	}
	before := j.remember(workload, spoken{from, to, value})
	all := j.candidates(workload, from, to)
	if len(all) == 0 {
		if fallback := j.fallback[workload]; fallback == 0 || value != float64(fallback) {
			f.broke(told, "%s: told %v before any forecast was delivered", workload, value)
		}
		return
	}
	fresh, maybeStale, mustStale := false, false, true
	var allowed []string
	lowest, explained := math.Inf(1), false
	for _, d := range all {
		least, most := d.ages(from, to)
		covered := time.Duration(d.HorizonSeconds) * time.Second
		fresh = fresh || least < d.FreshFor()
		maybeStale = maybeStale || most > j.staleAfter || most >= covered
		if least > j.staleAfter || least >= covered {
			continue
		}
		mustStale = false
		counts := d.highest(least, most, j.lead)
		var earlier []int
		if most >= d.FreshFor() { // may be held: also what the plan said when it was last told, and since it was last fresh
			counts = append(counts, d.highest(max(0, least-2*time.Second), least, j.lead)...)
			earlier = d.highest(max(0, min(least, d.FreshFor())-2*time.Second), least, j.lead)
		}
		for _, n := range counts {
			lowest = min(lowest, float64(n))
			explained = explained || value == float64(n)
		}
		held := most >= d.FreshFor() && slices.ContainsFunc(before, func(s spoken) bool { return s.value == value })
		held = held || slices.ContainsFunc(earlier, func(n int) bool { return value == float64(n) })
		explained = explained || held && value >= lowest
		allowed = append(allowed, fmt.Sprintf("at age %.1f–%.1f s one of %v", least.Seconds(), most.Seconds(), counts))
	}
	fallback := j.fallback[workload]
	switch {
	case (maybeStale || j.several) && fallback > 0 && value == float64(fallback): // one of several may have just begun
	case mustStale:
		f.broke(stale, "%s: told %v although the newest forecast is too old to be used", workload, value)
	case !explained:
		f.broke(told, "%s: told %v; the newest forecast says %s; before it was told %v", workload, value, strings.Join(allowed, " or "), values(before))
	case !fresh && !j.several && value < least(before):
		f.broke(ignorance, "%s: told %v after %v while the forecast was not fresh", workload, value, values(before))
	}
}

// refused is an answer that is an error.
func (j *judge) refused(f *finding, workload string, from, to time.Time, err error) {
	if j.fallback[workload] > 0 {
		f.broke(ignorance, "%s: %v; its trigger has a fallback", workload, err)
		return
	}
	switch status.Code(err) {
	case codes.Unavailable, codes.NotFound, codes.FailedPrecondition:
	default:
		f.broke(ignorance, "%s: %v", workload, err)
	}
	if j.forgetful || j.several && strings.Contains(err.Error(), "not fetched yet") {
		return
	}
	settledBy := j.digested(from)
	for _, d := range j.candidates(workload, from, to) {
		least, most := d.ages(from, to)
		if covered := time.Duration(d.HorizonSeconds) * time.Second; !d.maybe && d.at.Before(settledBy) && most <= j.staleAfter && most < covered {
			f.broke(ignorance, "%s: %v; a forecast of %.1f–%.1f s is to be had", workload, err, least.Seconds(), most.Seconds())
		}
	}
}

// remember notes an answer; it is those that were given, or under way, right
// before.
func (j *judge) remember(workload string, s spoken) []spoken {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.past == nil {
		j.past = map[string][]spoken{}
	}
	list := j.past[workload]
	var last time.Time // when the newest answer before the question was given
	for _, p := range list {
		if !p.to.After(s.from) && p.to.After(last) {
			last = p.to
		}
	}
	var before []spoken
	for _, p := range list {
		if !p.to.Before(last) || p.to.After(s.from) {
			before = append(before, p)
		}
	}
	j.past[workload] = append(list, s)[max(0, len(list)-49):]
	return before
}

func values(all []spoken) (out []float64) {
	for _, s := range all {
		out = append(out, s.value)
	}
	return out
}

func least(all []spoken) float64 {
	low := math.Inf(1)
	for _, s := range all {
		low = min(low, s.value)
	}
	if math.IsInf(low, 1) {
		return 0
	}
	return low
}
