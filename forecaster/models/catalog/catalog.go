// Package catalog makes models by name.
//
// It is a room of its own because models that are large have rooms of their
// own below forecaster/models, and all of them import it. A model belongs here
// once it passes modeltest.Run; nothing is listed that is not built.
package catalog

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/kedastral/kedastral/forecaster/models"
	"github.com/kedastral/kedastral/forecaster/models/arima"
	"github.com/kedastral/kedastral/forecaster/models/auto"
	"github.com/kedastral/kedastral/forecaster/models/byom"
	"github.com/kedastral/kedastral/forecaster/models/ets"
	"github.com/kedastral/kedastral/forecaster/models/theta"
)

// New makes the model of a name. A name that no model has is an error that
// lists those there are; so is a quantile level out of range.
func New(name string, o models.Options) (models.Model, error) {
	makeModel, ok := all()[name]
	if !ok {
		return nil, fmt.Errorf("model %q: must be one of %s", name, strings.Join(Names(), ", "))
	}
	if err := o.Validate(); err != nil {
		return nil, fmt.Errorf("model %s: %w", name, err)
	}
	m, err := makeModel(o)
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", name, err)
	}
	return m, nil
}

// Names are the models' names, ascending.
func Names() []string { return slices.Sorted(maps.Keys(all())) }

// constructor makes a model, or says which option it cannot work with.
type constructor func(models.Options) (models.Model, error)

func all() map[string]constructor {
	return map[string]constructor{
		"naive":          sure(models.NewNaive),
		"seasonal-naive": sure(models.NewSeasonalNaive),
		"auto":           sure(auto.New),
		"baseline":       sure(models.NewBaseline),
		"arima":          checked(arima.New),
		"sarima":         checked(arima.NewSeasonal),
		"ets":            sure(ets.New),
		"holt-winters":   sure(ets.NewHoltWinters),
		"theta":          sure(theta.NewModel),
		"byom":           checked(newBYOM),
	}
}

// sure is the constructor of a model that works with any options.
func sure[M models.Model](makeModel func(models.Options) M) constructor {
	return func(o models.Options) (models.Model, error) { return makeModel(o), nil }
}

// checked is the constructor of a model that may refuse options.
func checked[M models.Model](makeModel func(models.Options) (M, error)) constructor {
	return func(o models.Options) (models.Model, error) {
		m, err := makeModel(o)
		if err != nil {
			return nil, err
		}
		return m, nil
	}
}

// newBYOM asks a service, with the default model to fall back on.
func newBYOM(o models.Options) (*byom.Model, error) { return byom.New(o, auto.New(o)) }
