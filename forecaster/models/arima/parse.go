package arima

import (
	"fmt"
	"strconv"
	"strings"
)

// Parse reads an order written p,d,q or p,d,q,P,D,Q. The season of a seasonal
// one is left open; the mean is estimated where nothing is differenced.
func Parse(text string) (Order, error) {
	words := strings.Split(text, ",")
	if len(words) != 3 && len(words) != 6 {
		return Order{}, fmt.Errorf("order %q: must be p,d,q or p,d,q,P,D,Q: %w", text, ErrOrder)
	}
	var v [6]int
	for i, word := range words {
		n, err := strconv.Atoi(strings.TrimSpace(word))
		if err != nil {
			return Order{}, fmt.Errorf("order %q: %q must be a whole number: %w", text, word, ErrOrder)
		}
		v[i] = n
	}
	o := Order{P: v[0], D: v[1], Q: v[2], SP: v[3], SD: v[4], SQ: v[5], Mean: v[1]+v[4] == 0}
	checked := o
	checked.Season = 2 // left open
	return o, checked.Validate()
}
