package arima

import (
	"errors"
	"fmt"
)

// Order names an ARIMA(P,D,Q)(SP,SD,SQ)[Season] process:
//
//	φ(B)·Φ(Bˢ)·((1−B)ᴰ(1−Bˢ)ˢᴰ y − μ) = θ(B)·Θ(Bˢ)·e
//
// with φ(B) = 1 − φ₁B − … and θ(B) = 1 + θ₁B + …, the signs R uses.
type Order struct {
	P, D, Q    int
	SP, SD, SQ int
	Season     int  // steps in a season; needed by SP, SD and SQ only
	Mean       bool // estimate μ: a mean, or a drift where D + SD is 1
}

// Bounds of an order: what is beyond them is a mistake or never pays.
const (
	maxLags        = 12
	maxDifferences = 2
)

// ErrOrder is an order that cannot be fitted.
var ErrOrder = errors.New("invalid ARIMA order")

// Validate reports everything wrong with the order.
func (o Order) Validate() error {
	var faults []error
	for _, part := range []struct {
		name       string
		value, max int
	}{
		{"p", o.P, maxLags},
		{"d", o.D, maxDifferences},
		{"q", o.Q, maxLags},
		{"seasonal p", o.SP, maxLags},
		{"seasonal d", o.SD, maxDifferences},
		{"seasonal q", o.SQ, maxLags},
	} {
		if part.value < 0 || part.value > part.max {
			faults = append(faults, fmt.Errorf("%s=%d: must be 0 to %d: %w", part.name, part.value, part.max, ErrOrder))
		}
	}
	if o.Seasonal() && o.Season < 2 {
		faults = append(faults, fmt.Errorf("season=%d: a seasonal order needs at least 2 steps: %w", o.Season, ErrOrder))
	}
	return errors.Join(faults...)
}

// Seasonal reports whether the order has any seasonal part.
func (o Order) Seasonal() bool { return o.SP+o.SD+o.SQ > 0 }

func (o Order) String() string {
	text := fmt.Sprintf("(%d,%d,%d)", o.P, o.D, o.Q)
	if o.Seasonal() {
		text += fmt.Sprintf("(%d,%d,%d)[%d]", o.SP, o.SD, o.SQ, o.Season)
	}
	if o.Mean {
		text += " with mean"
	}
	return text
}

// lags is the number of AR and MA coefficients.
func (o Order) lags() int { return o.P + o.Q + o.SP + o.SQ }

// parameters is the number of coefficients; the variance is one more.
func (o Order) parameters() int {
	if o.Mean {
		return o.lags() + 1
	}
	return o.lags()
}

// lost is how many observations differencing uses up.
func (o Order) lost() int { return o.D + o.SD*o.Season }

// reach is the longest autoregressive lag on the differenced series.
func (o Order) reach() int { return o.P + o.SP*o.Season }

// minimum is the shortest series the order can be fitted to: enough residuals
// to tell every coefficient and the variance apart.
func (o Order) minimum() int { return o.lost() + o.reach() + o.parameters() + 3 }

// coefficients are views of one vector in R's order: AR, MA, seasonal AR,
// seasonal MA, mean.
type coefficients struct {
	ar, ma, sar, sma []float64
	mean             float64
}

func (o Order) split(v []float64) coefficients {
	var c coefficients
	c.ar, v = v[:o.P], v[o.P:]
	c.ma, v = v[:o.Q], v[o.Q:]
	c.sar, v = v[:o.SP], v[o.SP:]
	c.sma, v = v[:o.SQ], v[o.SQ:]
	if o.Mean {
		c.mean = v[0]
	}
	return c
}
