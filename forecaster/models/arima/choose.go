package arima

import "math"

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
	gamma := make([]float64, lags+1)
	mu := autocovariances(y, gamma, make([]float64, len(y)))
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

// choice is an order and how well moments say it fits.
type choice struct {
	p, q   int
	aicc   float64
	ar, ma [maxChosen]float64
}

// choose ranks orders on a differenced series by AICc, with the variance each
// leaves estimated from moments alone: up to five autoregressive lags, or up to
// two of them with up to three of the shocks. The best come first.
func choose(w []float64, mean bool) []choice {
	m := newMoments(w, make([]float64, len(w)), longest(len(w)), maxChosen)
	if !(m.gamma[0] > 0) {
		return []choice{{}}
	}
	var out []choice
	for p := 0; p <= maxChosen; p++ {
		for q := 0; q <= 3; q++ {
			if q > 0 && p > 2 || p+q > len(w)/8 {
				continue
			}
			c := choice{p: p, q: q}
			sigma2, ok := m.estimate(p, q, c.ar[:p], c.ma[:q])
			if !ok || !(sigma2 > 1e-12*m.gamma[0]) || !admissible(coefficients{ar: c.ar[:p], ma: c.ma[:q]}) {
				continue
			}
			k := p + q + 1
			if mean {
				k++
			}
			logLik := -0.5 * float64(len(w)) * (math.Log(2*math.Pi*sigma2) + 1)
			c.aicc = aicc(logLik, k, len(w))
			out = insert(out, c)
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
