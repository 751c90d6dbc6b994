package auto

const (
	newestSteps   = 4096 // steps the search for a period looks at
	leastRepeat   = 0.3  // autocorrelation that makes a period
	leastCycles   = 3    // cycles a period must have shown
	mostCycles    = 12   // cycles that shape it
	shortestCycle = 3    // steps
)

// period finds a cycle beside day and week: cron jobs on the hour before there
// is a day to learn them from, batches every ninety minutes after. It is the
// shortest lag at which the autocorrelation of the detrended series peaks close
// to its highest, or 0.
func (w *workspace) period(seasonal bool) int {
	g := &w.grid
	n := min(g.n, newestSteps)
	longest := n / leastCycles
	if seasonal {
		longest = min(longest, g.day*3/4) // a day and its multiples have curves of their own
	}
	if longest <= shortestCycle {
		return 0
	}
	size := 4
	for size < n+longest {
		size *= 2
	}
	w.autocorrelation(seasonal, n, longest, size)
	a := w.wave[:longest+1]
	best := 0.0
	for lag := shortestCycle; lag < longest; lag++ {
		if peak(a, lag) {
			best = max(best, a[lag])
		}
	}
	if !(best > leastRepeat*a[0]) {
		return 0
	}
	for lag := shortestCycle; lag < longest; lag++ {
		if peak(a, lag) && a[lag] >= 0.9*best {
			return lag
		}
	}
	return 0
}

func peak(a []float64, lag int) bool { return a[lag] > a[lag-1] && a[lag] >= a[lag+1] }

// autocorrelation fills w.wave with the autocorrelation of the newest n steps, less
// the daily season and what moves slower than the longest cycle looked for.
func (w *workspace) autocorrelation(seasonal bool, n, longest, size int) {
	g := &w.grid
	w.wave = grow(w.wave, size)
	clear(w.wave)
	if seasonal {
		w.vintage.begin(g.day, 0, true, false)
		w.season(w.vintage.daily, g.n)
	}
	w.sum = grow(w.sum, n+1)
	w.sum[0] = 0
	for i := range n {
		t := g.n - n + i
		w.wave[i] = g.z[t]
		if seasonal {
			w.wave[i] -= w.vintage.daily[g.slot[t]]
		}
		w.sum[i+1] = w.sum[i] + w.wave[i]
	}
	reach := max(longest/2, 1)
	for i := range n {
		from, to := max(0, i-reach), min(n, i+reach+1)
		w.wave[i] -= (w.sum[to] - w.sum[from]) / float64(to-from)
		if !g.ok[g.n-n+i] {
			w.wave[i] = 0
		}
	}
	w.correlator.correlate(w.wave)
}

// recur sets the cycle of the vintage: like the daily season the trimmed mean
// by place in the period, over whole periods centred by their own mean.
func (w *workspace) recur(v *vintage) {
	g, period := &w.grid, len(v.cycle)
	half := period / 2
	from := max(half, v.at-half-mostCycles*period)
	lo := from - half
	w.sum = grow(w.sum, v.at-lo+1)
	w.x2 = grow(w.x2, v.at-lo)
	w.sum[0] = 0
	for t := lo; t < v.at; t++ {
		w.x2[t-lo] = g.z[t]
		if v.daily != nil {
			w.x2[t-lo] -= v.daily[g.slot[t]]
		}
		w.sum[t-lo+1] = w.sum[t-lo] + w.x2[t-lo]
	}
	w.places.reset(period, mostCycles+1, from)
	for t := from; t < v.at-half; t++ {
		if g.ok[t] {
			i := t - lo
			w.places.put(g.phase(t, period), w.x2[i]-(w.sum[i-half+period]-w.sum[i-half])/float64(period))
		}
	}
	w.places.means(v.cycle)
}
