package auto

import (
	"math"
	"math/bits"
)

// correlator finds autocorrelations by way of the power spectrum (Wiener and
// Khinchin), in time n·log n.
//
// It does no more than it must, as the search for a period would else be a
// quarter of a fit: a real series goes as half as many complex numbers (its even
// places and its odd ones), and neither transform puts its result in order, for
// what is done in between does not mind the order and the second transform
// begins from where the first one ends.
type correlator struct {
	turn []complex128 // e^(−2πik/size) for k below half of the size
	z    []complex128
}

// correlate replaces the series by its autocorrelation times a constant, at
// lags from 0. The length is a power of two of at least four; what lags reach
// beyond the series must be zeros at its end.
func (c *correlator) correlate(series []float64) {
	half := len(series) / 2
	c.prepare(half)
	z := c.z
	for i := range z {
		z[i] = complex(series[2*i], series[2*i+1])
	}
	c.forth(z)
	c.power(z)
	c.back(z)
	for i, v := range z {
		series[2*i], series[2*i+1] = real(v), imag(v)
	}
}

func (c *correlator) prepare(half int) {
	c.z = grow(c.z, half)
	if len(c.turn) == half {
		return
	}
	c.turn = grow(c.turn, half)
	for k := range c.turn {
		sin, cos := math.Sincos(-math.Pi * float64(k) / float64(half))
		c.turn[k] = complex(cos, sin)
	}
}

// forth is the transform by Gentleman and Sande (1966): in order to bits
// reversed.
func (c *correlator) forth(z []complex128) {
	for size, stride := len(z), 2; size > 1; size, stride = size/2, stride*2 {
		for from := 0; from < len(z); from += size {
			a, b := z[from:from+size/2], z[from+size/2:from+size]
			for i, j := 0, 0; i < len(a) && i < len(b); i, j = i+1, j+stride {
				u, v := a[i], b[i]
				a[i], b[i] = u+v, (u-v)*c.turn[j]
			}
		}
	}
}

// back is the inverse by Cooley and Tukey (1965), but for the constant: bits
// reversed to in order.
func (c *correlator) back(z []complex128) {
	for size, stride := 2, len(z); size <= len(z); size, stride = size*2, stride/2 {
		for from := 0; from < len(z); from += size {
			a, b := z[from:from+size/2], z[from+size/2:from+size]
			for i, j := 0, 0; i < len(a) && i < len(b); i, j = i+1, j+stride {
				t := c.turn[j]
				u, v := a[i], b[i]*complex(real(t), -imag(t))
				a[i], b[i] = u+v, u-v
			}
		}
	}
}

// power turns the transform of the packed series into that of its packed
// autocorrelation. With E and O the transforms of the even and odd places and
// w the turn at k, the power at k and at half − k is |E|² + |O|² ± 2·Re(E·(wO)*).
func (c *correlator) power(z []complex128) {
	half := len(z)
	shift := bits.LeadingZeros64(uint64(half - 1))
	for k := range half/2 + 1 {
		i := int(bits.Reverse64(uint64(k)) >> shift)
		j := int(bits.Reverse64(uint64(half-k)&uint64(half-1)) >> shift)
		a, b := z[i], complex(real(z[j]), -imag(z[j]))
		even, odd := (a+b)/2, (a-b)*complex(0, -0.5)
		w := c.turn[k]
		turned := odd * w
		sum := real(even)*real(even) + imag(even)*imag(even) + real(odd)*real(odd) + imag(odd)*imag(odd)
		difference := 2 * (real(even)*real(turned) + imag(even)*imag(turned))
		z[i] = complex(sum+difference*imag(w), difference*real(w))
		z[j] = complex(sum-difference*imag(w), difference*real(w))
	}
}
