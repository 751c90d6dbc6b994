package history

import (
	"math"
	"slices"
	"time"

	"github.com/kedastral/kedastral/shared/forecast"
)

// Leads are how far ahead a forecast is remembered, as far as it reaches so
// far. They are round numbers around the time pods need to start.
func Leads() []time.Duration {
	return []time.Duration{5 * time.Minute, 10 * time.Minute, 30 * time.Minute}
}

const (
	none      = -1 // no count was published
	slotBytes = 4  // the count of now
	leadBytes = 12 // median, upper, count
)

// ring is the past of one workload on an even grid: the slot of an instant is
// its number modulo the capacity. All columns have the same length.
type ring struct {
	spacing  time.Duration
	level    float64   // of upper
	last     time.Time // of the newest slot; zero before the first
	replicas []int32   // asked for at the instant; none where nothing was published
	leads    []leadColumns
}

type leadColumns struct {
	ahead         time.Duration
	steps         int
	median, upper []float32 // made at the instant for ahead later; NaN where nothing was
	replicas      []int32   // the largest within [the instant, ahead later)
}

// newRing makes the ring that fits the shape of a workload's snapshots.
func newRing(s forecast.Snapshot, keep time.Duration, bytes int) ring {
	r := ring{spacing: max(s.Interval(), time.Second)}
	for _, ahead := range Leads() {
		steps := int((ahead + s.Step() - 1) / s.Step())
		ahead = time.Duration(steps) * s.Step()
		if n := len(r.leads); steps < len(s.Values) && (n == 0 || r.leads[n-1].ahead < ahead) {
			r.leads = append(r.leads, leadColumns{ahead: ahead, steps: steps})
		}
	}
	slots := max(1, bytes/(slotBytes+leadBytes*len(r.leads)))
	wanted := int(keep / r.spacing)
	if wanted > slots {
		r.spacing *= time.Duration((wanted + slots - 1) / slots)
		wanted = int(keep / r.spacing)
	}
	r.replicas = make([]int32, wanted)
	for i := range r.leads {
		l := &r.leads[i]
		l.median, l.upper, l.replicas = make([]float32, wanted), make([]float32, wanted), make([]int32, wanted)
	}
	for i := range r.replicas {
		r.blank(i)
	}
	return r
}

func (r *ring) blank(slot int) {
	nan := float32(math.NaN())
	r.replicas[slot] = none
	for _, l := range r.leads {
		l.median[slot], l.upper[slot], l.replicas[slot] = nan, nan, none
	}
}

// slot is where the instant is kept.
func (r *ring) slot(at time.Time) int {
	n := int64(len(r.replicas))
	return int(((at.UnixNano()/int64(r.spacing))%n + n) % n)
}

// record keeps a snapshot whose instant is on the grid. What is kept of later
// instants, of a clock that was set back, is lost.
func (r *ring) record(s forecast.Snapshot) {
	at := s.GeneratedAt
	if len(r.replicas) == 0 || at.UnixNano()%int64(r.spacing) != 0 {
		return
	}
	if !r.last.IsZero() {
		missed := min(int(at.Sub(r.last)/r.spacing), len(r.replicas))
		for i := range missed {
			r.blank(r.slot(at.Add(-time.Duration(i) * r.spacing)))
		}
		ahead := min(int(r.last.Sub(at)/r.spacing), len(r.replicas))
		for i := range ahead {
			r.blank(r.slot(r.last.Add(-time.Duration(i) * r.spacing)))
		}
	}
	r.last = at
	slot, n := r.slot(at), newestOf(s)
	level, high := upper(s)
	if high != nil { // a plan for the load observed now has none
		r.level = level
	}
	r.replicas[slot] = n.Replicas[0]
	for _, l := range r.leads {
		if l.steps >= len(n.Median) {
			continue
		}
		l.median[slot] = n.Median[l.steps]
		if high != nil {
			l.upper[slot] = float32(high[l.steps])
		}
		most, _ := n.At(at, l.ahead)
		l.replicas[slot] = int32(most) //nolint:gosec // the largest of int32s
	}
}

// each calls visit with every slot that is remembered and its instant, oldest
// first.
func (r *ring) each(visit func(at time.Time, slot int)) {
	if r.last.IsZero() {
		return
	}
	for i := range slices.Backward(r.replicas) {
		at := r.last.Add(-time.Duration(i) * r.spacing)
		if slot := r.slot(at); r.replicas[slot] != none {
			visit(at, slot)
		}
	}
}
