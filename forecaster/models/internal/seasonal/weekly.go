package seasonal

import "math"

// reliable is the correlation of two halves above which what days of the week
// do is believed. Hours of one day err together, so chance alone reaches 0.3.
const reliable = 0.5

// WeekShape is the shape of the day, for every day of the week less or more
// what that day's hours lay above or below it (as a ratio, where that is set),
// shrunk by how well every other week agrees with the rest about it (Spearman
// and Brown 1910). It is nil where they do not, or there are not two whole
// weeks of y.
func WeekShape(y []float64, daily, weekly Slots, dayShape []float64, ratio bool) []float64 {
	if dayShape == nil || weekly.Count == 0 || len(y) < 2*weekly.Width() {
		return nil
	}
	cells := 7 * min(24, daily.Count)
	perCell := weekly.Count / cells
	if weekly.Count%cells != 0 {
		return nil
	}
	var halves [2][]float64
	for half := range halves {
		halves[half] = cellMeans(y, daily, weekly, dayShape, ratio, cells, half)
	}
	r := correlation(halves[0], halves[1])
	if !(r > reliable) {
		return nil
	}
	shape := make([]float64, weekly.Count)
	for slot := range shape {
		at := (float64(slot)+0.5)/float64(perCell) - 0.5
		low := int(math.Floor(at))
		a, b := wrap(low, cells), wrap(low+1, cells)
		share := at - float64(low)
		above := 0.0
		for _, half := range halves {
			above += (half[a]*(1-share) + half[b]*share) / 2
		}
		above *= 2 * r / (1 + r)
		if ratio {
			shape[slot] = dayShape[slot%daily.Count] * (1 + above)
		} else {
			shape[slot] = dayShape[slot%daily.Count] + above
		}
	}
	return balanced(shape, ratio)
}

// cellMeans are the means of what every other week leaves of y when level and
// day are taken out, by cells of the week.
func cellMeans(y []float64, daily, weekly Slots, dayShape []float64, ratio bool, cells, half int) []float64 {
	rest := make([]float64, len(y))
	for t, v := range y {
		rest[t] = v - dayShape[daily.Of(t)]
		if ratio {
			rest[t] = v / dayShape[daily.Of(t)]
		}
	}
	level := Average(rest, weekly.Width())
	means, counts := make([]float64, cells), make([]float64, cells)
	for t, v := range rest {
		if t/weekly.Width()%2 != half {
			continue
		}
		around := level[max(0, min(len(level)-1, t-weekly.Width()/2))]
		above := v - around
		if ratio {
			above = v/around - 1
		}
		cell := weekly.Of(t) * cells / weekly.Count
		counts[cell]++
		means[cell] += (above - means[cell]) / counts[cell]
	}
	return means
}

// correlation is Pearson's r; NaN where either does not vary.
func correlation(a, b []float64) float64 {
	ma, mb := Mean(a), Mean(b)
	var aa, bb, ab float64
	for i := range a {
		aa += (a[i] - ma) * (a[i] - ma)
		bb += (b[i] - mb) * (b[i] - mb)
		ab += (a[i] - ma) * (b[i] - mb)
	}
	return ab / math.Sqrt(aa*bb)
}

// balanced makes a shape lie above nothing on the whole.
func balanced(shape []float64, ratio bool) []float64 {
	mean := Mean(shape)
	for i := range shape {
		if ratio {
			shape[i] /= mean
		} else {
			shape[i] -= mean
		}
	}
	return shape
}
