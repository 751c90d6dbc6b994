package faults_test

import (
	"slices"
	"sort"
	"testing"
	"time"
)

// span is from a question to its answer.
type span struct{ from, to time.Time }

func (s span) took() time.Duration { return s.to.Sub(s.from) }

// near is how close to a call a question to the witness has to be to tell of
// the same moment. It is asked a hundred times a second at least.
const near = 50 * time.Millisecond

// own is how much longer each call took than the longest of what the machine
// took around then, from least to most.
func own(calls, machine []span) []time.Duration {
	slices.SortFunc(machine, func(a, b span) int { return a.from.Compare(b.from) })
	longest := time.Duration(0)
	for _, s := range machine {
		longest = max(longest, s.took())
	}
	all := make([]time.Duration, 0, len(calls))
	for _, c := range calls {
		from, to := c.from.Add(-near), c.to.Add(near)
		first := sort.Search(len(machine), func(i int) bool { return !machine[i].from.Before(from.Add(-longest)) })
		took := time.Duration(0)
		for _, s := range machine[first:] {
			if s.from.After(to) {
				break
			}
			if !s.to.Before(from) {
				took = max(took, s.took())
			}
		}
		all = append(all, max(0, c.took()-took))
	}
	slices.Sort(all)
	return all
}

// quantile of what is in order.
func quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

// What is taken off a call is what the machine took at that moment, and nothing
// of any other.
func TestOwn(t *testing.T) {
	t0 := time.Now()
	ms := func(from, to int) span {
		return span{t0.Add(time.Duration(from) * time.Millisecond), t0.Add(time.Duration(to) * time.Millisecond)}
	}
	for _, tt := range []struct {
		what    string
		call    span
		machine []span
		want    time.Duration
	}{
		{"nothing is known of the machine", ms(1000, 1150), nil, 150 * time.Millisecond},
		{"the witness was quick", ms(1000, 1150), []span{ms(990, 991), ms(1010, 1012), ms(1140, 1143)}, 147 * time.Millisecond},
		{"the witness was as slow", ms(1000, 1150), []span{ms(1001, 1148), ms(1010, 1012)}, 3 * time.Millisecond},
		{"the witness was slower", ms(1000, 1150), []span{ms(1000, 1200)}, 0},
		{"it had been slow before", ms(1000, 1150), []span{ms(700, 940), ms(1010, 1012)}, 148 * time.Millisecond},
		{"it was slow right before", ms(1000, 1150), []span{ms(700, 960), ms(1010, 1012)}, 0},
		{"it was slow afterwards", ms(1000, 1150), []span{ms(1010, 1012), ms(1201, 1500)}, 148 * time.Millisecond},
		{"many short waits are not one long", ms(1000, 1150), []span{ms(1000, 1050), ms(1050, 1100), ms(1100, 1150)}, 100 * time.Millisecond},
	} {
		if got := own([]span{tt.call}, tt.machine); !slices.Equal(got, []time.Duration{tt.want}) {
			t.Errorf("%s: own() = %v; want %v", tt.what, got, tt.want)
		}
	}
}
