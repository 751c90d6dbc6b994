package arima

import (
	"fmt"
	"slices"

	"github.com/kedastral/kedastral/forecaster/models"
	"github.com/kedastral/kedastral/forecaster/models/internal/seasonal"
)

const (
	// short series are fitted by exact likelihood, for the lags that
	// conditioning sets aside are dear there and the filter is cheap.
	short       = 200
	shortSeason = 24
	// long series are given the order that moments rank first: with so much
	// data runners-up are as good, and each costs passes over all of it.
	long = 400

	ranked = 3 // orders tried on series that are not long
)

// Search finds an order for a series and fits it, as Hyndman and Khandakar
// (2008) do but ranking orders by moments first: differences by tests, lags by
// AICc. gaps marks values that were filled in, nil for none; a season of 1 is
// none. The cost is bounded: at most fifteen conditional fits and one exact one.
func Search(y []float64, gaps []bool, season int) (Fit, error) {
	if len(y) < 2*season {
		season = 1
	}
	o := Order{Season: season}
	if seasonal.Strength(y, season) > strong {
		o.SD = 1
	}
	o.D = min(1, Differences(difference(y, o))) // twice would carry a slope on without bound
	o.Mean = o.D+o.SD == 0
	w := difference(y, o)
	exact := gaps == nil && len(y) < short && season <= shortSeason
	best, found := Fit{}, false
	var failed error
	for _, c := range contenders(choose(w, o.Mean), len(y)) {
		o.P, o.Q = c.p, c.q
		for _, o := range withSeason(o, len(y)) {
			fit, err := c.fit(y, w, gaps, o)
			if err == nil && exact {
				fit.AICc, err = exactAICc(w, o, fit)
			}
			if err != nil {
				failed = err
			} else if !found || fit.AICc < best.AICc {
				best, found = fit, true
			}
		}
	}
	switch {
	case !found && failed != nil:
		return Fit{}, failed
	case !found:
		return Fit{}, fmt.Errorf("choosing an ARIMA order for %d values: %w", len(y), models.ErrTooShort)
	case exact:
		return Exact(y, best.Order)
	}
	return best, nil
}

// fit starts from what the moments found; w is y differenced.
func (c choice) fit(y, w []float64, gaps []bool, o Order) (Fit, error) {
	if err := fittable(len(y), o); err != nil {
		return Fit{}, err
	}
	v, parts := blank(w, o)
	copy(parts.ar, c.ar[:])
	copy(parts.ma, c.ma[:])
	return conditionalFrom(w, make([]float64, len(y)), gaps, o, v)
}

// exactAICc compares conditional fits of short series fairly: it counts the
// residuals that each of them conditioned away.
func exactAICc(w []float64, o Order, f Fit) (float64, error) {
	l, ok := newKalman(w, o).evaluate(f.polynomials())
	if !ok {
		return 0, fmt.Errorf("fitting ARIMA%v: no stationary fit", o)
	}
	return aicc(l.logLik, o.parameters()+1, l.n), nil
}

// contenders are the orders worth a fit. On series that are not long a season
// blurs the moments, so the two simplest moving averages are always among them.
func contenders(all []choice, n int) []choice {
	if n > long {
		return all[:min(1, len(all))]
	}
	out := slices.Clone(all[:min(ranked, len(all))])
	for _, simple := range []choice{{q: 1}, {p: 1, q: 1}} {
		if !slices.ContainsFunc(out, func(c choice) bool { return c.p == simple.p && c.q == simple.q }) && n > 20 {
			out = append(out, simple)
		}
	}
	return out
}

// withSeason adds the seasonal parts worth comparing. A seasonal moving average
// averages over past seasons, which is most of what a season has to say; what
// else there is to try pays on short series only.
func withSeason(o Order, n int) []Order {
	with := func(sp, sq int) Order { o.SP, o.SQ = sp, sq; return o }
	switch seasons := n / max(o.Season, 1); {
	case o.Season < 2 || seasons < 2:
		return []Order{o}
	case o.SD == 0:
		return []Order{o, with(1, 0)}
	case seasons < 3: // one season of differences holds no second one to average
		return []Order{o}
	case n > long:
		return []Order{with(0, 1)}
	default:
		return []Order{with(0, 1), with(1, 0), with(1, 1)}
	}
}
