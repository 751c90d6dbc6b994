package arima_test

import (
	"errors"
	"testing"

	"github.com/kedastral/kedastral/forecaster/models"
	"github.com/kedastral/kedastral/forecaster/models/arima"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]arima.Order{
		"2,1,1":       {P: 2, D: 1, Q: 1},
		" 1, 0, 0 ":   {P: 1, Mean: true},
		"1,0,1,0,1,1": {P: 1, Q: 1, SD: 1, SQ: 1},
	} {
		if got, err := arima.Parse(text); err != nil || got != want {
			t.Errorf("Parse(%q) = %+v, %v; want %+v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "1,1", "1,1,x", "-1,0,0", "0,3,0", "13,0,0", "1,1,1,1", "1,0,0,0,3,0"} {
		if got, err := arima.Parse(text); !errors.Is(err, arima.ErrOrder) {
			t.Errorf("Parse(%q) = %+v, %v; want ErrOrder", text, got, err)
		}
	}
}

func TestModelsRefuseAnOrderThatIsNotTheirs(t *testing.T) {
	if _, err := arima.New(models.Options{Order: "1,0,0,0,1,1"}); !errors.Is(err, arima.ErrOrder) {
		t.Errorf("arima with a seasonal order: %v; want ErrOrder", err)
	}
	for _, text := range []string{"1,1", "99,0,0"} {
		if _, err := arima.NewSeasonal(models.Options{Order: text}); !errors.Is(err, arima.ErrOrder) {
			t.Errorf("sarima with order %q: %v; want ErrOrder", text, err)
		}
	}
}
