package auto

import (
	"context"
	"math"
	"slices"
)

const (
	mostOrigins = 300 // of the replay
	freshShare  = 0.6 // of a history seasons have learnt from before the replay starts, at most a week
	coldShare   = 0.2 // the same without seasons
	coldParts   = 8   // times the cycle is refreshed in a replay without seasons
	golden      = 0.6180339887498949
)

// replay forecasts the past from origins spread over it, each with what was
// known then, and leaves seasons, weights and regression as they are now.
func (w *workspace) replay(ctx context.Context, f *fit, period int) error {
	g, K, E := &w.grid, len(f.knots), len(f.experts)
	furthest := f.knots[K-1]
	first := max(1, int(coldShare*float64(g.n)))
	var prior []float64
	if f.seasonal {
		first = max(g.day, min(int(freshShare*float64(g.n)), g.week))
	} else {
		prior = worth[:E]
	}
	w.spreadOrigins(first)
	w.age()
	N := len(w.origins)
	w.preds, w.roots, w.target = grow(w.preds, N*K*E), grow(w.roots, N*K*E), grow(w.target, N*K)
	w.base, w.fitted, w.mean = grow(w.base, N*K), grow(w.fitted, N*K), grow(w.mean, N*K)
	w.moments, w.pending = grow(w.moments, N), grow(w.pending, K)
	clear(w.pending)
	w.blend.reset(K, E, prior)
	w.top.reset(K, 2, nil)
	w.fit.reset(K, len(f.picks)+extraFeatures)
	w.bank.reset(f.step, furthest)
	w.vintage.begin(g.day, period, f.seasonal, slices.Contains(f.follows, weekly))
	if err := w.live(ctx, f, first, furthest); err != nil {
		return err
	}
	w.settleAll(f)
	f.seasons = w.vintage.clone()
	f.weight = append([]float64(nil), w.blend.weight...)
	f.top = append([]float64(nil), w.top.weight...)
	f.beta = append([]float64(nil), w.fit.beta...)
	return nil
}

// spreadOrigins places origins after observed steps from first on, evenly but
// not in step with any hour.
func (w *workspace) spreadOrigins(first int) {
	g := &w.grid
	count := min(g.n-first, mostOrigins)
	stride := float64(g.n-first) / float64(max(count, 1))
	w.origins = w.origins[:0]
	for i := range count {
		_, jitter := math.Modf(float64(i) * golden)
		if o := first + int((float64(i)+jitter)*stride); o < g.n && g.ok[o-1] {
			w.origins = append(w.origins, o)
		}
	}
}

// live goes through the past part by part, a day each: seasons and regression
// are refreshed on its morning, then levels follow every step and forecasts are
// made at the origins.
func (w *workspace) live(ctx context.Context, f *fit, first, furthest int) error {
	g, part := &w.grid, w.grid.day
	c := g.n - (g.n-first+part-1)/part*part
	if !f.seasonal {
		part, c = max(1, (g.n-first+coldParts-1)/coldParts), first
	}
	next, learnt := 0, 0
	for c = max(c, min(first, part)); c < g.n; c += part {
		if err := ctx.Err(); err != nil {
			return err
		}
		until := min(g.n, c+part)
		w.advance(&w.vintage, c)
		from := learnt
		for learnt < next && w.origins[learnt]+furthest <= c {
			learnt++
		}
		w.study(f, from, learnt)
		w.fit.forget()
		lo := max(0, c-w.warm(f.seasonal))
		w.draw(&w.vintage, lo, min(len(g.slot), until+furthest), furthest)
		w.bank.state = state{}
		next = w.part(f, next, lo, until)
	}
	w.study(f, learnt, next)
	w.advance(&w.vintage, g.n)
	return nil
}

// part lives through the steps from lo on, forecasting from the origins before
// until; next is the first of them and what it returns the first after.
func (w *workspace) part(f *fit, next, lo, until int) int {
	for ; next < len(w.origins) && w.origins[next] < until; next++ {
		o := w.origins[next]
		w.bank.follow(&w.grid, &w.curves, lo, o, f.follows)
		w.forecast(f, next)
		lo = o
	}
	return next
}

// warm is how many steps the bank runs before its levels count.
func (w *workspace) warm(seasonal bool) int {
	if seasonal {
		return w.grid.day / 2
	}
	return w.grid.day * 2
}

// forecast has the experts, the blend and the regression of the time forecast
// from the i-th origin.
func (w *workspace) forecast(f *fit, i int) {
	g, o, K, E := &w.grid, w.origins[i], len(f.knots), len(f.experts)
	w.moments[i] = g.look(o)
	m := &w.moments[i]
	for k, h := range f.knots {
		j, t := i*K+k, o+h-1
		w.target[j] = math.NaN()
		if t >= g.n {
			continue
		}
		if g.ok[t] {
			w.target[j] = g.z[t]
		}
		row := w.preds[j*E : (j+1)*E]
		w.ask(row, f.experts, m, t, h)
		w.settle(f, k, o)
		w.base[j] = blended(w.blend.weigh(k), row, f.scaling.signed)
		w.fitted[j], w.mean[j] = w.base[j], w.base[j]
		if len(f.picks) > 0 {
			w.features(f.picks, row, m, w.base[j])
			w.fitted[j] += w.fit.at(k, w.feature)
			top := w.top.weigh(k)
			w.mean[j] = blended(top, []float64{w.base[j], w.fitted[j]}, f.scaling.signed)
		}
	}
}

// settle takes the outcomes at knot k known at step now into the weights.
func (w *workspace) settle(f *fit, k, now int) {
	K, E := len(f.knots), len(f.experts)
	for ; w.pending[k] < len(w.origins) && w.origins[w.pending[k]] <= now-f.knots[k]; w.pending[k]++ {
		i := w.pending[k]
		j := i*K + k
		y := w.target[j]
		if math.IsNaN(y) {
			continue
		}
		left := w.fade[i]
		roots := w.roots[j*E : (j+1)*E]
		for e, p := range w.preds[j*E : (j+1)*E] {
			roots[e] = root(y - p)
		}
		w.blend.learn(k, roots, left)
		w.top.learn(k, []float32{root(y - w.base[j]), root(y - w.fitted[j])}, left)
	}
}

// settleAll takes in every outcome and sets the weights of now.
func (w *workspace) settleAll(f *fit) {
	for k := range f.knots {
		w.settle(f, k, math.MaxInt)
		if f.seasonal {
			w.favour(f, k)
		}
	}
	for k := range f.knots {
		w.blend.weigh(k)
		w.top.weigh(k)
	}
}
