package auto

import (
	"fmt"
	"math"

	"github.com/kedastral/kedastral/forecaster/features"
	"github.com/kedastral/kedastral/forecaster/models"
)

const (
	huber      = 3.0  // a fit's misses beyond this many typical ones lose weight
	leastSkill = 0.75 // experts below this share of the best's skill are left out
	penalty    = 0.01
)

var debug = Debug{Origins: 300, Penalty: 0.1, RegKeep: 0.9, LossHalf: 1.5, Original: false, Least: 0.86, Hub: 3, Only: -1, Prior: 10, ColdFirst: 5, PS: 1, Near: 1, Mirror: 1, Evid: 1, Margin: 0.005, Hourly: true, RecHalf: 3, Sim: 4, SimW: 2.5, First: 0.6, Power: 0.5, Sharp: 24}

// Debug holds knobs while the model is being shaped.
type Debug struct {
	Origins                                   int
	Penalty                                   float64
	RegKeep                                   float64
	LossHalf                                  float64
	Original                                  bool
	NoFit, NoWeek, NoDay, Why                 bool
	Least                                     float64
	Only                                      int
	Prior, ColdFirst, PS                      float64
	Bias, Mirror, Near, Evid, Margin, RecHalf float64
	Hourly                                    bool
	Sim, SimW                                 float64
	Power, Norm, Sharp                        float64
	First                                     float64
	Hub                                       float64
}

// train fits everything to a history.
func (w *workspace) train(frame features.Frame, levels []float64) (*fit, error) {
	f := &fit{step: frame.Step, scaling: measure(frame.Observed), asked: levels, levels: ladder(levels)}
	if err := w.lay(frame, f.scaling); err != nil {
		return nil, err
	}
	g := &w.grid
	f.knots = knotsOf(frame.Horizon)
	f.seasonal = g.day >= 4 && g.n >= g.day+g.day/2
	f.experts = flatExperts
	if f.seasonal {
		f.experts = seasonalExperts
		if g.n >= g.week+2*g.day && !debug.NoWeek {
			f.experts = weeklyExperts
		}
	}
	if f.seasonal && !debug.NoFit {
		f.picks = picksOf(f.experts)
	}
	if f.seasonal {
		w.detrend()
	}
	w.replay(f, frame.Horizon)
	f.weight = append([]float64(nil), w.combine.weight...)
	f.beta = append([]float64(nil), w.fit.beta...)
	f.top = append([]float64(nil), w.top.weight...)
	if debug.Only >= 0 && debug.Only < len(f.experts) {
		for i := range f.weight {
			f.weight[i] = 0
			if i%len(f.experts) == debug.Only {
				f.weight[i] = 1
			}
		}
		for i := range f.top {
			f.top[i] = float64((i + 1) % 2)
		}
	}
	w.recency = grow(w.recency, len(w.origins))
	for i, o := range w.origins {
		w.recency[i] = math.Exp2(-float64(w.grid.n-o) / (debug.RecHalf * float64(w.grid.day)))
	}
	w.calibrate(f)
	if debug.Why {
		w.why(f)
	}
	return f, nil
}

// knotsOf spreads knots over a horizon, close at first.
func knotsOf(horizon int) []int {
	var knots []int
	for _, h := range []int{1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 144, 192, 288, 384, 576, 768, 1152, 1536} {
		if h < horizon {
			knots = append(knots, h)
		}
	}
	return append(knots, horizon)
}

// picksOf are the experts the regression looks at.
func picksOf(experts []expert) []int {
	var picks []int
	for i, e := range experts {
		switch e.follow {
		case raw:
			picks = append(picks, i)
		case ses:
			if e.curve == flat && e.rate != last || e.curve == daily && e.rate != min9 || e.curve == weekly && e.rate != min9 ||
				(e.curve == dayAgo || e.curve == weekAgo) && e.rate == last {
				picks = append(picks, i)
			}
		case median, slope:
			picks = append(picks, i)
		}
	}
	return picks
}

// features fills w.f with what the regression sees.
func (w *workspace) features(picks []int, row []float64, m *moment, base float64) {
	w.f = grow(w.f, len(picks)+5)
	for i, e := range picks {
		w.f[i] = row[e] - m.last
	}
	copy(w.f[len(picks):], m.steps[:])
	w.f[len(picks)+3] = 0.1
	w.f[len(picks)+4] = base - m.last
}

// replay forecasts the past from origins spread over it, each with what was
// known then, and leaves regression and weights as they are now.
func (w *workspace) replay(f *fit, horizon int) {
	g := &w.grid
	K, E := len(f.knots), len(f.experts)
	furthest := f.knots[K-1]
	w.bank.reset(f.step, furthest)
	first := max(1, int(float64(g.n)/debug.ColdFirst))
	if f.seasonal {
		first = max(g.day, min(int(debug.First*float64(g.n)), g.week))
	}
	count := min(g.n-first, debug.Origins)
	w.origins = w.origins[:0]
	stride := float64(g.n-first) / float64(max(count, 1))
	for i := range count {
		_, jitter := math.Modf(float64(i) * 0.6180339887)
		o := first + int((float64(i)+jitter)*stride)
		if o < g.n && g.ok[o-1] && g.ok[min(o, g.n-1)] {
			w.origins = append(w.origins, o)
		}
	}
	N := len(w.origins)
	w.preds = grow(w.preds, N*K*E)
	w.target = grow(w.target, N*K)
	w.mean = grow(w.mean, N*K)
	w.base, w.fitted = grow(w.base, N*K), grow(w.fitted, N*K)
	w.combine.reset(K, E)
	w.combine.prior = nil
	if !f.seasonal {
		w.combine.prior = []float64{1, 1.05, 1.3, 1.7, 1.3, 1.6, 1.12, 1.0, 1.25}
		for i := range w.combine.prior {
			w.combine.prior[i] = math.Pow(w.combine.prior[i], debug.PS)
		}
	}
	w.top.reset(K, 2)
	w.fit.reset(K, len(f.picks)+5)
	w.vintages(f, first, furthest)
}

// vintages walks day by day through the origins, then sets the seasons of now.
func (w *workspace) vintages(f *fit, first, furthest int) {
	g := &w.grid
	v := &w.vintage
	if f.seasonal {
		v.daily = grow(v.daily, g.day)
		for i := range v.profile {
			v.profile[i] = grow(v.profile[i], g.day)
			for k := range v.profile[i] {
				v.profile[i][k] = math.NaN()
			}
		}
		v.at = 0
	}
	end := flat + 1
	if f.seasonal {
		end = curveCount
	}
	c, next, pending := first, 0, make([]int, len(f.knots))
	if f.seasonal {
		c = g.n - (g.n-first+g.day-1)/g.day*g.day
		c = max(c, g.day)
	} else {
		w.bank.state = state{}
	}
	learnt := 0
	for c < g.n {
		until := g.n
		lo := 0
		if f.seasonal {
			until = min(g.n, c+g.day)
			lo = max(0, c-w.warm(true))
			w.age(v, c)
			w.draw(v, lo, min(len(g.slot), until+furthest), c, furthest)
			w.bank.state = state{}
			// refit
			for ; learnt < next && w.origins[learnt]+furthest <= c; learnt++ {
				w.learnOrigin(f, learnt)
			}
			w.fit.solve(debug.Penalty)
			w.fit.forget(debug.RegKeep)
		}
		for t := lo; t < until; t++ {
			for next < len(w.origins) && w.origins[next] == t && t >= c {
				w.evaluate(f, next)
				w.score(f, next, pending)
				next++
			}
			if g.ok[t] {
				w.bank.see(g.z[t], &w.curves, t, end)
			}
		}
		c = until
	}
	if f.seasonal {
		for ; learnt < next; learnt++ {
			w.learnOrigin(f, learnt)
		}
		w.fit.solve(debug.Penalty)
		w.age(v, g.n)
		f.season = vintage{at: v.at, daily: append([]float64(nil), v.daily...)}
		for i := range v.profile {
			f.season.profile[i] = append([]float64(nil), v.profile[i]...)
		}
	}
	for k := range f.knots {
		w.settle(f, k, math.MaxInt, pending)
		if debug.Sim > 0 && f.seasonal {
			w.similar(f, k)
		}
		w.combine.weigh(k)
		w.top.weigh(k)
	}
}

// age brings the seasons forward to step c.
func (w *workspace) age(v *vintage, c int) {
	g := &w.grid
	w.season(v.daily, c)
	for t := v.at; t < c; t++ {
		if !g.ok[t] {
			continue
		}
		s := g.slot[t]
		for i, d := range profileDecays {
			p := &v.profile[i][s]
			if math.IsNaN(*p) {
				*p = g.z[t]
			} else {
				*p = d**p + (1-d)*g.z[t]
			}
		}
	}
	v.at = c
	for i := range v.profile {
		bridgeSlots(v.profile[i])
	}
}

// evaluate has every expert forecast from the i-th origin.
func (w *workspace) evaluate(f *fit, i int) {
	g, o := &w.grid, w.origins[i]
	K, E := len(f.knots), len(f.experts)
	m := w.look(o)
	for k, h := range f.knots {
		t := o + h - 1
		row := w.preds[(i*K+k)*E : (i*K+k+1)*E]
		w.target[i*K+k] = math.NaN()
		if t < g.n && g.ok[t] {
			w.target[i*K+k] = g.z[t]
		}
		if t >= len(g.slot) {
			clear(row)
			w.target[i*K+k] = math.NaN()
			continue
		}
		for e, ex := range f.experts {
			row[e] = w.predict(ex, &m, t, h)
		}
	}
	w.moments = append(w.moments[:i], moment{last: m.last, steps: m.steps})
}

func (w *workspace) learnOrigin(f *fit, i int) {
	K, E := len(f.knots), len(f.experts)
	m := &w.moments[i]
	for k := range f.knots {
		y := w.target[i*K+k]
		if math.IsNaN(y) {
			continue
		}
		b := w.base[i*K+k]
		w.features(f.picks, w.preds[(i*K+k)*E:(i*K+k+1)*E], m, b)
		w.fit.learn(k, w.f, y-b, 1)
	}
}

// score blends the experts at the i-th origin with the weights of that time.
func (w *workspace) score(f *fit, i int, pending []int) {
	K, E := len(f.knots), len(f.experts)
	for k := range f.knots {
		w.settle(f, k, w.origins[i], pending)
	}
	for k := range f.knots {
		j := i*K + k
		row := w.preds[j*E : (j+1)*E]
		w.base[j] = w.blend(w.combine.weigh(k), row, f.scaling.signed)
		w.fitted[j], w.mean[j] = w.base[j], w.base[j]
		if len(f.picks) > 0 {
			w.features(f.picks, row, &w.moments[i], w.base[j])
			w.fitted[j] += w.fit.at(k, w.f)
			top := w.top.weigh(k)
			w.mean[j] = w.blend(top, []float64{w.base[j], w.fitted[j]}, f.scaling.signed)
		}
	}
}

// settle adds the errors known at step now to knot k's record.
func (w *workspace) settle(f *fit, k, now int, pending []int) {
	K, E := len(f.knots), len(f.experts)
	w.errs = grow(w.errs, E)
	for ; pending[k] < len(w.moments) && pending[k] < len(w.origins); pending[k]++ {
		i := pending[k]
		if w.origins[i] > now-f.knots[k] {
			return
		}
		y := w.target[i*K+k]
		if math.IsNaN(y) {
			continue
		}
		keep := 1.0
		if i > 0 {
			keep = math.Exp2(-float64(w.origins[i]-w.origins[i-1]) / (debug.LossHalf * float64(w.grid.day)))
		}
		row := w.preds[(i*K+k)*E : (i*K+k+1)*E]
		for e, p := range row {
			if f.scaling.signed || !debug.Original {
				w.errs[e] = abs(y - p)
			} else {
				p = max(p, 0)
				w.errs[e] = abs(y*y - p*p)
			}
		}
		w.normal()
		w.combine.learn(k, w.errs, keep)
		for e, p := range []float64{w.base[i*K+k], w.fitted[i*K+k]} {
			if f.scaling.signed || !debug.Original {
				w.errs[e] = abs(y - p)
			} else {
				p = max(p, 0)
				w.errs[e] = abs(y*y - p*p)
			}
		}
		w.errs = w.errs[:2]
		w.normal()
		w.top.learn(k, w.errs, keep)
		w.errs = w.errs[:E]
	}
}

var _ models.Model = (*Model)(nil)

func (w *workspace) why(f *fit) {
	K, E := len(f.knots), len(f.experts)
	for e, ex := range f.experts {
		fmt.Printf("%2d %v", e, ex)
		for k := range K {
			fmt.Printf(" %6.3f/%.2f", w.combine.loss[k*E+e]/max(1e-9, w.combine.seen[k])*f.scaling.unit, w.combine.weight[k*E+e])
		}
		fmt.Println()
	}
}

func (w *workspace) normal() {
	if debug.Power != 1 {
		for i := range w.errs {
			w.errs[i] = math.Pow(w.errs[i], debug.Power)
		}
	}
	if debug.Norm > 0 {
		sum := 0.0
		for _, x := range w.errs {
			sum += x
		}
		sum /= float64(len(w.errs))
		sum = math.Pow(sum, debug.Norm)
		if sum > 0 {
			for i := range w.errs {
				w.errs[i] /= sum
			}
		}
	}
}

func (w *workspace) similar(f *fit, k int) {
	K, E := len(f.knots), len(f.experts)
	loss := w.combine.loss[k*E : (k+1)*E]
	clear(loss)
	day := float64(w.grid.day)
	now := float64(int(w.grid.slot[w.grid.n-1]))
	for i, o := range w.origins {
		y := w.target[i*K+k]
		if math.IsNaN(y) {
			continue
		}
		d := abs(float64(w.grid.slot[o-1]) - now)
		d = min(d, day-d) / day * 24 / debug.SimW
		g := math.Exp2(-float64(w.grid.n-o)/(debug.LossHalf*day)) * (1 + debug.Sim*math.Exp(-d*d))
		row := w.preds[(i*K+k)*E : (i*K+k+1)*E]
		for e, p := range row {
			loss[e] += g * math.Sqrt(abs(y-p))
		}
	}
}
