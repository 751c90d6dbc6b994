package arima

import (
	"math"

	"gonum.org/v1/gonum/floats"
)

const (
	maxChosen = 5     // no chosen p or q is larger
	kpssAt5   = 0.463 // 5 % point of the test's statistic around a level

	// strong is the share of seasonal variance above which a season is worth
	// differencing, as Wang, Smith and Hyndman (2006) measure it.
	strong = 0.64
)

// Differences is how many first differences make a series stationary, by the
// test of Kwiatkowski, Phillips, Schmidt and Shin (1992) at 5 %, at most two.
func Differences(y []float64) int {
	w := y
	for d := range maxDifferences {
		if len(w) < 4 || kpss(w) <= kpssAt5 {
			return d
		}
		w = difference(y, Order{D: d + 1})
	}
	return maxDifferences
}

// kpss is the test's statistic: the partial sums of the series around its
// mean against its long-run variance, estimated with ⌊3√n/13⌋ lags.
func kpss(y []float64) float64 {
	n := len(y)
	lags := int(3 * math.Sqrt(float64(n)) / 13)
	gamma, mu := autocovariances(y, lags)
	long := gamma[0]
	for k := 1; k <= lags; k++ {
		long += 2 * (1 - float64(k)/float64(lags+1)) * gamma[k]
	}
	var sum, squares float64
	for _, v := range y {
		sum += v - mu
		squares += sum * sum
	}
	if !(long > 0) {
		return 0
	}
	return squares / float64(n) / float64(n) / long
}

// Strength is the share of the variance around the trend that the season
// accounts for, 0 to 1; 0 where the series holds less than two seasons.
func Strength(y []float64, season int) float64 {
	n := len(y)
	if season < 2 || n < 2*season {
		return 0
	}
	rest, first := detrended(y, season)
	means, counts := make([]float64, season), make([]float64, season)
	for i, v := range rest {
		slot := (first + i) % season
		counts[slot]++
		means[slot] += (v - means[slot]) / counts[slot]
	}
	var within, total, mu float64
	mu = floats.Sum(rest) / float64(len(rest))
	for i, v := range rest {
		slot := (first + i) % season
		within += (v - means[slot]) * (v - means[slot])
		total += (v - mu) * (v - mu)
	}
	// Means of few seasons fit by chance; counting degrees of freedom undoes it.
	free := float64(len(rest) - season)
	if !(total > 0) || free <= 0 {
		return 0
	}
	return max(0, 1-within/free/(total/float64(len(rest)-1)))
}

// detrended is the series less its centred moving average over one season,
// where that exists, and the index of its first value.
func detrended(y []float64, season int) (rest []float64, first int) {
	half := season / 2
	var sum float64
	for _, v := range y[:season] {
		sum += v
	}
	for t := half; t+half < len(y); t++ {
		centre := sum
		if season%2 == 0 { // an even window has half a value at each end
			centre += (y[t+half] - y[t-half]) / 2
		}
		rest = append(rest, y[t]-centre/float64(season))
		if next := t - half + season; next < len(y) {
			sum += y[next] - y[t-half]
		}
	}
	return rest, half
}

// choice is an order and how well moments say it fits.
type choice struct {
	p, q int
	aicc float64
}

// choose ranks orders on a differenced series by AICc, with the variance each
// leaves estimated from moments alone: up to five autoregressive lags, or up to
// two of them with up to three of the shocks. The best come first.
func choose(w []float64, mean bool) []choice {
	m := newMoments(w, longest(len(w)))
	if !(m.gamma[0] > 0) {
		return []choice{{}}
	}
	var out []choice
	var ar, ma [maxChosen]float64
	for p := 0; p <= maxChosen; p++ {
		for q := 0; q <= 3; q++ {
			if q > 0 && p > 2 || p+q > len(w)/8 {
				continue
			}
			sigma2, ok := m.estimate(p, q, ar[:p], ma[:q])
			if !ok || !(sigma2 > 1e-12*m.gamma[0]) || !admissible(coefficients{ar: ar[:p], ma: ma[:q]}) {
				continue
			}
			k := p + q + 1
			if mean {
				k++
			}
			logLik := -0.5 * float64(len(w)) * (math.Log(2*math.Pi*sigma2) + 1)
			out = insert(out, choice{p, q, aicc(logLik, k, len(w))})
		}
	}
	return out
}

// insert keeps choices ascending by AICc; equals stay in the order they came.
func insert(all []choice, c choice) []choice {
	i := len(all)
	all = append(all, c)
	for ; i > 0 && all[i-1].aicc > c.aicc; i-- {
		all[i] = all[i-1]
	}
	all[i] = c
	return all
}
