package arima_test

import (
	"math"
	"testing"

	"github.com/kedastral/kedastral/forecaster/models/arima"
	"github.com/kedastral/kedastral/forecaster/models/internal/reference"
	"github.com/kedastral/kedastral/forecaster/models/internal/seasonal"
)

func TestDifferencesAgreeWithR(t *testing.T) {
	ref := reference.Read(t, fixture)
	for _, name := range []string{"air", "lynx", "loglynx", "deaths", "nottem"} {
		y := ref.Values(t, name, "y")
		if got, want := arima.Differences(y), int(ref.Value(t, name, "ndiffs")); got != want {
			t.Errorf("Differences(%s) = %d, R has %d", name, got, want)
		}
		season := int(ref.Value(t, name, "season"))
		strong := seasonal.Strength(y, season) > 0.64
		if want := ref.Value(t, name, "nsdiffs") > 0 && season > 1; strong != want {
			t.Errorf("Strength(%s) = %.2f; R differences the season: %v", name, seasonal.Strength(y, season), want)
		}
	}
}

// Search fits every order it ranks high; R's exhaustive search is the bar.
func TestSearchIsAsGoodAsR(t *testing.T) {
	const slack = 2 // in AICc: below it two orders are as good as each other
	ref := reference.Read(t, fixture)
	for _, name := range []string{"air", "lynx", "loglynx", "deaths", "nottem"} {
		fit, err := arima.Search(ref.Values(t, name, "y"), nil, int(ref.Value(t, name, "season")))
		if err != nil {
			t.Fatal(err)
		}
		want := ref.Value(t, name+":auto", "aicc")
		t.Logf("%s: %v AICc %.2f, R %v %.2f", name, fit.Order, fit.AICc, orderOf(ref.Values(t, name+":auto", "order")), want)
		if math.IsNaN(fit.AICc) || fit.AICc > want+slack {
			t.Errorf("Search(%s) = %v with AICc %.2f, R finds %.2f", name, fit.Order, fit.AICc, want)
		}
	}
}
