package arima

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/kedastral/kedastral/forecaster/features"
)

// The short way says what filtering says, for every form of a process, and
// leaves to the long way what it cannot say.
func TestShortcutIsTheFilteredPath(t *testing.T) {
	y := make([]float64, 900)
	for i := range y {
		y[i] = 500 + 40*math.Sin(float64(i)/50) + 10*math.Sin(float64(i*i))
	}
	frame := features.Frame{Start: time.Unix(0, 0), Step: time.Minute, Observed: y, Horizon: 12}
	for _, order := range []Order{
		{P: 1, D: 1, Q: 1}, {P: 2, Q: 2, Mean: true}, {P: 3, D: 1}, {D: 2, Q: 1}, {Q: 3, Mean: true}, {D: 1}, {Mean: true},
	} {
		m := &method{name: "arima", window: window, order: &order}
		if err := m.Fit(t.Context(), frame); err != nil {
			t.Fatalf("%v: %v", order, err)
		}
		short, long := make([]float64, 12), make([]float64, 12)
		if !m.shortcut.path(y, short) {
			t.Errorf("%v: not answered, with %d values and a memory of %d", order, len(y), m.memory)
			continue
		}
		m.filtered(y, long)
		// A shock is forgotten when a thousandth of it is left; here they are about 30.
		if diff := cmp.Diff(long, short, cmpopts.EquateApprox(0, 0.1)); diff != "" {
			t.Errorf("%v (-filtered +shortcut):\n%s", order, diff)
		}
		gap := append([]float64(nil), y...)
		gap[len(gap)-1] = math.NaN()
		for what, observed := range map[string][]float64{"a gap at the end": gap, "nothing": nil} {
			if (order.D > 0 || order.lags() > 0) && m.shortcut.path(observed, short) {
				t.Errorf("%v: answered after %s", order, what)
			}
		}
		if m.shortcut.path(y, make([]float64, 13)) {
			t.Errorf("%v: answered for more steps than were worked out", order)
		}
	}
}
